"""The deprecated policy `env-binding`: each of its envs as one topology and one override (oam.md 4.2).

Called by steps of type deploy2env, which deliver one env, and by `import`, which rewrites documents.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import suggest
from appdelivery.model.application import Policy
from appdelivery.model.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def envs(policy: Policy) -> tuple[str, ...]:
    return tuple([env["name"] for env in policy.properties["envs"]])


def of(policy: Policy, env: str) -> tuple[Policy, Policy]:
    """The topology and the override of one env, named after both, at the places where the env writes them."""
    index = next((index for index, name in enumerate(envs(policy)) if name == env), None)
    if index is None:
        message = f"policy '{policy.name}' has no env '{env}'{suggest.meant(env, envs(policy))}"
        hint = suggest.listed(envs(policy))
        raise SpecError([Problem(message, code="application.reference", path=policy.path, hint=hint)])
    given = policy.properties["envs"][index]
    path = (*policy.path, "properties", "envs", index)
    name = f"{policy.name}-{env}"
    where = Policy(name, "topology", _placement(given.get("placement") or {}), (*path, "placement"))
    return where, Policy(f"{name}-override", "override", _patch(given), (*path, "patch"))


def _placement(given: dict[str, Any]) -> dict[str, Any]:
    """No cluster named: the default one, as with a topology."""
    cluster, namespace = given.get("clusterSelector") or {}, given.get("namespaceSelector") or {}
    found: dict[str, Any] = {}
    if cluster.get("name"):
        found["clusters"] = [cluster["name"]]
    elif cluster.get("labels"):
        found["clusterLabelSelector"] = cluster["labels"]
    if namespace.get("name"):
        found["namespace"] = namespace["name"]
    return found


def _patch(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"components": (given.get("patch") or {}).get("components") or []}
    selector = given.get("selector") or {}
    return {**found, "selector": selector["components"]} if "components" in selector else found
