"""Events as the real components write them: counted, combined when they are too alike, and gone after an hour.

Two forms: that of the controllers and the kubelet (client-go's recorder), and that of the scheduler (events.k8s.io),
which has an action and no count.  Events are committed directly, as bare facts: nobody else writes them, and they
are the most frequent objects of a cluster.  Only the newest LIMIT are kept, so that a long run stays small.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict

from appdelivery.sandbox import storage
from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.storage import Body, Key

FAMILY = ("", "events")
LIMIT = 2_000  # a real server forgets events after an hour; as many as a watch has history
LIFETIME = 3600.0  # controller seconds
ALIKE = 10  # so many different messages of one reason before they are combined
ALIKE_WITHIN = 600.0  # controller seconds
SCHEDULER = "default-scheduler"
_COMBINED = "(combined from similar events): "


class Recorder:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._held = cluster.storage.family(FAMILY)
        self._known: dict[tuple[str, ...], Key] = {}
        self._order: OrderedDict[Key, tuple[tuple[str, ...], float]] = OrderedDict()
        self._alike: dict[tuple[str, ...], tuple[float, set[str]]] = {}
        self._last = 0

    def normal(self, about: Body, reason: str, message: str, *, by: str, host: str = "", path: str = "") -> None:
        self._record(about, ("Normal", reason, message, by, host, path))

    def warning(self, about: Body, reason: str, message: str, *, by: str, host: str = "", path: str = "") -> None:
        self._record(about, ("Warning", reason, message, by, host, path))

    def scheduler(self, pod: Body, type: str, reason: str, message: str, *, action: str) -> None:
        """A repeated one is a series."""
        known = (SCHEDULER, pod["metadata"]["uid"], type, reason, message)
        old = self._still(known)
        if old is not None:
            series = old.get("series") or {"count": 1}
            series = {"count": series["count"] + 1, "lastObservedTime": self._cluster.clock.micro()}
            self._commit({**old, "metadata": dict(old["metadata"]), "series": series}, storage.MODIFIED)
            return
        body = self._body(pod, "", known) | {
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": self._cluster.clock.micro(),
            "action": action,
            "reportingComponent": SCHEDULER,
            "reportingInstance": f"{SCHEDULER}-{self._cluster.name}",
        }
        self._add(body, known)

    def _record(self, about: Body, said: tuple[str, str, str, str, str, str]) -> None:
        type, reason, message, by, host, path = said
        uid = about["metadata"]["uid"]
        if self._too_alike((by, uid, type, reason), message):
            known: tuple[str, ...] = (by, uid, type, reason)
            message = _COMBINED + message
        else:
            known = (by, uid, type, reason, message, path)
        stamp = self._cluster.clock.stamp()
        old = self._still(known)
        if old is not None:
            new = {**old, "metadata": dict(old["metadata"]), "message": message}
            self._commit(new | {"lastTimestamp": stamp, "count": old["count"] + 1}, storage.MODIFIED)
            return
        body = self._body(about, path, (by, uid, type, reason, message)) | {
            "source": {"component": by, "host": host} if host else {"component": by},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "eventTime": None,
            "reportingComponent": by,
            "reportingInstance": host,
        }
        self._add(body, known)

    def _too_alike(self, kind: tuple[str, ...], message: str) -> bool:
        now = self._cluster.clock.elapsed()
        began, messages = self._alike.get(kind, (now, set()))
        if now - began > ALIKE_WITHIN:
            began, messages = now, set()
        if len(messages) >= ALIKE:
            return message not in messages
        messages.add(message)
        self._alike[kind] = (began, messages)
        return False

    def _still(self, known: tuple[str, ...]) -> Body | None:
        key = self._known.get(known)
        found = None if key is None else self._held.get(key)
        return None if found is None else found.body

    def _body(self, about: Body, path: str, said: tuple[str, ...]) -> Body:
        _, uid, type, reason, message = said
        metadata = about["metadata"]
        involved = {"kind": about["kind"], "namespace": metadata.get("namespace", ""), "name": metadata["name"]}
        involved |= {"uid": uid, "apiVersion": about["apiVersion"], "resourceVersion": metadata["resourceVersion"]}
        involved["fieldPath"] = path
        return {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {
                "name": f"{metadata['name']}.{self._number():x}",
                "namespace": metadata.get("namespace") or "default",
                "uid": str(uuid.uuid4()),
                "creationTimestamp": self._cluster.clock.stamp(),
            },
            "involvedObject": {key: value for key, value in involved.items() if value},
            "reason": reason,
            "message": message,
            "type": type,
        }

    def _number(self) -> int:
        """Nanoseconds, but never the same twice."""
        self._last = max(self._last + 1, int(self._cluster.clock.now().timestamp() * 1e9))
        return self._last

    def _add(self, body: Body, known: tuple[str, ...]) -> None:
        home = self._cluster.storage.family(objects.NAMESPACES).get(("", body["metadata"]["namespace"]))
        if home is None or objects.deleting(home.body):
            return  # nothing new is made in a namespace that ends
        body["metadata"]["managedFields"] = [_owner(body, self._cluster.clock.stamp())]
        self._commit(body, storage.ADDED)
        key = objects.key(body)
        now = self._cluster.clock.elapsed()
        self._known[known] = key
        self._order[key] = (known, now)
        while len(self._order) > LIMIT or next(iter(self._order.values()))[1] < now - LIFETIME:
            self._expire()

    def _expire(self) -> None:
        key, (known, _) = self._order.popitem(last=False)
        if self._known.get(known) == key:
            del self._known[known]
        self._alike.pop(known[:4], None)
        found = self._held.get(key)
        if found is not None:
            self._commit({**found.body, "metadata": dict(found.body["metadata"])}, storage.DELETED)

    def _commit(self, body: Body, type: str) -> None:
        self._cluster.storage.commit(type, FAMILY, body)


def _owner(body: Body, stamp: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        f"f:{key}": {} for key, value in body.items() if value and key not in ("kind", "apiVersion", "metadata")
    }
    fields["f:involvedObject"] = {}
    by = body["reportingComponent"]
    scheduler = by == SCHEDULER
    return {
        "manager": "kube-scheduler" if scheduler else "kubelet" if by == "kubelet" else "kube-controller-manager",
        "operation": "Update",
        "apiVersion": "events.k8s.io/v1" if scheduler else "v1",
        "time": stamp,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
