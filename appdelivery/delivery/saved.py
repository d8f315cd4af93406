"""A plan as a file: written by `plan --out`, reviewed by people, carried out exactly or refused (delivery.md section 4).

The digest covers everything else in the file, and approvals bind to it.  Values of secrets are never in it: manifests that
hold any are named by their digest and stay encrypted in the store.  Pure; called by platform and, to show one, by cli.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from appdelivery import __version__, errors
from appdelivery.delivery import graph
from appdelivery.delivery.consent import Consent
from appdelivery.model import canonical, duration, redact, secret
from appdelivery.model.change import Base, Change, Edge, Plan, Subject, Why
from appdelivery.model.record import record
from appdelivery.model.refs import AppKey, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.ports import Identity, Installation

FORMAT = "appdelivery.dev/plan/v1"
VALID_S = 86400.0
LARGEST = 64 << 20


@record
class Saved:
    plan: Plan
    revision: str  # key of the content that was rendered
    desired: Mapping[str, dict[str, Any] | None]  # digest to manifest; None: it holds secrets, the store has it
    consent: Consent
    installation: str
    engine: str
    created: datetime
    expires: datetime
    digest: str
    document: dict[str, Any]  # the Application as it was read


def write(
    made: Plan,
    *,
    desired: Iterable[Desired],
    installation: Installation,
    revision: str,
    now: datetime,
    document: dict[str, Any],
    consent: Consent | None = None,
    valid_s: float = VALID_S,
) -> str:
    """The text of a plan file.  Refused when the document holds secret values in clear."""
    desired = tuple(desired)
    _no_secrets(document, desired)
    tree = {
        "format": FORMAT,
        "key": [made.app.namespace, made.app.name],
        "application": document,
        "revision": revision,
        "desired": {item.digest: None if secret.inside(item.body) else item.body for item in desired},
        "changes": [_change_tree(change) for change in made.changes],
        "edges": [[_place(e.waiter), _place(e.other), e.until, e.hard] for e in made.edges],
        "warnings": list(made.warnings),
        "guards": _consent_tree(consent or Consent()),
        "base": {
            "release": made.base.release,
            "objects": [[cluster, list(identity), uid, own] for cluster, identity, uid, own in made.base.objects],
        },
        "installation": installation.id,
        "engine": __version__,
        "created": now.isoformat(),
        "expires": (now + timedelta(seconds=valid_s)).isoformat(),
    }
    if secret.inside(tree):
        raise errors.Bug("a secret value would have entered a plan file")
    return json.dumps({**tree, "digest": canonical.digest(tree)}, indent=1, ensure_ascii=False) + "\n"


def read(text: str | bytes, name: str = "the plan file") -> Saved:
    """Conflict when the file was changed after it was written, or is of a newer format."""
    tree = _tree(text, name)
    found = str(tree.get("format", ""))
    if found != FORMAT:
        newer = found.startswith("appdelivery.dev/plan/")
        what = f"has the format {found}, this version reads {FORMAT}" if newer else "is no plan file"
        hint = (
            "use the version of appctl that wrote it, or make a new plan"
            if newer
            else "write one with: appctl plan APP --out FILE"
        )
        raise errors.Conflict(f"read {name}: it {what}", code="plan.format", hint=hint)
    if tree.get("digest") != canonical.digest({key: value for key, value in tree.items() if key != "digest"}):
        raise errors.Conflict(
            f"read {name}: it was changed after it was written", code="plan.changed", hint="make a new plan"
        )
    try:
        return _saved(tree)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errors.Conflict(
            f"read {name}: it is not complete: {error}", code="plan.format", hint="make a new plan"
        ) from error


def check(saved: Saved, *, now: datetime, installation: Installation, name: str = "the plan file") -> None:
    """Conflict for a plan that is too old or was made for another installation."""
    if saved.installation != installation.id:
        raise errors.Conflict(
            f"carry out {name}: it was made for another installation ({saved.installation[:8]}, this is {installation.label})",
            code="plan.installation",
            hint="make the plan with the store that is to carry it out",
        )
    if now >= saved.expires:
        age = duration.show((now - saved.created).total_seconds())
        raise errors.Conflict(
            f"carry out {name}: it is {age} old and has expired", code="plan.expired", hint="make a new plan"
        )


def compare(saved: Saved, fresh: Plan) -> None:
    """Conflict when a plan made now would rest on anything else, or do anything else.  There is no "close enough"."""
    found = _base_moved(saved.plan.base, fresh.base)
    if not found:
        before, now = ({(c.subject.identity, c.action, c.after) for c in made.writes} for made in (saved.plan, fresh))
        found = [f"{graph.show(identity)} would now be another change" for identity, _, _ in sorted(before ^ now)]
    _refuse(found)


def verify(saved: Saved, newest: int, known: Known) -> None:
    """The same against live facts."""
    _refuse(moved(saved.plan.base, newest, known))


def _refuse(found: list[str]) -> None:
    if found:
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise errors.Conflict(
            f"the plan is out of date: {shown}", code="plan.stale", hint="make a new one: appctl plan APP --out FILE"
        )


def _base_moved(base: Base, fresh: Base) -> list[str]:
    if fresh.release != base.release:
        return [f"release {fresh.release} was opened, the plan knows {base.release or 'none'}"]
    before = {(cluster, identity): (uid, own) for cluster, identity, uid, own in base.objects}
    now = {(cluster, identity): (uid, own) for cluster, identity, uid, own in fresh.objects}
    found = []
    for place in sorted(before.keys() | now.keys()):
        if before.get(place) != now.get(place):
            was, state = before.get(place), now.get(place)
            how = "changed"
            if was is None:
                how = "would now be changed too"
            elif state is None:
                how = "needs no change any more"
            elif state[1] == "absent" or was[1] == "absent":
                how = "is gone" if state[1] == "absent" else "exists now"
            elif state[0] != was[0]:
                how = "was deleted and created again"
            found.append(f"{graph.show(place)} on {place[0]} {how}")
    return found


def _no_secrets(document: dict[str, Any], desired: Iterable[Desired]) -> None:
    text = canonical.text(secret.masked(document))
    values = {value for item in desired for value in redact.values(item.body) if len(value) >= redact.SHORTEST}
    if any(json.dumps(value, ensure_ascii=False)[1:-1] in text for value in values):
        raise errors.Refused(
            "write a plan file: the application holds secret values in clear, and they would be in the file",
            code="plan.secrets",
            hint="keep them in the store: appctl secret set NAME, and {$secretRef: {key: NAME}} in the application",
        )


def moved(base: Base, newest: int, known: Known) -> list[str]:
    found = []
    if newest != base.release:
        found.append(f"release {newest} was opened, the plan knows {base.release or 'none'}")
    for cluster, identity, uid, own in base.objects:
        place: Identity = (cluster, identity)
        where = f"{graph.show(place)} on {cluster}"
        if (error := known.error(place)) is not None and not (own == "absent" and isinstance(error, errors.NotServed)):
            found.append(f"{where} could not be read: {error}")
            continue
        fact = known.facts.get(place)
        if fact is None:
            if own != "absent":
                found.append(f"{where} is gone")
        elif own == "absent":
            found.append(f"{where} exists now")
        elif fact.uid != uid:
            found.append(f"{where} was deleted and created again")
        elif fact.own_digest != own:
            by = f" (by {fact.managers[-1]})" if fact.managers else ""
            found.append(f"{where} changed{by}")
    return found


def _tree(text: str | bytes, name: str) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise errors.Conflict(f"read {name}: it is larger than {LARGEST >> 20} MiB", code="plan.format")
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise errors.Conflict(
            f"read {name}: it is no plan file", code="plan.format", hint="write one with: appctl plan APP --out FILE"
        )
    return tree


def _saved(tree: dict[str, Any]) -> Saved:
    base = tree["base"]
    objects = tuple([(str(c), _identity(i), str(uid), str(own)) for c, i, uid, own in base["objects"]])
    edges = tuple(
        [Edge(_unplace(waiter), _unplace(other), str(until), bool(hard)) for waiter, other, until, hard in tree["edges"]]
    )
    made = Plan(
        AppKey(*tree["key"]),
        tuple([_change(one) for one in tree["changes"]]),
        edges,
        Base(int(base["release"]), objects),
        tuple(tree["warnings"]),
    )
    guards = tree["guards"]
    consent = Consent(**{**guards, "deletes": frozenset(guards["deletes"])})
    return Saved(
        plan=made,
        revision=tree["revision"],
        desired=tree["desired"],
        consent=consent,
        installation=tree["installation"],
        engine=tree["engine"],
        created=_moment(tree["created"]),
        expires=_moment(tree["expires"]),
        digest=tree["digest"],
        document=tree["application"],
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    return moment


def _consent_tree(consent: Consent) -> dict[str, Any]:
    tree = {name: getattr(consent, name) for name in Consent.__annotations__}
    return {**tree, "deletes": sorted(consent.deletes)}


def _change_tree(change: Change) -> dict[str, Any]:
    ref = change.subject.ref
    return {
        "cluster": change.subject.cluster,
        "component": change.subject.component,
        "object": [ref.group, ref.version, ref.kind, ref.namespace, ref.name],
        "action": change.action,
        "why": [change.why.code, change.why.text, change.why.detail],
        "before": change.before,
        "after": change.after,
    }


def _change(tree: dict[str, Any]) -> Change:
    subject = Subject(tree["cluster"], Ref(*tree["object"]), tree["component"])
    return Change(subject, tree["action"], Why(*tree["why"]), tree["before"], tree["after"])


def _place(identity: Identity) -> list[Any]:
    return [identity[0], list(identity[1])]


def _unplace(tree: list[Any]) -> Identity:
    return str(tree[0]), _identity(tree[1])


def _identity(tree: list[Any]) -> tuple[str, str, str, str]:
    group, kind, namespace, name = tree
    return str(group), str(kind), str(namespace), str(name)
