"""Try a step that failed or backs off again now, and carry the run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import telling

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl retry shop/web smoke"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "the step (default: every one that can be)")


def run(args: Namespace) -> int:
    return telling.say(args, "retry", "is tried again")
