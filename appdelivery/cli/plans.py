"""A plan as people read it: one line a change, unchanged ones folded, totals, and what needs an answer first."""

from __future__ import annotations

import sys

from appdelivery.cli import clean, printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.change import Change, Plan

SIGNS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "replace": ("±", "red"),
    "delete": ("-", "red"),
    "skip": ("·", "dim"),
    "unknown": ("?", "yellow"),
    "unchanged": ("=", "dim"),
}
TAKE_OVER = "adopted"


def show(plan: Plan, title: str, *, colour: bool, graph: bool = False) -> None:
    """Everything that would happen; said even when nothing would."""
    sys.stdout.write(f"{clean.text(title)}\n")
    shown = [c for c in plan.changes if c.action != "unchanged"]
    width = max((len(_subject(c)) for c in shown), default=0)
    clusters = dict.fromkeys([change.subject.cluster for change in plan.changes])
    for cluster in clusters:
        here = [change for change in shown if change.subject.cluster == cluster]
        if here and len(clusters) > 1:
            sys.stdout.write(f"  {clean.text(cluster)}:\n")
        stem = "    " if len(clusters) > 1 else "  "
        for change in here:
            sys.stdout.write(f"{stem}{line(change, width, colour=colour)}\n")
    unchanged = plan.counts.get("unchanged", 0)
    if unchanged:
        sys.stdout.write(printing.paint(f"  = {unchanged} unchanged", "dim", on=colour) + "\n")
    for warning in plan.warnings:
        sys.stdout.write(printing.paint(f"  warning: {clean.text(warning)}", "yellow", on=colour) + "\n")
    sys.stdout.write(totals(plan) + "\n")
    if graph:
        edges(plan)


def line(change: Change, width: int, *, colour: bool) -> str:
    sign, paint = SIGNS[change.action]
    word = change.action
    if change.why.code == TAKE_OVER and change.action == "update":
        sign, word = "!", "take over"
    head = printing.paint(f"{sign} {word:<9}", paint, on=colour)
    return f"{head} {_subject(change):<{width}}  {clean.text(change.why.text)}".rstrip()


def _subject(change: Change) -> str:
    return clean.text(f"{change.subject.ref.kind}/{change.subject.ref.name}")


def totals(plan: Plan) -> str:
    counts = plan.counts
    words = [f"{counts[a]} to {a}" for a in ("create", "update", "replace", "delete") if counts.get(a)]
    words += [f"{counts[a]} {w}" for a, w in (("skip", "left alone"), ("unknown", "unknown")) if counts.get(a)]
    return f"Plan: {', '.join(words)}." if words else "Plan: nothing to do."


def edges(plan: Plan) -> None:
    sys.stdout.write("order:\n")
    for edge in plan.edges:
        (_, waiter), (_, other) = edge.waiter, edge.other
        soft = "" if edge.hard else "  (soft)"
        sys.stdout.write(clean.text(f"  {waiter[1]}/{waiter[3]} after {other[1]}/{other[3]} is {edge.until}{soft}") + "\n")


def tree(plan: Plan) -> dict[str, Any]:
    """The plan as -o json prints it."""
    return {
        "application": {"namespace": plan.app.namespace, "name": plan.app.name},
        "counts": plan.counts,
        "changes": [change_tree(c) for c in plan.changes],
        "warnings": list(plan.warnings),
    }


def change_tree(change: Change) -> dict[str, Any]:
    ref = change.subject.ref
    return {
        "cluster": change.subject.cluster,
        "component": change.subject.component,
        "action": change.action,
        "object": {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name},
        "why": {"code": change.why.code, "text": change.why.text, "detail": change.why.detail},
        "before": change.before,
        "after": change.after,
    }


def needs_answer(plan: Plan) -> list[Change]:
    """Changes that cannot be undone easily: deletes, replaces, take-overs, CRD changes."""
    return [
        c
        for c in plan.changes
        if c.action in ("delete", "replace")
        or (c.action == "update" and (c.why.code == TAKE_OVER or c.subject.ref.kind == "CustomResourceDefinition"))
    ]
