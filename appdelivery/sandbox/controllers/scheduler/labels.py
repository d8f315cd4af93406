"""Node selector terms and tolerations: whether a node is one that a pod asks for, and whether it bears its taints.  Pure."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from appdelivery.sandbox.storage import Body

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def wanted(pod: Body, node: Body) -> bool:
    """nodeSelector and required node affinity."""
    spec = pod["spec"]
    labels = objects.labels(node)
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    required = node_affinity(pod).get(REQUIRED)
    return required is None or any(term(one, node) for one in required.get("nodeSelectorTerms") or ())


def node_affinity(pod: Body) -> Mapping[str, Any]:
    return (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}


def named_nodes(pod: Body) -> frozenset[str] | None:
    """The nodes that every term names, as a DaemonSet's pods do; None: any."""
    terms = (node_affinity(pod).get(REQUIRED) or {}).get("nodeSelectorTerms") or ()
    names: set[str] = set()
    for one in terms:
        named = [set(field["values"]) for field in one.get("matchFields") or () if field["operator"] == "In"]
        if not named:
            return None
        names |= set.intersection(*named)
    return frozenset(names) if terms else None


def term(one: Mapping[str, Any], node: Body) -> bool:
    """An empty term matches nothing."""
    expressions, fields = one.get("matchExpressions") or (), one.get("matchFields") or ()
    if not expressions and not fields:
        return False
    about = {"metadata.name": node["metadata"]["name"]}
    return all(_requirement(each, objects.labels(node)) for each in expressions) and all(
        _requirement(each, about) for each in fields
    )


def _requirement(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = one["key"], one["operator"], list(one.get("values") or ())
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator in ("Gt", "Lt"):
        return _compares(labels.get(key, ""), values[0], greater=operator == "Gt")
    return (key in labels) is (operator == "Exists")


def _compares(text: str, bound: str, *, greater: bool) -> bool:
    if not text.lstrip("-").isdecimal() or not bound.lstrip("-").isdecimal():
        return False
    return int(text) > int(bound) if greater else int(text) < int(bound)


def untolerated(pod: Body, taints: Iterable[Mapping[str, Any]], effects: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The first taint of these effects that the pod does not bear."""
    tolerations = pod["spec"].get("tolerations") or ()
    for taint in taints:
        if taint["effect"] in effects and not any(tolerates(one, taint) for one in tolerations):
            return taint
    return None


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    key = toleration.get("key", "")
    if key and key != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(key) and toleration.get("value", "") == (taint.get("value") or "")
