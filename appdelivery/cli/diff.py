"""Show field by field what differs: from the cluster, from what was last applied, or between revisions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery.cli import asking, failures, flags, hunks, opening, plan, printing
from appdelivery.platform import delivering, live, local, looking, offline, rendering

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

EXAMPLE = "appctl diff app.yaml --set web.image=example/web:2"
EXIT = "exit codes: 0 no difference, 1 differences, 2 could not be done, 64 usage, 70 our bug"


def add(parser: ArgumentParser) -> None:
    flags.documents(parser)
    flags.cluster(parser)
    flags.store(parser)
    flags.output(parser, "table", "json", "yaml")
    parser.add_argument("--local", action="store_true", help="compare with what was last applied, without a cluster")
    parser.add_argument("--revision", metavar="N", help="compare with a stored revision, without a cluster")
    flags.guards(parser)


def run(args: Namespace) -> int:
    work = rendering.load(asking.request(args), asking.definitions(args))
    failures.problems(work.loaded.warnings)
    if args.local or args.revision:
        return opening.reading(args, lambda p: _stored(p, work, args))

    async def differ(p: local.Platform) -> int:
        found: list[dict[str, Any]] = []
        for planned in await delivering.plans(p, work, plan.ask(args)):
            delivering.allowed(planned)
            found += await live.differences(p, planned)
        return _show(found, args)

    return opening.working(args, differ, mode="read")


def _stored(p: local.Platform, work: rendering.Work, args: Namespace) -> int:
    found: list[dict[str, Any]] = []
    for app in work.loaded.applications:
        number = looking.revision_number(p, app.key, args.revision or "")
        found += offline.against_revision(p, work, app, number)
    return _show(found, args)


def _show(found: list[dict[str, Any]], args: Namespace) -> int:
    if args.output in ("json", "yaml"):
        printing.answer({"items": found}, args.output)
    else:
        hunks.show(found, colour=printing.colours(args, sys.stdout))
        if not found:
            printing.notice("no differences", args)
    return failures.NO if found else failures.DONE
