"""Figures for autoscalers: what a metrics server would say, set by tests and by the control route of a sandbox.

A figure belongs to a pod (`Pod/web-1`), to a workload (`Deployment/web`: every pod of it, or `shared`: all together, so
that it falls as it grows), to another object (`Service/web`) or to the outside world (`External/queue-length`).
"""

from __future__ import annotations

from appdelivery.model import quantity
from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body


class Figures:
    """usual: the share of its requests that a pod uses where nothing is set; None = nothing is known of it."""

    def __init__(self) -> None:
        self.usual: float | None = None
        self._held: dict[tuple[str, str, str], tuple[float, bool]] = {}  # (namespace, subject, metric)

    def set(self, namespace: str, subject: str, metric: str, value: str | float, *, shared: bool = False) -> None:
        """value: a quantity, as `250m` of cpu; ValueError for what is none.  Heard at the autoscaler's next look."""
        kind, _, name = subject.partition("/")
        if not kind or not name:
            raise ValueError(f"'{subject}' is not a subject of figures; write Pod/NAME, Deployment/NAME or External/NAME")
        self._held[namespace, subject, metric] = float(quantity.parse(value)), shared

    def remove(self, namespace: str, subject: str, metric: str) -> None:
        self._held.pop((namespace, subject, metric), None)

    def all(self) -> list[tuple[str, str, str, float, bool]]:
        return [(*key, *value) for key, value in sorted(self._held.items())]

    def of(self, namespace: str, subject: str, metric: str) -> float | None:
        found = self._held.get((namespace, subject, metric))
        return None if found is None else found[0]

    def of_pod(self, context: Context, pod: Body, metric: str, ready: int) -> float | None:
        """Its own figure, or its share of its workload's.  ready: how many pods share."""
        namespace = pod["metadata"]["namespace"]
        own = self.of(namespace, f"Pod/{pod['metadata']['name']}", metric)
        if own is not None:
            return own
        for subject in _owners(context, pod):
            found = self._held.get((namespace, subject, metric))
            if found is not None:
                return found[0] / max(ready, 1) if found[1] else found[0]
        return self._usual(pod, metric)

    def _usual(self, pod: Body, metric: str) -> float | None:
        containers = pod["spec"]["containers"]
        requests = [(one.get("resources") or {}).get("requests") or {} for one in containers]
        if self.usual is None or not all(metric in one for one in requests):
            return None
        return self.usual * float(sum([quantity.parse(one[metric]) for one in requests]))


def _owners(context: Context, pod: Body) -> list[str]:
    """Deployment/web, ReplicaSet/web-5d4f, the nearest last."""
    found: list[str] = []
    body: Body | None = pod
    while body is not None and (reference := objects.controller_of(body)) is not None:
        found.insert(0, f"{reference['kind']}/{reference['name']}")
        group = reference["apiVersion"].rpartition("/")[0]
        family = objects.CONTROLLER_FAMILIES.get((group, reference["kind"]))
        body = None if family is None else context.item(family, (pod["metadata"]["namespace"], reference["name"]))
    return found
