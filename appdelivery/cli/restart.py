"""Run the workflow of an application again, from the beginning or from a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import telling

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl restart shop/web --from verify"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "")
    parser.add_argument(
        "--from", dest="step", default="", metavar="STEP", help="this step and all that depend on it (default: every step)"
    )


def run(args: Namespace) -> int:
    return telling.say(args, "restart", "begins again")
