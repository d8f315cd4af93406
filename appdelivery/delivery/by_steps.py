"""Objects that steps of a workflow apply beside what the application renders: how they are told from others, and which
of them a release may delete.  Pure; called by platform (making and planning) and by session.

Nobody knows before a run what its steps will apply.  So no plan deletes such an object while a step of its name is still
there to apply it again; what the steps of a run have not applied again is deleted at the end of that run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import desired
from appdelivery.language import secrets
from appdelivery.model.manifest import Manifest, Origin, Rendered, RenderedComponent
from appdelivery.model.problem import Problem
from appdelivery.model.refs import ref_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.policies import Policies
    from appdelivery.delivery.ports import Identity, Installation
    from appdelivery.delivery.work import Run
    from appdelivery.model.history import Managed
    from appdelivery.model.live import ClusterFacts
    from appdelivery.model.refs import AppKey

LONGEST = 63  # characters of a label
_ORIGIN = str(Origin("", by_step=True))


def short(step: str) -> str:
    """What stands in the component's place: of GROUP/CHILD and NAME[3] the step's own name."""
    name = re.sub(r"\[\d+\]", "", step).rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:LONGEST].strip("-._")


def is_of_step(row: Managed) -> bool:
    return row.origin.startswith(_ORIGIN)


def undecided(rows: Iterable[Managed], steps: Collection[str] | None) -> frozenset[Identity]:
    """Identities of what steps have applied and may apply again.  steps: of the workflow; None = nobody knows them."""
    names = None if steps is None else {short(step) for step in steps}
    return frozenset([row.identity for row in rows if is_of_step(row) and (names is None or row.component in names)])


def beside(run: Run) -> frozenset[Identity]:
    """What steps have applied, in this release or before, that nobody has decided on yet."""
    if run.work.release.request == "delete":
        return frozenset()
    return undecided(run.rows.values(), None) - {item.identity for item in run.work.desired}


def wanted(
    app: AppKey,
    step: str,
    bodies: Sequence[dict[str, Any]],
    *,
    facts: ClusterFacts,
    installation: Installation,
    given: Policies,
) -> tuple[Desired, ...]:
    """Objects of a step as they are to stand in one cluster, one for one.  SpecError with what is wrong with them."""
    name = short(step)
    for body in bodies:
        if isinstance(body, dict) and str(body.get("kind", "")).endswith("List") and "items" in body:
            problem = Problem(f"step {step}: {body['kind']} is a list", code="step.list", hint="give its items one by one")
            raise errors.SpecError([problem])
    origin = Origin(name, by_step=True)
    bodies = [_referring(app, step, body) for body in bodies]
    manifests = tuple([Manifest(_ref(step, body), body, origin) for body in bodies])
    component = RenderedComponent(name, "", manifests, (), "", "")
    return desired.desired(Rendered(app, "", (component,), ()), facts, installation, given)


def _referring(app: AppKey, step: str, body: dict[str, Any]) -> dict[str, Any]:
    """A Secret may refer to stored values, {$secretRef: {store, key}}, as steps that make some hand them on."""
    if not isinstance(body, dict) or body.get("kind") != "Secret" or body.get("apiVersion") != "v1":
        return body
    made: dict[str, Any] = {}
    for field in ("data", "stringData"):
        for key, value in (body.get(field) or {}).items():
            if not isinstance(value, dict):
                continue
            try:
                found = secrets.made(secrets.read(value), f"step/{short(step)}/{key}", str(app))
            except ValueError as error:
                problem = Problem(f"step {step}: {field}.{key} of a Secret: {error}", code="step.secret")
                raise errors.SpecError([problem]) from None
            made.setdefault(field, dict(body[field]))[key] = found.as_base64()
    return {**body, **made}


def _ref(step: str, body: Any) -> Any:
    try:
        return ref_of(body)
    except (KeyError, TypeError, AttributeError):
        text = f"step {step}: this is no Kubernetes object: apiVersion, kind or metadata.name is missing"
        raise errors.SpecError([Problem(text, code="step.object")]) from None
