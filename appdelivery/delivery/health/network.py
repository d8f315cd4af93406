"""Service, Ingress, Gateway and routes."""

from __future__ import annotations

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health

UNDER_WAY = ("Pending", "ProgrammingInProgress", "AddressNotAssigned")  # reasons of what is only not done yet


def service(facts: Facts) -> Health:
    if facts.spec.get("type") != "LoadBalancer":
        return Health("healthy", "Present")
    return _address(facts, "the load balancer has no address yet")


def ingress(facts: Facts) -> Health:
    return _address(facts, "no address yet")


def _address(facts: Facts, waiting: str) -> Health:
    found = (facts.status.get("loadBalancer") or {}).get("ingress") or ()
    if found:
        names = [str(entry.get("hostname") or entry.get("ip") or "") for entry in found]
        return Health("healthy", "Address", ", ".join(filter(None, names)) or "has an address")
    return Health("progressing", "NoAddress", waiting)


def gateway(facts: Facts) -> Health:
    """Itself and each of its listeners: accepted, references resolved, programmed."""
    for type_ in ("Accepted", "Programmed"):
        if not facts.condition(type_) or facts.stale(facts.condition(type_)):
            return conditions.NOT_OBSERVED
    found = _refused(facts, "")
    for listener in facts.status.get("listeners") or ():
        view = Facts({"metadata": facts.metadata, "status": listener}, facts.now)
        found += _refused(view, f"listener {listener.get('name', '')}: ")
    if found:
        return min(found, key=lambda one: one.state != "degraded")
    if not facts.is_true("Programmed") or not facts.is_true("Accepted"):
        return Health("progressing", "NotProgrammed", said(facts.condition("Programmed"), "is not programmed yet"))
    return Health("healthy", "Programmed", said(facts.condition("Programmed")))


def route(facts: Facts) -> Health:
    """For every parent Accepted and ResolvedRefs at the observed generation."""
    parents = facts.status.get("parents") or ()
    if not parents:
        return Health("progressing", "NoParent", "no gateway has accepted this route yet")
    for parent in parents:
        name = (parent.get("parentRef") or {}).get("name", "")
        view = Facts({"metadata": facts.metadata, "status": {"conditions": parent.get("conditions")}}, facts.now)
        for type_ in ("Accepted", "ResolvedRefs"):
            if not view.condition(type_) or view.stale(view.condition(type_)):
                return Health("progressing", "NotObserved", f"gateway {name} has not looked at this generation yet")
        found = _refused(view, f"gateway {name}: ")
        if found:
            return min(found, key=lambda one: one.state != "degraded")
    return Health("healthy", "Accepted", f"accepted by {len(parents)} parent{'s' if len(parents) > 1 else ''}")


def _refused(facts: Facts, whose: str) -> list[Health]:
    """What is False: refused, or not done yet."""
    found = []
    for type_ in ("Accepted", "ResolvedRefs", "Programmed"):
        condition = facts.condition(type_)
        if facts.is_false(type_):
            state = "progressing" if condition.get("reason") in UNDER_WAY else "degraded"
            found.append(Health(state, reason(condition, f"Not{type_}"), f"{whose}{said(condition, f'not {type_}')}"))
    return found
