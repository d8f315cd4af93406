"""How a release ended, in words and as an exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery.cli import clean, failures, plans, printing, why

if TYPE_CHECKING:
    from argparse import Namespace

    from appdelivery.delivery.work import Ended
    from appdelivery.model.refs import AppKey
    from appdelivery.platform.documents import Loaded
    from appdelivery.platform.live import Waited
    from appdelivery.platform.planning import Planned

DONE = (
    ("create", "created"),
    ("update", "updated"),
    ("replace", "replaced"),
    ("delete", "deleted"),
    ("unchanged", "unchanged"),
    ("skip", "left alone"),
    ("failed", "failed"),
    ("unknown", "unknown"),
)


def carried_on(ended: Ended, app: AppKey, args: Namespace) -> int:
    """As `release`, of a release that another command has opened."""
    if getattr(args, "output", None) == "json":
        printing.answer({"release": ended.release, "outcome": ended.outcome, "message": ended.message}, "json")
    else:
        _said(ended, app, printing.colours(args, sys.stdout))
    _reasons(ended, app, args)
    return _code(ended)


def release(ended: Ended, planned: Planned, args: Namespace, loaded: Loaded | None = None) -> int:
    """The result on stdout; reasons of a failure on stderr, with their place in the documents where those are at hand."""
    colour = printing.colours(args, sys.stdout)
    if getattr(args, "output", None) == "json":
        printing.answer(tree(ended, planned), "json")
    else:
        _said(ended, planned.app, colour)
    _reasons(ended, planned.app, args)
    _advise(ended, planned, args, loaded)
    if ended.outcome in ("failed", "partial"):
        again = planned.plan.base.release and planned.request == "apply"
        back = f"\n  go back:  appctl rollback {planned.app}" if again else ""
        printing.notice(f"  see more: appctl why {planned.app}{back}", args)
    return _code(ended)


def _code(ended: Ended) -> int:
    """A release that waits for somebody is no failure."""
    return failures.DONE if ended.outcome in ("succeeded", "superseded", "running") else failures.NO


def _said(ended: Ended, app: AppKey, colour: bool) -> None:
    counts = [f"{ended.counts[a]} {word}" for a, word in DONE if ended.counts.get(a)]
    outcome = printing.paint(ended.outcome, printing.BY_WORD.get(ended.outcome, ""), on=colour)
    said = f": {clean.text(ended.message)}" if ended.message else ""
    sys.stdout.write(f"{app} release {ended.release} {outcome}{said}\n")
    if counts:
        sys.stdout.write(f"  {', '.join(counts)}\n")


def _reasons(ended: Ended, app: AppKey, args: Namespace) -> None:
    for warning in ended.warnings:
        printing.notice(f"warning: {clean.text(warning)}", args)
    for change in ended.pending:
        printing.notice(f"kept: {change.subject.ref}: {clean.text(change.why.text)}", args)
        _hint(change.why.detail.get("hint", ""), args)
    for command in ended.next_commands:
        printing.notice(f"  {command}", args)
    for answer in ended.reports:
        why.show(answer, app, colour=printing.colours(args, sys.stderr), stream=sys.stderr)


def _advise(ended: Ended, planned: Planned, args: Namespace, loaded: Loaded | None) -> None:
    failed = [outcome for outcome in ended.outcomes if outcome.result == "failed"]
    if not failed:
        return
    from appdelivery.platform import pointing

    places = pointing.problems(loaded, planned.app, failed) if loaded is not None else []
    if not args.quiet:
        failures.problems(places)
    for hint in dict.fromkeys([outcome.hint for outcome in failed]):
        if hint not in [place.hint for place in places]:
            _hint(hint, args)


def _hint(text: str, args: Namespace) -> None:
    if text:
        printing.notice(failures.indented(text), args)


def tree(ended: Ended, planned: Planned) -> dict[str, object]:
    return {
        "application": {"namespace": planned.app.namespace, "name": planned.app.name},
        "release": ended.release,
        "outcome": ended.outcome,
        "message": ended.message,
        "counts": ended.counts,
        "components": {name: {"state": state, "message": said} for name, (state, said) in ended.components.items()},
        "pending": [plans.change_tree(change) for change in ended.pending],
    }


def waited(found: Waited, app: object, args: Namespace) -> int:
    sys.stdout.write(f"{app} is {found.outcome}: {clean.text(found.message)}\n")
    if found.answer is not None and found.answer.state != "healthy":
        from appdelivery.platform.looking import application_key

        why.show(found.answer, application_key(str(app), ""), colour=printing.colours(args, sys.stderr), stream=sys.stderr)
    return {"healthy": failures.DONE, "failed": failures.NO}.get(found.outcome, failures.TIMEOUT)
