"""Quantities as whole numbers: CPU in thousandths, everything else in units; what pods ask for and nodes have."""

from __future__ import annotations

import functools
import math

from appdelivery.model import quantity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.sandbox.storage import Body

    Amounts = dict[str, int]

DEFAULT_CPU = 100  # thousandths that a container without a request counts for when nodes are compared
DEFAULT_MEMORY = 200 * 1024 * 1024


@functools.lru_cache(maxsize=4096)
def whole(name: str, given: str | float) -> int:
    return math.ceil(quantity.parse(given) * (1000 if name == "cpu" else 1))


def of(given: Mapping[str, Any] | None) -> Amounts:
    return {name: whole(name, value) for name, value in (given or {}).items()}


def add(into: Amounts, more: Mapping[str, int], sign: int = 1) -> None:
    for name, value in more.items():
        into[name] = into.get(name, 0) + sign * value


def requested(pod: Body) -> Amounts:
    """The larger of what runs together and what its init containers need in turn, with sidecars and overhead."""
    return _total(pod, defaults=False)


def compared(pod: Body) -> Amounts:
    """The same for comparing nodes: containers without requests count for a little."""
    return _total(pod, defaults=True)


def _total(pod: Body, *, defaults: bool) -> Amounts:
    spec = pod["spec"]
    together: Amounts = {}
    for container in spec["containers"]:
        add(together, _container(container, defaults=defaults))
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in spec.get("initContainers") or ():
        one = _container(container, defaults=defaults)
        if container.get("restartPolicy") == "Always":
            add(together, one)
            add(sidecars, one)
            needed = dict(sidecars)
        else:
            needed = dict(sidecars)
            add(needed, one)
        for name, value in needed.items():
            most[name] = max(most.get(name, 0), value)
    for name, value in most.items():
        together[name] = max(together.get(name, 0), value)
    add(together, of(spec.get("overhead")))
    return together


def _container(container: Mapping[str, Any], *, defaults: bool) -> Amounts:
    resources = container.get("resources") or {}
    # A limit without a request is the request.
    found = {**of(resources.get("limits")), **of(resources.get("requests"))}
    if defaults:
        found.setdefault("cpu", DEFAULT_CPU)
        found.setdefault("memory", DEFAULT_MEMORY)
    return found
