"""Who belongs to whom, kept up to date with every event, so that no controller ever looks through all objects.

By controlling owner, pods by node, by one label, and those without an owner; selectors by one pair of theirs.
"""

from __future__ import annotations

from appdelivery.sandbox import storage
from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from appdelivery.sandbox.kinds import Family
    from appdelivery.sandbox.storage import Body, Event, Item, Key, Storage

LABELLED = frozenset({objects.PODS})
ADOPTABLE = frozenset({objects.PODS, objects.REPLICA_SETS})
SELECTING = frozenset(
    {
        objects.SERVICES, objects.BUDGETS, objects.DEPLOYMENTS, objects.REPLICA_SETS, objects.STATEFUL_SETS,
        objects.DAEMON_SETS, objects.JOBS,
    }
)  # fmt: skip


class Index:
    def __init__(self, held: Storage) -> None:
        self._storage = held
        self._entries: dict[Hashable, dict[Key, None]] = {}

    def hear(self, event: Event) -> None:
        new = None if event.type == storage.DELETED else event.item.body
        old = None if event.old is None else event.old.body
        before = set(_postings(event.family, old)) if old is not None else set()
        # A list, not a set: the order of entries decides which pod goes first.
        after = _postings(event.family, new) if new is not None else []
        key = event.item.key
        for one in before.difference(after):
            self._drop(one, key)
        for one in after:
            if one not in before:
                self._entries.setdefault(one, {})[key] = None

    def _drop(self, posting: Hashable, key: Key) -> None:
        entry = self._entries.get(posting)
        if entry is not None:
            entry.pop(key, None)
            if not entry:
                del self._entries[posting]

    def _items(self, family: Family, posting: Hashable) -> Iterator[Item]:
        kept = self._storage.family(family)
        for key in list(self._entries.get(posting, ())):
            item = kept.get(key)
            if item is not None:
                yield item

    def controlled(self, family: Family, owner: Body) -> list[Item]:
        """In the order in which they came."""
        return list(self._items(family, ("owner", family, owner["metadata"]["uid"])))

    def orphans(self, family: Family, namespace: str) -> list[Item]:
        """Objects without a controller, which one may adopt."""
        return list(self._items(family, ("orphan", family, namespace)))

    def on_node(self, node: str) -> list[Item]:
        return list(self._items(objects.PODS, ("node", node)))

    def pods(self, namespace: str, selector: dict[str, object]) -> list[Item]:
        """Pods that a LabelSelector matches, in the order in which they came."""
        pairs = list((selector.get("matchLabels") or {}).items())  # type: ignore[attr-defined]
        if pairs:
            entries = [("label", objects.PODS, namespace, *pair) for pair in pairs]
            entry: Hashable = min(entries, key=lambda one: len(self._entries.get(one, ())))
        else:
            entry = ("in", objects.PODS, namespace)
        found = self._items(objects.PODS, entry)
        return [item for item in found if objects.matches(selector, objects.labels(item.body))]

    def selecting(self, family: Family, body: Body) -> list[Key]:
        """Objects of a family that may select this one: Services a pod, ReplicaSets an orphan."""
        namespace = body["metadata"]["namespace"]
        found: dict[Key, None] = {}
        for pair in objects.labels(body).items():
            found.update(self._entries.get(("selects", family, namespace, *pair), {}))
        found.update(self._entries.get(("selects", family, namespace), {}))
        return list(found)


def _postings(family: Family, body: Body) -> list[Hashable]:
    found: list[Hashable] = []
    metadata = body["metadata"]
    namespace = metadata.get("namespace", "")
    controller = objects.controller_of(body)
    if controller is not None:
        found.append(("owner", family, controller["uid"]))
    elif family in ADOPTABLE:
        found.append(("orphan", family, namespace))
    if family in LABELLED:
        found.append(("in", family, namespace))
        found += [("label", family, namespace, *pair) for pair in objects.labels(body).items()]
        if node := body["spec"].get("nodeName"):
            found.append(("node", node))
    if family in SELECTING:
        found += _selection(family, namespace, body)
    return found


def _selection(family: Family, namespace: str, body: Body) -> list[Hashable]:
    """One pair of the selector is enough to find whom it may select."""
    selector = body["spec"].get("selector")
    if selector is None or (family == objects.SERVICES and not selector):
        return []
    pairs = selector if family == objects.SERVICES else selector.get("matchLabels")
    for pair in sorted((pairs or {}).items()):
        return [("selects", family, namespace, *pair)]
    return [("selects", family, namespace)]
