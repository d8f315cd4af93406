"""CustomResourceDefinition, APIService, Namespace."""

from __future__ import annotations

from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health

PATIENCE_S = 120.0


def definition(facts: Facts) -> Health:
    names = facts.condition("NamesAccepted")
    if facts.is_false("NamesAccepted"):
        return Health("degraded", reason(names, "NamesNotAccepted"), said(names))
    schema = facts.condition("NonStructuralSchema")
    if facts.is_true("NonStructuralSchema"):
        return Health("degraded", reason(schema, "NonStructuralSchema"), said(schema))
    if facts.is_true("Terminating"):
        return Health("progressing", "Terminating", said(facts.condition("Terminating"), "is being deleted"))
    if facts.is_true("Established") and facts.is_true("NamesAccepted"):
        return Health("healthy", "Established", "the kind is served")
    return Health("progressing", "NotEstablished", said(facts.condition("Established"), "the kind is not served yet"))


def api_service(facts: Facts) -> Health:
    available = facts.condition("Available")
    if facts.is_true("Available"):
        return Health("healthy", "Available", said(available))
    if facts.is_false("Available") and facts.since("Available") > PATIENCE_S:
        return Health("degraded", reason(available, "NotAvailable"), said(available))
    return Health("progressing", reason(available, "NotAvailable"), said(available, "not available yet"))


def namespace(facts: Facts) -> Health:
    if facts.status.get("phase") != "Terminating":
        return Health("healthy", "Active")
    for type_, condition in facts.conditions.items():
        if "Failure" in type_ and facts.is_true(type_) and facts.since(type_) > PATIENCE_S:
            return Health("degraded", reason(condition, type_), said(condition))
    return Health("progressing", "Terminating", "is being deleted")
