"""What a cluster holds: objects by family and key, one revision for all, and a bounded history for watches.

Bodies are never changed after they were committed: a writer commits a new one.  Everything runs in one thread, so a
commit is atomic; whoever listens is told before it returns.
"""

from __future__ import annotations

import json
from collections import deque

from appdelivery.sandbox import sharing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from appdelivery.sandbox.kinds import Family

    Key = tuple[str, str]  # (namespace, name); namespace '' = cluster-scoped
    Body = dict[str, Any]
    Place = tuple[Family, Key]
    Listener = Callable[["Event"], None]

HISTORY = 2_000  # events a family keeps for watches; an older version gets 410
ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
FIRST = dict.fromkeys(("kind", "apiVersion", "metadata"))  # as the server orders members: lists take the first two off


class Item:
    """A committed object: its body, and its JSON once somebody asked for it, until a newer one takes its place."""

    __slots__ = ("_text", "body", "revision")

    def __init__(self, body: Body, revision: int) -> None:
        self.body = body
        self.revision = revision
        self._text: bytes | None = None

    @property
    def key(self) -> Key:
        metadata = self.body["metadata"]
        return metadata.get("namespace", ""), metadata["name"]

    @property
    def uid(self) -> str:
        return self.body["metadata"]["uid"]  # type: ignore[no-any-return]

    def text(self) -> bytes:
        if self._text is None:
            ordered = FIRST | self.body if FIRST.keys() <= self.body.keys() else self.body
            self._text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
        return self._text

    def cool(self) -> None:
        """Few will still ask for its JSON: only watches that start from before."""
        self._text = None


class Event:
    """type: ADDED, MODIFIED or DELETED.  old: what stood there before, None when nothing did.  item of a deletion holds
    the last body with the revision of the deletion."""

    __slots__ = ("family", "item", "old", "revision", "type")

    def __init__(self, type: str, family: Family, item: Item, old: Item | None) -> None:
        self.type = type
        self.family = family
        self.item = item
        self.old = old
        self.revision = item.revision


class Collection:
    """The objects of one family."""

    __slots__ = ("_items", "floor", "history", "listeners")

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Item]] = {}  # by namespace, then name
        self.history: deque[Event] = deque()
        self.floor = 0  # history is complete for versions from here on
        self.listeners: dict[Listener, None] = {}

    def get(self, key: Key) -> Item | None:
        return self._items.get(key[0], {}).get(key[1])

    def items(self, namespace: str | None = None) -> list[Item]:
        """In key order, as etcd gives them; namespace None = all."""
        wanted = sorted(self._items) if namespace is None else [namespace]
        return [inner[name] for one in wanted if (inner := self._items.get(one)) for name in sorted(inner)]

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def put(self, item: Item) -> None:
        namespace, name = item.key
        self._items.setdefault(namespace, {})[name] = item

    def drop(self, key: Key) -> None:
        inner = self._items[key[0]]
        del inner[key[1]]
        if not inner:
            del self._items[key[0]]


def owners(body: Body) -> list[str]:
    """The uids of an object's owners."""
    return [reference["uid"] for reference in body["metadata"].get("ownerReferences") or () if "uid" in reference]


class Storage:
    def __init__(self, history: int = HISTORY) -> None:
        self.revision = 1
        self.floor = 0  # what families that come into being start with
        self.limit = history
        self.places: dict[str, Place] = {}  # where the object with a uid is
        self.owned: dict[str, dict[Place, None]] = {}  # by the uid of an owner: what names it in ownerReferences
        self._families: dict[Family, Collection] = {}
        self._trees = sharing.Trees()
        self._listeners: list[Listener] = []

    def family(self, family: Family) -> Collection:
        kept = self._families.get(family)
        if kept is None:
            kept = self._families[family] = Collection()
            kept.floor = self.floor
        return kept

    def families(self) -> Iterator[tuple[Family, Collection]]:
        return iter(list(self._families.items()))

    def listen(self, listener: Listener) -> None:
        """Hears every event of every family, in order: controllers and the state file."""
        self._listeners.append(listener)

    def commit(self, type: str, family: Family, body: Body) -> Item:
        """Makes the next revision; the body gets its resourceVersion here.  The caller gives the body away."""
        self.revision += 1
        metadata = body["metadata"]
        metadata["resourceVersion"] = str(self.revision)
        kept = self.family(family)
        item = Item(body, self.revision)
        old = kept.get(item.key)
        if old is not None:
            old.cool()
        self._share(body, old)
        if type == DELETED:
            kept.drop(item.key)
        else:
            kept.put(item)
        self._index(family, old, None if type == DELETED else item)
        self._tell(kept, Event(type, family, item, old))
        return item

    def forget(self, family: Family | None = None) -> None:
        """Compacts: watches from an older version get 410 from now on."""
        if family is None:
            self.floor = self.revision
        for name, kept in self.families():
            if family in (None, name):
                kept.history.clear()
                kept.floor = self.revision

    def restore(self, revision: int, bodies: Iterator[tuple[Family, Body]]) -> None:
        """Objects of a former run, as they were; versions from before have no history."""
        for family, body in bodies:
            item = Item(body, int(body["metadata"]["resourceVersion"]))
            self._share(body)
            self.family(family).put(item)
            self._index(family, None, item)
        self.revision = self.floor = revision
        for _, kept in self.families():
            kept.floor = revision

    def _share(self, body: Body, old: Item | None = None) -> None:
        metadata = body["metadata"]
        if "managedFields" in metadata:
            before = () if old is None else old.body["metadata"].get("managedFields", ())
            metadata["managedFields"] = self._trees.shared(metadata["managedFields"], before)

    def _index(self, family: Family, old: Item | None, new: Item | None) -> None:
        """Keeps `places` and `owned` in step."""
        if old is not None:
            place = (family, old.key)
            if new is None or old.uid != new.uid:
                self.places.pop(old.uid, None)
            for uid in owners(old.body):
                self.owned.get(uid, {}).pop(place, None)
                if not self.owned.get(uid, True):
                    del self.owned[uid]
        if new is not None:
            place = (family, new.key)
            self.places[new.uid] = place
            for uid in owners(new.body):
                self.owned.setdefault(uid, {})[place] = None

    def _tell(self, kept: Collection, event: Event) -> None:
        if len(kept.history) >= self.limit:
            kept.floor = kept.history.popleft().revision
        kept.history.append(event)
        for listener in [*kept.listeners, *self._listeners]:
            listener(event)
