"""Deliver an application, or a saved plan, and wait until it is healthy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import (
    asking,
    clean,
    confirming,
    ending,
    failures,
    flags,
    opening,
    plan,
    plans,
    printing,
    progress,
    wait,
)
from appdelivery.model.record import changed
from appdelivery.platform import delivering, documents, local, rendering

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.delivery.saved import Saved
    from appdelivery.platform.planning import Planned

EXAMPLE = "appctl up app.yaml --set web.image=example/web:2"
EXIT = "exit codes: 0 delivered, 1 failed or not healthy, 2 could not be done, 3 time-out, 64 usage, 70 our bug, 130 Ctrl-C"


def add(parser: ArgumentParser) -> None:
    flags.documents(parser)
    flags.cluster(parser)
    flags.store(parser)
    flags.output(parser, "table", "json")
    parser.add_argument("--wait", choices=("ready", "applied"), default="ready", help="until healthy, or only until applied")
    parser.add_argument("--dry-run", action="store_true", help="only the plan; exit 0")
    flags.waiting(parser)
    flags.guards(parser)


def run(args: Namespace) -> int:
    plan_file = _saved(args)
    if plan_file is not None:
        return opening.working(args, lambda p: _exact(p, plan_file, args))
    work = rendering.load(asking.request(args), asking.definitions(args))
    failures.problems(work.loaded.warnings)
    return opening.working(args, lambda p: _up(p, work, args))


async def _up(p: local.Platform, work: rendering.Work, args: Namespace) -> int:
    made = await delivering.plans(p, work, plan.ask(args))
    for planned in made:  # all of them before the first is begun
        delivering.allowed(planned)
    codes = []
    for planned in made:
        failures.problems(planned.warnings)
        codes.append(await carry_out(p, planned, args, loaded=work.loaded))
    return max(codes)


def _saved(args: Namespace) -> Saved | None:
    """A saved plan is a JSON file that says so itself; a damaged one is refused before anything is opened."""
    paths = [*args.files, *args.file]
    if len(paths) != 1 or not paths[0].endswith(".json"):
        return None
    data = documents.read(documents.Request(tuple(paths)))[paths[0]]
    if b'"format"' not in data:
        return None
    from appdelivery.delivery import saved

    return saved.read(data, paths[0])


async def _exact(p: local.Platform, plan_file: Saved, args: Namespace) -> int:
    return await carry_out(p, await delivering.planned_from(p, plan_file), args, exact=True)


async def carry_out(
    p: local.Platform,
    planned: Planned,
    args: Namespace,
    *,
    exact: bool = False,
    loaded: documents.Loaded | None = None,
) -> int:
    """Shows the plan, asks where it must, delivers, and answers how it ended.  rollback and delete end here too."""
    delivering.allowed(planned)
    show = printing.colours(args, sys.stderr)
    if not args.quiet and args.output != "json":
        _to_stderr(lambda: plans.show(planned.plan, plan.title(planned), colour=show))
    if args.dry_run:
        return failures.DONE
    question(planned, args)
    how = delivering.How(
        reason=args.reason or "", timeout=wait.seconds(args), wait=getattr(args, "wait", "ready"), exact=exact
    )
    try:
        with progress.showing(args) as hear:
            ended = await delivering.deliver(p, planned, changed(how, progress=hear))
    except BaseException as error:
        if isinstance(error, errors.AppError | Exception):
            raise
        interrupted(planned, args)
        raise
    return ending.release(ended, planned, args, loaded)


def question(planned: Planned, args: Namespace) -> None:
    """Only what cannot be undone easily is asked about; the question repeats the essentials."""
    grave = plans.needs_answer(planned.plan)
    if not grave:
        return
    deletes = sum(change.action == "delete" for change in grave)
    replaces = sum(change.action == "replace" for change in grave)
    others = len(grave) - deletes - replaces
    counts = ((deletes, "delete"), (replaces, "replace"), (others, "take over or change for good"))
    words = [f"{verb} {n} object{'s' if n > 1 else ''}" for n, verb in counts if n]
    what = f"{' and '.join(words)} in {plan.title(planned)}"
    confirming.ask(args, what, expect=planned.app.name if deletes else "")


def interrupted(planned: Planned, args: Namespace) -> None:
    """Ctrl-C: the state is kept; this is the command to go on."""
    import shlex

    words = list(args.words)
    if planned.cause == "rollback" and not args.to:  # what was the last good one may not be it any more
        words += ["--to", str(planned.revision)]
    command = clean.text(shlex.join(["appctl", *words]))
    sys.stderr.write(f"\nstopped: what was applied stays and is recorded; go on with\n  {command}\n")


def _to_stderr(call: object) -> None:
    import contextlib

    with contextlib.redirect_stdout(sys.stderr):
        call()  # type: ignore[operator]
