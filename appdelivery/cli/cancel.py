"""End a run: what it has applied stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import telling

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl cancel shop/web"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "")


def run(args: Namespace) -> int:
    return telling.say(args, "terminate", "is to end: running steps fail, what was applied stays")
