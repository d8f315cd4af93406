"""LimitRanges of a namespace: what they add to a pod that states no resources, and what they refuse.

`admission` asks for the defaults, `writing` for the refusals, after an object's own fields have been validated.
"""

from __future__ import annotations

from fractions import Fraction

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import quantities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body

    Amounts = Mapping[str, str]  # resource to quantity

PODS, CLAIMS, RANGES = ("", "pods"), ("", "persistentvolumeclaims"), ("", "limitranges")
NOTE = "kubernetes.io/limit-ranger"
FINEST = (2**63 - 1) // 1000  # above it, whole numbers are compared
OF_PODS = ("cpu", "memory")  # what a pod may state for all its containers together


# --- defaults ---


def fill(cluster: Cluster, pod: Body) -> None:
    """Requests and limits that the namespace sets for containers without, and the annotation that says so."""
    for limits in _ranges(cluster, pod["metadata"].get("namespace", "")):
        requests: dict[str, str] = {}
        most: dict[str, str] = {}
        for one in limits:
            if one.get("type") == "Container":
                requests |= one.get("defaultRequest") or {}
                most |= one.get("default") or {}
        said = []
        for part, noun in (("containers", "container"), ("initContainers", "init container")):
            for container in pod["spec"].get(part) or ():
                said += _filled(container, "requests", requests, f"request for {noun}")
                said += _filled(container, "limits", most, f"limit for {noun}")
        if said:
            notes = pod["metadata"].get("annotations") or {}
            pod["metadata"]["annotations"] = {**notes, NOTE: f"LimitRanger plugin set: {'; '.join(said)}"}


def _ranges(cluster: Cluster, namespace: str) -> list[list[Body]]:
    """The limits of each LimitRange."""
    return [item.body["spec"].get("limits") or [] for item in cluster.storage.family(RANGES).items(namespace)]


def _filled(container: Body, part: str, defaults: Amounts, what: str) -> list[str]:
    resources = container["resources"]
    stated = resources.get(part) or {}
    added = sorted(defaults.keys() - stated.keys())
    if not added:
        return []
    resources[part] = {**stated, **{name: defaults[name] for name in added}}
    return [f"{', '.join(added)} {what} {container['name']}"]


# --- refusals ---


def check(cluster: Cluster, kind: Kind, body: Body) -> None:
    """Raises what the first LimitRange has against a pod or a claim."""
    if kind.family not in (PODS, CLAIMS) or body["metadata"].get("deletionTimestamp"):
        return
    for limits in _ranges(cluster, body["metadata"]["namespace"]):
        found = list(dict.fromkeys(_claim(limits, body) if kind.family == CLAIMS else _pod(limits, body)))
        if found:
            name = body["metadata"]["name"]
            said = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
            message = f'{kind.qualified} "{name}" is forbidden: {said}'
            raise status.Refusal(403, "Forbidden", message, details=kind.details(name))


def _claim(limits: list[Body], claim: Body) -> Iterator[str]:
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    for one in limits:
        if one.get("type") == "PersistentVolumeClaim":
            for name, least in (one.get("min") or {}).items():
                yield from _least(f"{name} usage per PersistentVolumeClaim is {least}", name, least, requests, {})
            for name, most in (one.get("max") or {}).items():
                about = f"maximum {name} usage per PersistentVolumeClaim is {most}"
                if name not in requests:
                    yield f"{about}.  No request is specified"
                elif _above(requests[name], most):
                    yield f"{about}, but request is {requests[name]}"


def _pod(limits: list[Body], pod: Body) -> Iterator[str]:
    spec = pod["spec"]
    for one in limits:
        if one.get("type") == "Container":
            for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
                resources = container["resources"]
                yield from _constraints(one, resources.get("requests") or {}, resources.get("limits") or {})
        elif one.get("type") == "Pod":
            yield from _constraints(one, together(spec, "requests"), together(spec, "limits"))


def _constraints(limit: Body, requests: Amounts, limits: Amounts) -> Iterator[str]:
    of = limit["type"]
    for name, least in (limit.get("min") or {}).items():
        yield from _least(f"{name} usage per {of} is {least}", name, least, requests, limits)
    for name, most in (limit.get("max") or {}).items():
        yield from _most(f"maximum {name} usage per {of} is {most}", name, most, requests, limits)
    for name, ratio in (limit.get("maxLimitRequestRatio") or {}).items():
        yield from _ratio(f"{name} max limit to request ratio per {of} is {ratio}", name, ratio, requests, limits)


def _least(about: str, name: str, least: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    if name not in requests:
        yield f"minimum {about}.  No request is specified"
    elif _above(least, requests[name]):
        yield f"minimum {about}, but request is {requests[name]}"
    elif name in limits and _above(least, limits[name]):
        yield f"minimum {about}, but limit is {limits[name]}"


def _most(about: str, name: str, most: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    if name not in limits:
        yield f"{about}.  No limit is specified"
    elif _above(limits[name], most):
        yield f"{about}, but limit is {limits[name]}"
    elif name in requests and _above(requests[name], most):
        yield f"{about}, but request is {requests[name]}"


def _ratio(about: str, name: str, ratio: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    given = {}
    for part, stated in (("request", requests), ("limit", limits)):
        given[part] = _amount(stated.get(name, "0"))
        if not given[part]:
            yield f"{about}, but no {part} is specified or {part} is 0"
            return
    found = given["limit"] / given["request"]
    if found > _amount(ratio):
        yield f"{about}, but provided ratio is {float(found):f}"


def _amount(text: str) -> Fraction:
    return quantities.amount(text) or Fraction(0)


def _above(one: str, other: str) -> bool:
    """As precisely as the server compares."""
    left, right = _amount(one), _amount(other)
    finer = 1000 if left <= FINEST and right <= FINEST else 1
    return -(-left * finer // 1) > -(-right * finer // 1)


# --- a pod as a whole ---


def together(spec: Body, part: str) -> dict[str, str]:
    """part: requests or limits.  Containers and sidecars together, or the largest of the steps that start before them."""
    total: dict[str, str] = {}
    for container in spec.get("containers") or ():
        _add(total, container["resources"].get(part) or {})
    sidecars: dict[str, str] = {}
    largest: dict[str, str] = {}
    for container in spec.get("initContainers") or ():
        stated = container["resources"].get(part) or {}
        if container.get("restartPolicy") == "Always":
            _add(total, stated)
            _add(sidecars, stated)
            step = dict(sidecars)
        else:
            step = dict(stated)
            _add(step, sidecars)
        _raise(largest, step)
    _raise(total, largest)
    whole = (spec.get("resources") or {}).get(part) or {}
    return {**total, **{name: whole[name] for name in OF_PODS if name in whole}}


def _add(total: dict[str, str], more: Amounts) -> None:
    for name, text in more.items():
        if name in total:
            alike = total[name] if _amount(total[name]) else text
            total[name] = quantities.spelled(_amount(total[name]) + _amount(text), alike)
        else:
            total[name] = text


def _raise(total: dict[str, str], other: Amounts) -> None:
    for name, text in other.items():
        if name not in total or _amount(text) > _amount(total[name]):
            total[name] = text
