"""Let no new step of a run start until it is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import telling

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl pause shop/web"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "", carries_on=False)


def run(args: Namespace) -> int:
    return telling.say(args, "pause", "is paused; appctl resume goes on")
