"""Reject a step of a run that waits for approval: it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import telling

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl reject shop/web production --comment 'not on a Friday'"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "the step (default: the only one that waits)")


def run(args: Namespace) -> int:
    return telling.say(args, "reject", "is rejected")
