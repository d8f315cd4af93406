"""What objects take of a quota, and the admission that refuses what would go beyond one.

`writes` asks `admit` before it stores a new object, as the admission plugin of a real server does: there the status is
charged at once, and the controller in `quotas` only corrects it afterwards.
"""

from __future__ import annotations

from appdelivery.model import quantity
from appdelivery.sandbox import status as statuses
from appdelivery.sandbox import storage
from appdelivery.sandbox.controllers import objects
from appdelivery.sandbox.controllers.scheduler import amounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Family, Kind
    from appdelivery.sandbox.storage import Body

    Usage = dict[str, int]

# Kinds that have a name of their own in quotas, beside count/PLURAL.GROUP, which every kind has.
COUNTED: dict[Family, str] = {
    ("", "pods"): "pods",
    ("", "services"): "services",
    ("", "configmaps"): "configmaps",
    ("", "secrets"): "secrets",
    ("", "persistentvolumeclaims"): "persistentvolumeclaims",
    ("", "replicationcontrollers"): "replicationcontrollers",
    ("", "resourcequotas"): "resourcequotas",
}
PLAIN = ("cpu", "memory", "ephemeral-storage")


def admit(cluster: Cluster, kind: Kind, body: Body, *, dry_run: bool = False) -> None:
    """Refusal 403 when a quota would be exceeded; else the quotas' used amounts grow.  For a new, complete body."""
    held = cluster.storage.family(objects.QUOTAS)
    quotas = held.items(body["metadata"].get("namespace", "")) if kind.namespaced and len(held) else []
    charged = []
    for item in quotas:
        quota = item.body
        hard = (quota.get("status") or {}).get("hard") or {}
        wanted = relevant(usage(kind.family, body), quota, hard)
        if not wanted or not in_scope(quota, kind.family, body):
            continue
        _refuse_unstated(kind, quota, hard, body)
        used = whole((quota["status"].get("used")) or {})
        _refuse_beyond(kind, quota, body, wanted, used)
        charged.append((quota, hard, {name: used.get(name, 0) + value for name, value in wanted.items()}))
    if dry_run:
        return
    for quota, hard, used in charged:
        told = {**quota["status"].get("used", {}), **shown(used, hard)}
        new = {**quota, "metadata": dict(quota["metadata"]), "status": {**quota["status"], "used": told}}
        cluster.storage.commit(storage.MODIFIED, objects.QUOTAS, new)


def _refuse_beyond(kind: Kind, quota: Body, body: Body, wanted: Usage, used: Usage) -> None:
    hard = whole(quota["status"]["hard"])
    beyond = sorted(name for name, value in wanted.items() if value and used.get(name, 0) + value > hard[name])
    if not beyond:
        return
    told = [",".join(f"{name}={_text(name, values.get(name, 0))}" for name in beyond) for values in (wanted, used, hard)]
    why = f"exceeded quota: {quota['metadata']['name']}, requested: {told[0]}, used: {told[1]}, limited: {told[2]}"
    raise _forbidden(kind, body, why)


def _refuse_unstated(kind: Kind, quota: Body, hard: dict[str, Any], body: Body) -> None:
    """A quota on compute resources wants every pod to state them."""
    if kind.family != objects.PODS:
        return
    missing: dict[str, None] = {}
    for container in [*body["spec"]["containers"], *(body["spec"].get("initContainers") or ())]:
        resources = container.get("resources") or {}
        for name in hard:
            section, key = _compute(name)
            if section and key in PLAIN and key not in (resources.get(section) or {}):
                missing[name] = None
    if missing:
        named = [container["name"] for container in body["spec"]["containers"]]
        text = "; ".join(f"{name} for: {','.join(named)}" for name in sorted(missing))
        raise _forbidden(kind, body, f"failed quota: {quota['metadata']['name']}: must specify {text}")


def _forbidden(kind: Kind, body: Body, why: str) -> statuses.Refusal:
    name = body["metadata"].get("name", "")
    return statuses.Refusal(403, "Forbidden", f'{kind.qualified} "{name}" is forbidden: {why}', details=kind.details(name))


def concerns(family: Family, name: str) -> bool:
    if name.startswith("count/"):
        return name == _count_name(family)
    if family == objects.CLAIMS:
        return name.endswith("storage") or name == "persistentvolumeclaims"
    if family == objects.SERVICES:
        return name.startswith("services")
    if family == objects.PODS:
        return bool(_compute(name)[0]) or name == "pods"
    return COUNTED.get(family) == name


def _count_name(family: Family) -> str:
    group, plural = family
    return f"count/{plural}.{group}" if group else f"count/{plural}"


def usage(family: Family, body: Body) -> Usage:
    """What one object takes of everything that quotas know."""
    found: Usage = {_count_name(family): 1}
    if family in COUNTED:
        found[COUNTED[family]] = 1
    if family == objects.PODS:
        requests = amounts.requested(body)
        for name, value in requests.items():
            found[f"requests.{name}"] = value
            if name in PLAIN:
                found[name] = value
        for container in body["spec"]["containers"]:
            limits = (container.get("resources") or {}).get("limits")
            amounts.add(found, {f"limits.{name}": value for name, value in amounts.of(limits).items()})
    elif family == objects.CLAIMS:
        size = amounts.of(((body["spec"].get("resources") or {}).get("requests")) or {}).get("storage", 0)
        found["requests.storage"] = size
        if name := body["spec"].get("storageClassName"):
            found[f"{name}.storageclass.storage.k8s.io/requests.storage"] = size
            found[f"{name}.storageclass.storage.k8s.io/persistentvolumeclaims"] = 1
    elif family == objects.SERVICES:
        kind = body["spec"].get("type")
        found["services.loadbalancers"] = int(kind == "LoadBalancer")
        found["services.nodeports"] = len(body["spec"].get("ports") or ()) if kind in ("NodePort", "LoadBalancer") else 0
    return found


def relevant(taken: Usage, quota: Body, hard: dict[str, Any]) -> Usage:
    limited = quota["spec"].get("hard") or {}
    return {name: value for name, value in taken.items() if name in hard and name in limited}


def in_scope(quota: Body, family: Family, body: Body) -> bool:
    """Scopes speak of pods."""
    scopes = list(quota["spec"].get("scopes") or ())
    selector = (quota["spec"].get("scopeSelector") or {}).get("matchExpressions") or ()
    if not scopes and not selector:
        return True
    if family != objects.PODS:
        return False
    asked = [{"scopeName": scope, "operator": "Exists"} for scope in scopes] + list(selector)
    return all(_matches_scope(one, body) for one in asked)


def _matches_scope(one: dict[str, Any], pod: Body) -> bool:
    name, spec = one["scopeName"], pod["spec"]
    best_effort = not amounts.requested(pod)
    if name == "PriorityClass":
        value = spec.get("priorityClassName", "")
        inside = value in (one.get("values") or ())
        return {"In": inside, "NotIn": not inside, "Exists": bool(value), "DoesNotExist": not value}[one["operator"]]
    return {
        "Terminating": spec.get("activeDeadlineSeconds") is not None,
        "NotTerminating": spec.get("activeDeadlineSeconds") is None,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
    }.get(name, False)


def _compute(name: str) -> tuple[str, str]:
    """(section of a container's resources, name there); ('', '') for what is no compute resource."""
    for section in ("requests", "limits"):
        if name.startswith(f"{section}.") and name != "requests.storage":
            return section, name[len(section) + 1 :]
    return ("requests", name) if name in PLAIN else ("", "")


def _key(name: str) -> str:
    """Whether it counts thousandths."""
    return "cpu" if name in ("cpu", "requests.cpu", "limits.cpu") else name


def whole(given: dict[str, Any]) -> Usage:
    return {name: amounts.whole(_key(name), value) for name, value in given.items()}


def shown(used: Usage, hard: dict[str, Any]) -> dict[str, str]:
    return {name: _text(name, used.get(name, 0)) for name in hard if name in used}


def _text(name: str, value: int) -> str:
    if _key(name) == "cpu":
        return quantity.cpu(value / 1000)
    return quantity.memory(value) if "memory" in name or "storage" in name else str(value)
