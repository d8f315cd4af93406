"""Which lists of the Kubernetes API are merged by key, and how an item says which one it is.  For patch only.

The table is by field name, as in the API, where only `ports` needs its context.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = ("name",)
BY_NAME = (
    "containers initContainers ephemeralContainers env volumes imagePullSecrets secrets resourceClaims"
    " resourceClaimStatuses schedulingGates webhooks matchConditions variables drivers"
)
KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(BY_NAME.split(), NAME),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "podIPs": ("ip",),
    "hostIPs": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "conditions": ("type",),
    "addresses": ("type",),
    "ownerReferences": ("uid",),
}
SCALARS = frozenset([str, int, float, bool])
SETS = frozenset(["finalizers", "podCIDRs"])
CONTAINERS = {"containers": "container", "initContainers": "init container", "ephemeralContainers": "ephemeral container"}
CONTAINER_PORT = ("containerPort", "protocol")
SERVICE_PORT = ("port", "protocol")


def of_list(field: str, base: list[Any], change: list[Any]) -> tuple[str, ...]:
    """The fields whose values tell the items apart; () when the list is one value (Kubernetes calls it atomic)."""
    if field == "ports":
        for item in (*change, *base):
            if type(item) is dict and "containerPort" in item:
                return CONTAINER_PORT
        return SERVICE_PORT
    return KEYS.get(field, ())


def identity(item: Any, names: tuple[str, ...]) -> Any:
    """What a list item is known by, a tuple where several fields are needed.  None: it lacks one, or is no map."""
    if type(item) is not dict:
        return None
    if len(names) == 1:
        value = item.get(names[0])
        return value if type(value) in SCALARS else None
    found = [item.get(name) for name in names]
    if found[0] is not None and found[-1] is None and names[-1] == "protocol":
        found[-1] = "TCP"
    return None if any(type(value) not in SCALARS for value in found) else tuple(found)


def positions(items: list[Any], names: tuple[str, ...]) -> dict[Any, int]:
    """Identity to index; of two equal ones the first counts."""
    at: dict[Any, int] = {}
    if len(names) == 1:  # as identity says, without a call per item: env lists are long
        name = names[0]
        for index, item in enumerate(items):
            if type(item) is dict:
                who = item.get(name)
                if type(who) in SCALARS and who not in at:
                    at[who] = index
        return at
    for index, item in enumerate(items):
        who = identity(item, names)
        if who is not None and who not in at:
            at[who] = index
    return at


def step(who: Any) -> tuple[Any, ...]:
    """The step of a path that an identity makes, told from a field's name by being a tuple."""
    return who if type(who) is tuple else (who,)


def dotted(path: list[Any]) -> str:
    """spec.containers[web].ports[80/TCP].name: a step is a field, or the identity of a list item."""
    text = ""
    for step in path:
        if isinstance(step, tuple):
            text += f"[{'/'.join([str(value) for value in step])}]"
        else:
            text += f".{step}" if text else str(step)
    return text
