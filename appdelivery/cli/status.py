"""Show an application's health: its components, what is wrong, its newest release."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from appdelivery.cli import asking, clean, flags, opening, printing
from appdelivery.platform import identity, local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from appdelivery.model.history import Managed, Release, Summary
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import StepState

EXAMPLE = "appctl status shop/web --tree"
COLUMNS = ("component", "kind", "name", "health", "since", "reason")
STEP_COLUMNS = ("step", "type", "state", "since", "tries", "message")
WORST = ("degraded", "missing", "unknown", "progressing", "suspended", "healthy")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    flags.namespace(parser)
    flags.table(parser)
    flags.store(parser)
    flags.cluster(parser)
    parser.add_argument("--tree", action="store_true", help="group objects by cluster and component")
    parser.add_argument("--live", action="store_true", help="read the clusters now; shows drift")
    parser.add_argument("--exit-code", action="store_true", help="1 when the application is not healthy")


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))
    if args.live:
        from appdelivery.platform import live

        return opening.working(args, lambda p: _live(args, live.status(p, app), _run(p, app)), mode="read")

    def work(p: local.Platform) -> int:
        summary, rows, release = looking.status(p, app)
        return _show(summary, rows, release, args, run=_run(p, app))

    return opening.reading(args, work)


def _run(p: local.Platform, app: AppKey) -> tuple[Sequence[StepState], bool]:
    """Its steps, and whether it is paused."""
    return looking.steps(p, app), looking.paused(p, app)


async def _live(args: Namespace, found: Any, run: tuple[Sequence[StepState], bool]) -> int:
    summary, rows, release = await found
    return _show(summary, rows, release, args, run=run)


def _show(
    summary: Summary,
    rows: Sequence[Managed],
    release: Release | None,
    args: Namespace,
    *,
    run: tuple[Sequence[StepState], bool],
) -> int:
    steps, paused = run
    code = 1 if args.exit_code and summary.health != "healthy" else 0
    objects = [
        row(r)
        for r in sorted(rows, key=lambda r: (WORST.index(r.health) if r.health in WORST else 2, r.component, r.ref.kind))
    ]
    if args.output in ("json", "yaml"):
        shown = tree(summary, objects, release) | ({"paused": True} if paused else {})
        printing.answer({**shown, "steps": [step_row(step) for step in steps]} if steps else shown, args.output)
        return code
    colour = printing.colours(args, sys.stdout)
    head(summary, release, colour=colour)
    if args.tree:
        branches(rows, colour=colour)
    else:
        several = len({r.cluster for r in rows}) > 1
        printing.items(objects, ("cluster", *COLUMNS) if several else COLUMNS, args, kind="object")
    if steps:
        sys.stdout.write("\n")
        printing.table([step_row(step) for step in steps], STEP_COLUMNS, colour=colour)
    if paused:
        sys.stdout.write(f"its run is paused; go on with: appctl resume {summary.app}\n")
    for line in notes(rows, release):
        sys.stdout.write(clean.text(line) + "\n")
    return code


def notes(rows: Sequence[Managed], release: Release | None) -> list[str]:
    """What is not as it was written although nothing is wrong: fields that others keep, deletions that a guard holds."""
    said = [f"left to {manager}: {field} of {r.ref}" for r in rows for field, manager, _ in r.yielded]
    over = release is not None and release.outcome != "running"
    held = [r for r in rows if over and release is not None and r.state == "present" and r.wanted < release.number]
    return said + [f"waits to be deleted: {r.ref}" for r in held]


def head(summary: Summary, release: Release | None, *, colour: bool) -> None:
    health = printing.paint(summary.health, printing.BY_WORD.get(summary.health, ""), on=colour)
    sys.stdout.write(
        f"{summary.app}  {summary.app.name}-v{summary.revision}  {health}"
        + (f"  {clean.text(summary.message)}" if summary.message else "")
        + "\n"
    )
    if release:
        ago = printing.age((identity.clock() - release.opened_at).total_seconds())
        outcome = printing.paint(release.outcome, printing.BY_WORD.get(release.outcome, ""), on=colour)
        sys.stdout.write(
            f"release {release.number} by {clean.text(str(release.actor))} {ago} ago ({release.cause}): {outcome}"
            + (f", {clean.text(release.message)}" if release.message else "")
            + "\n"
        )


def row(managed: Managed) -> dict[str, Any]:
    ref = managed.ref
    return {
        "cluster": managed.cluster,
        "component": managed.component,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "apiVersion": ref.api_version,
        "mode": managed.mode,
        "state": managed.state,
        "health": managed.health if managed.state == "present" else managed.state,
        "since": printing.age((identity.clock() - managed.health_since).total_seconds()) if managed.health_since else None,
        "reason": managed.health_reason,
        "yielded": [{"field": field, "manager": manager} for field, manager, _ in managed.yielded],
    }


def step_row(step: StepState) -> dict[str, Any]:
    begun = step.finished_at or step.started_at
    return {
        "step": step.name,
        "type": step.type,
        "state": step.state,
        "reason": step.reason,
        "since": printing.age((identity.clock() - begun).total_seconds()) if begun else None,
        "tries": step.attempt,
        "message": step.message,
    }


def tree(summary: Summary, objects: list[dict[str, Any]], release: Release | None) -> dict[str, Any]:
    from appdelivery.cli import history, list_

    return {**list_.row(summary), "objects": objects, "release": history.row(release) if release else None}


def branches(rows: Sequence[Managed], *, colour: bool) -> None:
    """cluster > component > object, worst first, with the last branch closed."""
    for cluster in sorted({r.cluster for r in rows}):
        here = [r for r in rows if r.cluster == cluster]
        sys.stdout.write(f"{clean.text(cluster)}\n")
        names = sorted(
            {r.component for r in here},
            key=lambda name: (min(WORST.index(r.health) for r in here if r.component == name), name),
        )
        for i, component in enumerate(names):
            last = i == len(names) - 1
            sys.stdout.write(f"{'└─' if last else '├─'} {component}\n")
            objects = sorted(
                [r for r in here if r.component == component], key=lambda r: (WORST.index(r.health), r.ref.kind, r.ref.name)
            )
            for k, r in enumerate(objects):
                stem = f"{'   ' if last else '│  '}{'└─' if k == len(objects) - 1 else '├─'}"
                health = r.health if r.state == "present" else r.state
                word = printing.paint(health, printing.BY_WORD.get(health, ""), on=colour)
                sys.stdout.write(
                    f"{stem} {r.ref.kind} {r.ref.name}  {word}"
                    + (f"  {clean.text(r.health_reason)}" if r.health_reason and health != "healthy" else "")
                    + "\n"
                )
