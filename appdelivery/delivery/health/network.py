"""Service, Ingress, Gateway and routes."""

from __future__ import annotations

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health


def service(facts: Facts) -> Health:
    if facts.spec.get("type") != "LoadBalancer":
        return Health("healthy", "Present")
    return _address(facts, "the load balancer has no address yet")


def ingress(facts: Facts) -> Health:
    return _address(facts, "no address yet")


def _address(facts: Facts, waiting: str) -> Health:
    found = (facts.status.get("loadBalancer") or {}).get("ingress") or ()
    names = [str(entry.get("hostname") or entry.get("ip") or "") for entry in found]
    if any(names):
        return Health("healthy", "Address", ", ".join(n for n in names if n))
    return Health("progressing", "NoAddress", waiting)


def gateway(facts: Facts) -> Health:
    return _all(facts, ("Accepted", "Programmed"), "Gateway")


def route(facts: Facts) -> Health:
    """For every parent Accepted and ResolvedRefs at the observed generation."""
    parents = facts.status.get("parents") or ()
    if not parents:
        return Health("progressing", "NoParent", "no gateway has accepted this route yet")
    generation = int(facts.metadata.get("generation") or 0)
    for parent in parents:
        name = (parent.get("parentRef") or {}).get("name", "")
        view = Facts({"metadata": facts.metadata, "status": {"conditions": parent.get("conditions")}}, facts.now)
        for type_ in ("Accepted", "ResolvedRefs"):
            condition = view.condition(type_)
            if not condition or int(condition.get("observedGeneration") or generation) < generation:
                return Health("progressing", "NotObserved", f"gateway {name} has not looked at this generation yet")
            if not view.is_true(type_):
                return Health("degraded", reason(condition, f"Not{type_}"), f"gateway {name}: {said(condition)}")
    return Health("healthy", "Accepted", f"accepted by {len(parents)} parent{'s' if len(parents) > 1 else ''}")


def _all(facts: Facts, types: tuple[str, ...], what: str) -> Health:
    generation = int(facts.metadata.get("generation") or 0)
    for type_ in types:
        condition = facts.condition(type_)
        if not condition or int(condition.get("observedGeneration") or generation) < generation:
            return conditions.NOT_OBSERVED
        if facts.is_false(type_) and condition.get("reason") != "Pending":
            return Health(
                "degraded", reason(condition, f"Not{type_}"), said(condition, f"the {what} is not {type_.lower()}")
            )
        if not facts.is_true(type_):
            return Health("progressing", reason(condition, type_), said(condition))
    return Health("healthy", types[-1], said(facts.condition(types[-1])))
