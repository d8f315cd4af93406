"""Take a step as done without running it, and carry the run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import telling

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl skip shop/web smoke"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "the step (default: the only one that can be)")


def run(args: Namespace) -> int:
    return telling.say(args, "skip", "is skipped")
