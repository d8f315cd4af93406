"""Progress of a release on stderr: a live tree on a terminal, else one line per state change with a UTC time."""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appdelivery.cli import asking, clean, printing
from appdelivery.delivery.work import Seen, Started
from appdelivery.model.change import Outcome
from appdelivery.workflow.model import Stepped, Toward

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from appdelivery.model.change import Subject

    Show = Callable[[Any], None]

VERBS = {
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "replace": ("replacing", "replaced"),
    "delete": ("deleting", "deleted"),
}


@contextlib.contextmanager
def showing(args: Namespace) -> Iterator[Show]:
    """What to hand to a use case as `progress`."""
    form = asking.value(args, "progress") or ("tree" if sys.stderr.isatty() else "lines")
    if args.quiet or form == "none":
        form = "none"
    with contextlib.ExitStack() as stack:
        shows: list[Show] = []
        if getattr(args, "events", None):
            file = stack.enter_context(open(args.events, "a", encoding="utf-8"))
            shows.append(lambda event: _json_line(file, event))
        if form == "tree":
            from appdelivery.cli import tree_view

            shows.append(stack.enter_context(tree_view.live(colour=printing.colours(args, sys.stderr))))
        elif form == "lines":
            shows.append(_lines())

        def show(event: Any) -> None:
            for one in shows:
                one(event)

        yield show


def _lines() -> Show:
    """Nothing is said twice, and nothing of what was not touched and is well: safe for the logs of a CI system."""
    said: set[str] = set()
    touched: set[Any] = set()
    clusters: set[str] = set()

    def show(event: Any) -> None:
        if isinstance(event, Toward):
            clusters.update(event.clusters)
        if isinstance(event, Started):
            touched.add(event.change.subject.identity)
        if isinstance(event, Seen) and event.subject.identity not in touched and event.health.state == "healthy":
            return
        text = sentence(event, named=len(clusters) > 1)
        if text and text not in said:
            said.add(text)
            sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {clean.text(text)}\n")
            sys.stderr.flush()

    return show


def sentence(event: Any, *, named: bool = False) -> str:
    """named: with the cluster of an object, where there are several."""
    if isinstance(event, str):
        return event
    if isinstance(event, Outcome):
        subject, action = event.change.subject, event.change.action
        what = _object(subject, named=named)
        if event.result == "failed":
            return f"{what}: {f'{action} ' if action in VERBS else ''}failed: {event.error}"
        if event.result != "done" or action not in VERBS:
            return ""
        left = (
            f" (left to {', '.join(sorted({m for _, m in event.given_up}))}: {', '.join(f for f, _ in event.given_up)})"
            if event.given_up
            else ""
        )
        return f"{what}: {VERBS[action][1]}{left}"
    if isinstance(event, Stepped):
        return _step(event)
    if isinstance(event, Seen):
        said = f", {event.health.message}" if event.health.message else ""
        return f"{_object(event.subject, named=named)}: {event.health.state}{said}"
    return ""


def _object(subject: Subject, *, named: bool) -> str:
    return f"{subject.ref} on {subject.cluster}" if named else str(subject.ref)


def _step(event: Stepped) -> str:
    """Steps that somebody has written; of those that were generated only what is not as it should be."""
    row = event.step
    if row.state == "pending" or (event.generated and row.state in ("running", "succeeded", "skipped")):
        return ""
    said = f": {row.message}" if row.message else ""
    again = f" (try {row.failures + 1})" if row.failures else ""
    return f"step {row.name}: {row.state}{again}{said}"


def _json_line(file: Any, event: Any) -> None:
    tree: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "text": sentence(event)}
    if isinstance(event, Started):
        tree |= {"kind": "object.started", "subject": str(event.change.subject.ref), "action": event.change.action}
    elif isinstance(event, Outcome):
        tree |= {
            "kind": "object.changed",
            "subject": str(event.change.subject.ref),
            "cluster": event.change.subject.cluster,
            "action": event.change.action,
            "result": event.result,
        }
    elif isinstance(event, Seen):
        tree |= {
            "kind": "health.changed",
            "subject": str(event.subject.ref),
            "cluster": event.subject.cluster,
            "state": event.health.state,
            "message": event.health.message,
        }
    elif isinstance(event, Stepped):
        tree |= {"kind": "step.moved", "subject": event.step.name, "state": event.step.state, "message": event.step.message}
    file.write(json.dumps(tree, ensure_ascii=False) + "\n")
    file.flush()
