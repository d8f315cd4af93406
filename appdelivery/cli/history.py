"""List the releases of an application: who delivered which revision, when, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.cli import asking, flags, opening, printing
from appdelivery.platform import identity, local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.model.history import Release

EXAMPLE = "appctl history shop/web"
COLUMNS = ("release", "revision", "outcome", "cause", "actor", "age", "message")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    flags.namespace(parser)
    flags.table(parser)
    flags.store(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="newest releases shown, 1 to 500 (50)")


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))

    def work(p: local.Platform) -> int:
        _, releases = looking.history(p, app, local.page_limit(args.limit))
        printing.items([row(r) for r in releases], COLUMNS, args, kind="release")
        return 0

    return opening.reading(args, work)


def row(release: Release) -> dict[str, Any]:
    return {
        "name": f"{release.app.name}-r{release.number}",
        "namespace": release.app.namespace,
        "release": release.number,
        "id": release.id,
        "revision": f"{release.app.name}-v{release.revision}",
        "request": release.request,
        "outcome": release.outcome,
        "cause": release.cause,
        "actor": release.actor.name,
        "reason": release.reason,
        "lenient": release.lenient,
        "counts": release.counts or {},
        "openedAt": release.opened_at.isoformat(),
        "endedAt": release.ended_at.isoformat() if release.ended_at else None,
        "age": printing.age((identity.clock() - release.opened_at).total_seconds()),
        "message": release.message or release.reason,
    }
