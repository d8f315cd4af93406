"""Carry on whatever is due in the store, beside any number of other workers, until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import flags, opening, printing
from appdelivery.platform import local

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl worker --store postgresql://appctl@db/appctl --concurrency 20"
EXIT = "exit codes: 0 stopped by SIGTERM or Ctrl-C, 2 could not be done, 64 usage, 70 our bug"
MOST = 500


def add(parser: ArgumentParser) -> None:
    parser.add_argument("--concurrency", type=int, default=10, metavar="N", help="applications at once (default 10)")
    parser.add_argument(
        "--dispatch",
        choices=("local", "procrastinate"),
        default="",
        help="default: procrastinate where the store has its queue",
    )
    flags.cluster(parser)
    flags.store(parser)


def run(args: Namespace) -> int:
    if not 1 <= args.concurrency <= MOST:
        raise errors.UsageError(f"worker --concurrency {args.concurrency}: from 1 to {MOST}")
    return opening.working(args, lambda p: _serve(p, args))


async def _serve(p: local.Platform, args: Namespace) -> int:
    import asyncio
    import logging
    import signal

    from appdelivery.platform import working

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    stop, loop, me = asyncio.Event(), asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None

    def told() -> None:
        """The first time in order, the second at once."""
        if stop.is_set():
            me.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    printing.notice(f"worker {p.worker} serves {p.store.where}, {args.concurrency} applications at once", args)
    await working.serve(p, working.Options(args.concurrency, dispatch=args.dispatch), stop=stop)
    printing.notice("stopped; what was under way is due for the other workers", args)
    return 0
