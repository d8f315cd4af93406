"""Reads: list, status, history, show, compare, events.  The store alone answers; clusters are asked only by `live`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.model import redact
from appdelivery.model.refs import AppKey
from appdelivery.model.secret import Secret
from appdelivery.platform.guard import guard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from appdelivery.delivery.ports import Work
    from appdelivery.model.history import Event, Managed, Release, Revision, Summary
    from appdelivery.model.run import StepState
    from appdelivery.platform.local import Platform


def application_key(text: str, namespace: str) -> AppKey:
    """NAME or NAMESPACE/NAME as people type it."""
    from appdelivery.model import names

    space, slash, name = text.rpartition("/")
    key = AppKey(space if slash else namespace, name)
    if not (names.is_dns_label(key.name) and names.is_dns_label(key.namespace)):
        raise errors.UsageError(f"'{text}' is not the name of an application", hint="write NAME or NAMESPACE/NAME")
    return key


def applications(
    p: Platform, *, namespace: str, labels: dict[str, str], limit: int, cursor: str = ""
) -> tuple[Sequence[Summary], str]:
    """A page of applications, worst first, and the cursor of the next ('' = none)."""
    from appdelivery.store import applications as rows

    guard(p.actor, "get", "applications")
    page = rows.page(p.store, namespace=namespace, labels=labels, limit=limit, cursor=cursor)
    return page.items, page.next


def status(p: Platform, app: AppKey) -> tuple[Summary, Sequence[Managed], Release | None]:
    from appdelivery.store import applications as rows
    from appdelivery.store import inventory

    guard(p.actor, "get", str(app))
    summary = rows.get(p.store, app)
    return summary, inventory.rows(p.store, app), p.journal.newest(app)


def steps(p: Platform, app: AppKey) -> tuple[StepState, ...]:
    """Of the newest release's run, where somebody wrote its workflow."""
    from appdelivery.model.run import WorkKey

    found = p.journal.work(WorkKey("app", str(app)))
    if found.run is None or all(step.use == "apply-component" for step in found.run.spec.steps):
        return ()
    return found.steps


def paused(p: Platform, app: AppKey) -> bool:
    """Whether its run starts nothing, because somebody has told it so."""
    from appdelivery.model.run import WorkKey

    return is_paused(p.journal.work(WorkKey("app", str(app))))


def is_paused(found: Work) -> bool:
    """Also when it was said and no process has looked at the run since."""
    said = [one.name for one in found.signals if one.name == "pause" or (one.name == "resume" and not one.step)]
    return said[-1] == "pause" if said else found.run is not None and found.run.paused


def history(p: Platform, app: AppKey, limit: int) -> tuple[Sequence[Revision], Sequence[Release]]:
    """Also of an application that was deleted: what happened stays known."""
    from appdelivery.store import applications as rows

    guard(p.actor, "get", str(app))
    return rows.revisions(p.store, app), rows.releases(p.store, app, limit)


def revision_number(p: Platform, app: AppKey, text: str) -> int:
    """APP-v7, v7 or 7; '' is the newest."""
    from appdelivery.store import applications as rows

    known = rows.revisions(p.store, app)
    if not known:
        raise errors.NotFound(f"application {app} has no revision")
    numbers = [r.number for r in known]
    digits = text.removeprefix(f"{app.name}-").removeprefix("v")
    if text and not digits.isdigit():
        raise errors.UsageError(
            f"'{text}' is not a revision of {app}", hint=f"write {app.name}-v{max(numbers)} or {max(numbers)}"
        )
    number = int(digits) if digits else max(numbers)
    if number not in numbers:
        raise errors.NotFound(f"application {app} has no revision {number}", hint=f"revisions: {_ranges(numbers)}")
    return number


def revision(p: Platform, app: AppKey, number: int) -> dict[str, Any]:
    """Document, definitions and manifests of a revision, masked."""
    from appdelivery.store import applications as rows

    guard(p.actor, "get", str(app))
    content = rows.revision(p.store, app, number)
    key = p.journal.installation().digest_key
    bodies = [body for _, _, body in rows.manifests(p.store, app, number)]
    return {
        "revision": f"{app.name}-v{number}",
        "number": number,
        "key": content.key,
        "createdAt": content.created_at.isoformat(),
        "application": _masked(content.document, bodies, key),
        "definitions": content.definitions,
        "manifests": [redact.objects(body, key) for body in bodies],
    }


def _masked(document: dict[str, Any], bodies: Sequence[dict[str, Any]], key: bytes) -> Any:
    """The document holds secret values as its author wrote them: what stands in an object as a secret is masked in it too."""
    hide = {value: Secret(value).mask(key) for body in bodies for value in redact.values(body)}

    def masked(tree: Any) -> Any:
        if isinstance(tree, str):
            return hide.get(tree) or redact.text(tree, hide)
        if isinstance(tree, list):
            return [masked(item) for item in tree]
        if isinstance(tree, dict):
            shown = redact.objects(tree, key) if tree.get("kind") == "Secret" else tree
            return {name: masked(item) for name, item in shown.items()}
        return tree

    return masked(document)


def release(p: Platform, app: AppKey, number: int) -> tuple[Release, dict[str, Any] | None]:
    from appdelivery.store import applications as rows

    guard(p.actor, "get", str(app))
    return rows.release(p.store, app, number), rows.plan(p.store, app, number)


def compare(p: Platform, app: AppKey, older: int, newer: int) -> list[dict[str, Any]]:
    """Object by object what differs between two revisions, as JSON-pointer operations; values of secrets are masked."""
    from appdelivery.delivery import diff
    from appdelivery.store import applications as rows

    guard(p.actor, "get", str(app))
    key = p.journal.installation().digest_key
    kept = [rows.manifests(p.store, app, number) for number in (older, newer)]
    several = len({origin.get("cluster", "") for side in kept for _, origin, _ in side}) > 1
    sides = [
        {_name(body) + (_at(origin) if several else ""): redact.objects(body, key) for _, origin, body in side}
        for side in kept
    ]
    return diff.between(*sides)


def _at(origin: Mapping[str, Any]) -> str:
    return f" on {origin['cluster']}" if origin.get("cluster") else ""


def _name(body: dict[str, Any]) -> str:
    metadata = body["metadata"]
    space = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{body['kind']} {space}{metadata['name']}"


def events(p: Platform, app: AppKey | None, limit: int, after: str) -> tuple[Sequence[Event], str]:
    from appdelivery.store import events as rows

    guard(p.actor, "get", str(app or "events"))
    page = rows.page(p.store, app, limit=limit, after=after)
    return page.items, page.next


def _ranges(numbers: Sequence[int]) -> str:
    """1-3, 5"""
    out: list[str] = []
    start = last = None
    for number in [*sorted(numbers), None]:
        if last is not None and number == last + 1:
            last = number
            continue
        if start is not None:
            out.append(str(start) if start == last else f"{start}-{last}")
        start = last = number
    return ", ".join(out)
