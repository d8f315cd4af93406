"""A plan as a file: written by `plan --out`, reviewed by people, carried out exactly or refused (delivery.md section 4).

The digest covers everything else in the file, and approvals bind to it.  Values of secrets are never in it: manifests that
hold any are named by their digest and stay encrypted in the store.  Pure; called by platform and, to show one, by cli.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import graph
from appdelivery.delivery.plan import Consent
from appdelivery.model import canonical, duration, secret
from appdelivery.model.change import Base, Change, Edge, Plan, Subject, Why
from appdelivery.model.refs import AppKey, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.ports import Identity

FORMAT = "appdelivery.dev/plan/v1"
VALID_S = 86400.0
LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
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
    application: Mapping[str, Any]  # what platform needs to deliver it: the document, with secrets by reference


@dataclass(frozen=True, slots=True)
class Writing:
    """What a plan file says beside the plan."""

    revision: str
    installation: str
    engine: str
    created: datetime
    application: Mapping[str, Any]
    consent: Consent
    valid_s: float = VALID_S


def write(made: Plan, desired: Iterable[Desired], how: Writing) -> str:
    tree = {
        "format": FORMAT,
        "key": [made.app.namespace, made.app.name],
        "application": how.application,
        "revision": how.revision,
        "desired": {item.digest: None if secret.inside(item.body) else item.body for item in desired},
        "changes": [_change_tree(change) for change in made.changes],
        "edges": [[_place(e.waiter), _place(e.other), e.until, e.hard] for e in made.edges],
        "warnings": list(made.warnings),
        "guards": _consent_tree(how.consent),
        "base": {
            "release": made.base.release,
            "objects": [[cluster, list(identity), uid, own] for cluster, identity, uid, own in made.base.objects],
        },
        "installation": how.installation,
        "engine": how.engine,
        "created": how.created.isoformat(),
        "expires": (how.created + timedelta(seconds=how.valid_s)).isoformat(),
    }
    if secret.inside(tree):
        raise errors.Bug("a secret value would have entered a plan file")
    return json.dumps({**tree, "digest": canonical.digest(tree)}, indent=1, ensure_ascii=False) + "\n"


def read(text: str, name: str = "the plan file") -> Saved:
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


def check(saved: Saved, *, now: datetime, installation: str, name: str = "the plan file") -> None:
    """Conflict for a plan that is too old or was made for another installation."""
    if saved.installation != installation:
        raise errors.Conflict(
            f"carry out {name}: it was made for another installation ({saved.installation[:8]}, this is {installation[:8]})",
            code="plan.installation",
            hint="make the plan with the store that is to carry it out",
        )
    if now >= saved.expires:
        age = duration.show((now - saved.created).total_seconds())
        raise errors.Conflict(
            f"carry out {name}: it is {age} old and has expired", code="plan.expired", hint="make a new plan"
        )


def verify(saved: Saved, newest: int, known: Known, name: str = "the plan file") -> None:
    """Conflict that names what moved since the plan was made.  There is no "close enough"."""
    if found := moved(saved.plan.base, newest, known):
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise errors.Conflict(
            f"the plan is out of date: {shown}", code="plan.stale", hint=f"make a new one: appctl plan APP --out {name}"
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


def _tree(text: str, name: str) -> dict[str, Any]:
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
        application=tree["application"],
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    return moment


def _consent_tree(consent: Consent) -> dict[str, Any]:
    tree = {name: getattr(consent, name) for name in consent.__slots__}
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
