"""List what happened: releases, health, drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.cli import asking, flags, opening, printing
from appdelivery.platform import identity, local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.model.history import Event

EXAMPLE = "appctl events shop/web --limit 20"
COLUMNS = ("age", "kind", "subject", "actor", "message")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", nargs="?", help="NAME or NAMESPACE/NAME (default: all applications)")
    flags.namespace(parser)
    flags.table(parser)
    flags.store(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="newest events shown, 1 to 500 (50)")
    parser.add_argument("--after", default="", metavar="POSITION", help="only events after this position")


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args)) if args.application else None

    def work(p: local.Platform) -> int:
        found, following = looking.events(p, app, local.page_limit(args.limit), args.after)
        rows = [row(event) for event in found]
        if args.output in ("json", "yaml"):
            printing.answer({"items": rows, "next": following or None}, args.output)
        else:
            printing.items(rows, COLUMNS, args, kind="event")
        return 0

    return opening.reading(args, work)


def _sentence(event: Event) -> str:
    """What happened to an object, and with whose fields; which step it is about."""
    data = event.data
    if "step" in data:
        return ": ".join([one for one in (str(data["step"]), data.get("message") or data.get("reason")) if one])
    if event.kind != "object.changed" or data.get("message"):
        return str(data.get("message") or "")
    said = f"{data.get('result', data.get('action', ''))} ({data.get('code', '')})"
    for words, name in (("taken from", "taken"), ("left to", "given_up")):
        said += "".join([f"; {field} {words} {manager}" for field, manager in data.get(name) or ()])
    return said


def row(event: Event) -> dict[str, Any]:
    return {
        "name": str(event.seq),
        "seq": event.seq,
        "kind": event.kind,
        "subject": event.subject,
        "actor": event.actor.name,
        "at": event.at.isoformat(),
        "age": printing.age((identity.clock() - event.at).total_seconds()),
        "message": _sentence(event),
        "data": event.data,
    }
