"""Approve a step of a run that waits for it, and carry the run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import telling

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl approve shop/web production --comment 'tested by Ana'"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "the step (default: the only one that waits)")


def run(args: Namespace) -> int:
    return telling.say(args, "approve", "is approved")
