"""Go on with a run: one that was interrupted, paused, or waits at a suspend step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import asking, opening, printing, telling
from appdelivery.platform import local, looking, operating

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl resume shop/web"
EXIT = telling.EXIT


def add(parser: ArgumentParser) -> None:
    telling.add(parser, "a suspended step (default: every one that waits for nobody in particular)")


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))

    async def work(p: local.Platform) -> int:
        found = await p.in_thread(lambda: operating.work(p, app))
        if args.step or operating.asleep(found):
            told = await p.in_thread(lambda: operating.tell(p, app, "resume", args.step, args.comment))
            printing.notice(f"{app}: {told.step or 'the run'} is resumed", args)
        if args.detach:
            return 0
        return await telling.carry_on(p, app, args)

    return opening.working(args, work)
