"""Print logs of an application's pods."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import asking, clean, flags, opening, printing
from appdelivery.model import duration
from appdelivery.platform import live, local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl logs shop/web --component api --since 10m"
PAINTS = ("yellow", "green", "bold", "dim")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    flags.namespace(parser)
    flags.store(parser)
    flags.cluster(parser)
    parser.add_argument("--component", metavar="NAME", help="only this component")
    parser.add_argument("--container", default="", metavar="NAME", help="only this container")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines come")
    parser.add_argument("-p", "--previous", action="store_true", help="of the container before the restart")
    parser.add_argument("--tail", type=int, default=0, metavar="N", help="last lines of each container")
    parser.add_argument("--since", default="", metavar="10m", help="not older than this")


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))
    try:
        since = int(duration.parse(args.since)) if args.since else 0
    except ValueError as error:
        raise errors.UsageError(f"--since: {error}") from None
    how = live.Logs(args.component or "", args.container, args.follow, args.previous, args.tail, since)
    colour = printing.colours(args, sys.stdout)

    async def work(p: local.Platform) -> int:
        paints: dict[str, str] = {}
        async for source, line in live.logs(p, app, how):
            paint = paints.setdefault(source, PAINTS[len(paints) % len(PAINTS)])
            sys.stdout.write(f"{printing.paint(source, paint, on=colour)}  {clean.text(line)}\n")
            sys.stdout.flush()
        return 0

    return opening.working(args, work, mode="read")
