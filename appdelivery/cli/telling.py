"""What the commands that tell a run something have in common: their flags, telling, and carrying the run on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery.cli import asking, clean, ending, flags, opening, printing, progress, wait
from appdelivery.model.record import changed
from appdelivery.platform import delivering, local, looking, operating

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.model.refs import AppKey

EXIT = "exit codes: 0 done, 1 the release failed, 2 could not be done, 3 time-out, 64 usage, 70 our bug, 130 Ctrl-C"


def add(parser: ArgumentParser, step: str, *, carries_on: bool = True) -> None:
    """step: what the second word is for; '' = there is none."""
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    if step:
        parser.add_argument("step", nargs="?", default="", help=step)
    flags.namespace(parser)
    flags.cluster(parser)
    flags.store(parser)
    parser.add_argument("--comment", default="", metavar="TEXT", help="kept with what was said")
    if carries_on:
        flags.output(parser, "table", "json")
        parser.add_argument("--detach", action="store_true", help="only say it; another process carries the run on")
        flags.waiting(parser)


def say(args: Namespace, name: str, done: str) -> int:
    """Tells the run, and unless somebody else works on it carries it on here.  done: what happened, in words."""
    app = looking.application_key(args.application, asking.namespace(args))

    async def work(p: local.Platform) -> int:
        told = await p.in_thread(lambda: operating.tell(p, app, name, getattr(args, "step", ""), args.comment))
        step = f" step {told.step}" if told.step else ""
        printing.notice(f"{app}:{clean.text(step)} {done}", args)
        if getattr(args, "detach", True):
            return 0
        return await carry_on(p, app, args)

    return opening.working(args, work)


async def carry_on(p: local.Platform, app: AppKey, args: Namespace) -> int:
    how = delivering.How(timeout=wait.seconds(args))
    try:
        with progress.showing(args) as hear:
            ended = await operating.carry_on(p, app, changed(how, progress=hear))
    except KeyboardInterrupt:
        sys.stderr.write(f"\nstopped: what was done stays and is recorded; go on with\n  appctl resume {app}\n")
        raise
    return ending.carried_on(ended, app, args)
