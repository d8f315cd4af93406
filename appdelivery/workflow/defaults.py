"""The workflow of an application: the one its author wrote or referred to, else the generated one (oam.md section 5).

Called by platform when a release is opened or planned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.model import suggest
from appdelivery.model.application import Step, Workflow
from appdelivery.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from appdelivery.model.application import Application, Component

PLACING = ("topology", "placement")  # one deploy step for each
SHAPING = ("override", "replication", "replicas", "rollout")  # listed by every deploy step
ENVIRONMENTS = ("env-binding", "envbinding")
REFERRED = "ref-objects"
MODE = ("DAG", "DAG")
PATH = ("spec", "workflow")


def of(app: Application, stored: Mapping[str, Workflow], *, waits: Mapping[str, Iterable[str]] | None = None) -> Workflow:
    """stored: Workflow documents of the namespace by name.  waits: component to those it waits for, when more than
    dependsOn and inputs is known."""
    written = app.workflow
    if written is None:
        return generated(app, waits=waits)
    if not written.ref:
        return written if written.steps else generated(app, waits=waits)
    if written.ref not in stored:
        message = (
            f"there is no Workflow '{written.ref}' in namespace {app.key.namespace}{suggest.meant(written.ref, stored)}"
        )
        found = Problem(message, "application.reference", (*PATH, "ref"), app.file, app.index, hint=suggest.listed(stored))
        raise errors.SpecError([found])
    return stored[written.ref]


def generated(app: Application, *, waits: Mapping[str, Iterable[str]] | None = None) -> Workflow:
    return Workflow(tuple(_deploys(app) or _environments(app) or _components(app, waits)), mode=MODE)


def _deploys(app: Application) -> list[Step]:
    """A deploy step for each policy that places; or one, when something shapes what is delivered."""
    shaping = [policy.name for policy in app.policies if _kind(policy.type) in SHAPING]
    placing = [policy.name for policy in app.policies if _kind(policy.type) in PLACING]
    if placing:
        return [_step(f"deploy-{name}", "deploy", {"policies": [*shaping, name]}) for name in placing]
    if shaping or any(_kind(component.type) == REFERRED for component in app.components):
        return [_step("deploy", "deploy", {"policies": shaping})]
    return []


def _environments(app: Application) -> list[Step]:
    return [
        _step(f"deploy-{policy.name}-{env['name']}", "deploy2env", {"policy": policy.name, "env": env["name"]})
        for policy in app.policies
        if _kind(policy.type) in ENVIRONMENTS
        for env in policy.properties.get("envs") or ()
    ]


def _components(app: Application, waits: Mapping[str, Iterable[str]] | None) -> list[Step]:
    order = waits if waits is not None else _waits(app.components)
    return [
        _step(one.name, "apply-component", {"component": one.name}, tuple(dict.fromkeys(order.get(one.name, ()))))
        for one in app.components
    ]


def _waits(components: Iterable[Component]) -> dict[str, list[str]]:
    """What a component waits for: dependsOn, and the writers of its inputs."""
    known = list(components)
    writers = {output.name: one.name for one in known for output in one.outputs}
    return {
        one.name: [*one.depends_on, *[writers[item.source] for item in one.inputs if item.source in writers]]
        for one in known
    }


def _step(name: str, type: str, properties: dict[str, Any], depends_on: tuple[str, ...] = ()) -> Step:
    return Step(name, type, properties, PATH, depends_on=depends_on)


def _kind(type: str) -> str:
    return type.partition("@")[0]
