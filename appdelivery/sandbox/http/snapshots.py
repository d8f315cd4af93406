"""A collection as it stood at an earlier version, by taking its kept history back."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.storage import Collection, Item, Key


def at(kept: Collection, revision: int, namespace: str | None = None) -> list[Item]:
    """Objects in key order as of a version that the history still reaches (`kept.floor`)."""
    changed: dict[Key, Item | None] = {}
    for event in reversed(kept.history):
        if event.revision <= revision:
            break
        changed[event.item.key] = event.old
    if not changed:
        return kept.items(namespace)
    found = {item.key: item for item in kept.items(namespace)}
    for key, item in changed.items():
        if namespace not in (None, key[0]):
            continue
        if item is None:
            found.pop(key, None)
        else:
            found[key] = item
    return [found[key] for key in sorted(found)]


def one(kept: Collection, revision: int, key: Key) -> Item | None:
    """One object as of a version."""
    item = kept.get(key)
    for event in reversed(kept.history):
        if event.revision <= revision:
            break
        if event.item.key == key:
            item = event.old
    return item


def reachable(kept: Collection, current: int, behind: int) -> int:
    """The version so many revisions ago, as far as the history reaches."""
    return max(current - behind, kept.floor, 1)
