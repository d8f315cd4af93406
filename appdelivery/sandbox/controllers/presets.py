"""Nodes to start with: `small`, `gpu`, `multi-region`, or a list of one's own, checked before anything starts.

The labels, taints and resources are those of NVIDIA's device plugin and feature discovery and of real clusters, so that
placement rules written for those work here.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers.scheduler import amounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from appdelivery.sandbox.storage import Body

PRICE = "test.appdelivery.dev/price-per-hour"  # of the whole node, in US dollars
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
MOST_NODES = 5_000
# Name, zones, price factor: one cluster each, over and over.
REGIONS = (("eu-west", ("a", "b", "c"), 1.0), ("us-east", ("a", "b", "c"), 0.85), ("ap-south", ("a", "b"), 1.2))


class BrokenNodes(ValueError):
    """The message says which node and field, what is wrong and what is right."""


def nodes(preset: str, cluster: int = 0) -> list[Body]:
    """The nodes of the cluster with this number; BrokenNodes for a preset that does not exist."""
    try:
        made = PRESETS[preset]
    except KeyError:
        raise BrokenNodes(f"there is no preset '{preset}'; there are {', '.join(sorted(PRESETS))}") from None
    return made(cluster)


def _small(_: int) -> list[Body]:
    return [_node(f"cpu-{letter}", "eu-west", letter, cpu="8", memory="32Gi", price=0.4) for letter in "abc"]


def _gpu(_: int) -> list[Body]:
    return [
        *[_node(f"cpu-{letter}", "eu-west", letter, cpu="32", memory="128Gi", price=1.5) for letter in "ab"],
        _accelerated("a100-a", "eu-west", "a", "NVIDIA-A100-SXM4-80GB", memory=81_920, count=8, price=32.8),
        _accelerated("h100-b", "eu-west", "b", "NVIDIA-H100-80GB-HBM3", memory=81_559, count=8, price=98.3),
        _accelerated("l4-a", "eu-west", "a", "NVIDIA-L4", memory=23_034, count=4, price=4.6),
        _accelerated(
            "mig-b", "eu-west", "b", "NVIDIA-A100-SXM4-80GB", memory=81_920, count=8, price=32.8,
            slices={"mig-1g.10gb": 14, "mig-3g.40gb": 4}, whole=4,
        ),
    ]  # fmt: skip


def _multi_region(cluster: int) -> list[Body]:
    region, zones, factor = REGIONS[cluster % len(REGIONS)]
    found = [_node(f"cpu-{zone}", region, zone, cpu="16", memory="64Gi", price=0.8 * factor) for zone in zones]
    found.append(_accelerated("l4-a", region, "a", "NVIDIA-L4", memory=23_034, count=4, price=4.6 * factor))
    if cluster % len(REGIONS) < 2:
        model = "NVIDIA-A100-SXM4-80GB"
        found.append(_accelerated("a100-b", region, "b", model, memory=81_920, count=8, price=32.8 * factor))
    return found


PRESETS: dict[str, Callable[[int], list[Body]]] = {"small": _small, "gpu": _gpu, "multi-region": _multi_region}


def _node(name: str, region: str, zone: str, *, cpu: str, memory: str, price: float) -> Body:
    has = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "500Gi"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": f"{region}-{zone}",
        PRICE: f"{price:.2f}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {"capacity": dict(has), "allocatable": dict(has)},
    }


def _accelerated(
    name: str, region: str, zone: str, product: str, *, memory: int, count: int, price: float,
    slices: dict[str, int] | None = None, whole: int | None = None,
) -> Body:  # fmt: skip
    """whole: how many are not cut into slices."""
    node = _node(name, region, zone, cpu="96", memory="1Ti", price=price)
    node["metadata"]["labels"] |= {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(memory),
        "nvidia.com/gpu.count": str(count),
    }
    has = {"nvidia.com/gpu": str(count if whole is None else whole)}
    if slices:
        node["metadata"]["labels"]["nvidia.com/mig.strategy"] = "mixed"
        has |= {f"nvidia.com/{key}": str(value) for key, value in slices.items()}
    node["spec"]["taints"] = [dict(GPU_TAINT)]
    for part in ("capacity", "allocatable"):
        node["status"][part] |= has
    return node


def checked(documents: Sequence[Any]) -> list[Body]:
    """Nodes out of parsed documents; a List is taken apart.  BrokenNodes names the document and the field."""
    bodies: list[Any] = []
    for document in documents:
        if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
            bodies += document.get("items") or ()
        elif document is not None:
            bodies.append(document)
    if not bodies:
        raise BrokenNodes("there is no Node in it")
    if len(bodies) > MOST_NODES:
        raise BrokenNodes(f"{len(bodies)} nodes are more than a sandbox takes, {MOST_NODES}")
    found = [_checked(body, number) for number, body in enumerate(bodies, 1)]
    names = [body["metadata"]["name"] for body in found]
    for name in names:
        if names.count(name) > 1:
            raise BrokenNodes(f"node '{name}' is there twice; names of nodes are unique")
    return found


def _checked(body: Any, number: int) -> Body:
    if not isinstance(body, dict):
        raise BrokenNodes(f"document {number} is not an object but {type(body).__name__}")
    if (body.get("apiVersion"), body.get("kind")) != ("v1", "Node"):
        raise BrokenNodes(f"document {number} is {body.get('apiVersion')} {body.get('kind')}; only v1 Node is taken")
    metadata = _part(body, "metadata", f"document {number}")
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise BrokenNodes(f"document {number}: metadata.name is missing")
    about = f"node '{name}'"
    for section in ("labels", "annotations"):
        for key, value in _part(metadata, section, about, "metadata.").items():
            if not isinstance(value, str):
                raise BrokenNodes(f'{about}: metadata.{section}[{key}] is {value!r}; write it as text, "{value}"')
    spec, status = _part(body, "spec", about), _part(body, "status", about)
    _taints(spec.get("taints") or [], about)
    for section in ("capacity", "allocatable"):
        _amounts(_part(status, section, about, "status."), f"{about}: status.{section}")
    own = {key: value for key, value in status.items() if value is not None}
    if own.get("capacity") and not own.get("allocatable"):
        own["allocatable"] = dict(own["capacity"])
    return {**body, "metadata": metadata, "spec": spec, "status": own}


def _part(body: dict[str, Any], key: str, about: str, path: str = "") -> dict[str, Any]:
    found = body.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BrokenNodes(f"{about}: {path}{key} is not an object but {type(found).__name__}")
    return found


def _taints(taints: Any, about: str) -> None:
    if not isinstance(taints, list):
        raise BrokenNodes(f"{about}: spec.taints is not a list but {type(taints).__name__}")
    for index, taint in enumerate(taints):
        effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
        if not isinstance(taint, dict) or not taint.get("key") or taint.get("effect") not in effects:
            raise BrokenNodes(f"{about}: spec.taints[{index}] needs a key and an effect of {', '.join(effects)}")


def _amounts(given: dict[str, Any], where: str) -> None:
    for key, value in given.items():
        try:
            amounts.whole(key, value)
        except ValueError as error:
            raise BrokenNodes(f"{where}.{key}: {error}") from None
