"""Wait until an application is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import asking, ending, flags, opening, progress
from appdelivery.model import duration
from appdelivery.platform import local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl wait shop/web --timeout 5m"
EXIT = "exit codes: 0 healthy, 1 failed, 2 could not be read, 3 time-out, 64 usage, 70 our bug, 130 Ctrl-C"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    flags.namespace(parser)
    flags.waiting(parser)
    flags.store(parser)
    flags.cluster(parser)


def run(args: Namespace) -> int:
    from appdelivery.platform import live  # `up` needs this module for its `seconds` alone

    app = looking.application_key(args.application, asking.namespace(args))
    limit = seconds(args)

    async def work(p: local.Platform) -> int:
        with progress.showing(args) as show:
            ended = await live.wait(p, app, limit, show)
        return ending.waited(ended, app, args)

    return opening.working(args, work, mode="read")


def seconds(args: Namespace) -> float:
    text = asking.value(args, "timeout")
    try:
        return duration.parse(text) if text else 0.0
    except ValueError as error:
        raise errors.UsageError(f"--timeout: {error}") from None
