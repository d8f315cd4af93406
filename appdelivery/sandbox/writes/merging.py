"""Values by their types, as structured-merge-diff treats them: which fields one mentions, merge, comparison, removal.

The lists of the server's merge library decide here, oddities included: how items are ordered, when an empty value is a
leaf, which parents a new value brings along.  Inputs are never changed; results share what did not change.
"""

from __future__ import annotations

from appdelivery.sandbox.writes import fieldsets, types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.sandbox.writes.fieldsets import Path, Paths
    from appdelivery.sandbox.writes.types import Type

ABSENT: Any = object()


class Comparison:
    """Paths that the right-hand side adds, changes and lacks."""

    __slots__ = ("added", "modified", "removed")

    def __init__(self) -> None:
        self.added: set[Path] = set()
        self.modified: set[Path] = set()
        self.removed: set[Path] = set()

    def without(self, roots: Paths) -> Comparison:
        if roots:
            for paths in (self.added, self.modified, self.removed):
                paths -= fieldsets.below(paths, roots)
        return self


# --- which fields a value mentions ---


def fields(type: Type, value: Any) -> set[Path]:
    found: set[Path] = set()
    _fields(type, value, (), found)
    return found


def _fields(type: Type, value: Any, path: Path, found: set[Path]) -> None:
    form = type.form_of(value)
    if form == types.MAP:
        for key, inner in (value or {}).items():
            below = (*path, f"f:{key}")
            member = type.member(key)
            if member is not None:
                _fields(member, inner, below, found)
            if inner is None or inner == {} or not type.declares(key):
                found.add(below)
    elif form in (types.KEYED, types.SET):
        for key, items in indexed(type, value).items():
            below = (*path, key)
            if len(items) == 1:
                _fields(type.item, items[0], below, found)
            found.add(below)
    else:
        found.add(path)


def indexed(type: Type, items: Any) -> dict[str, list[Any]]:
    """Items of a keyed list or set by path element, in order; several only where the list holds duplicates."""
    found: dict[str, list[Any]] = {}
    for item in items or ():
        found.setdefault(key_of(type, item), []).append(item)
    return found


def key_of(type: Type, item: Any) -> str:
    if type.form == types.SET or not isinstance(item, dict):
        return fieldsets.element(item)
    if len(type.keys) == 1:
        (key, default) = type.keys[0]
        return f'k:{{"{key}":{fieldsets.encoded(item.get(key, default))}}}'
    pairs = [(key, item.get(key, default)) for key, default in type.keys if key in item or default is not None]
    return "k:{" + ",".join([f'"{key}":{fieldsets.encoded(value)}' for key, value in pairs]) + "}"


# --- comparison ---


def compare(type: Type, old: Any, new: Any) -> Comparison:
    found = Comparison()
    _compare(type, old, new, (), found)
    return found


def _compare(type: Type, old: Any, new: Any, path: Path, found: Comparison) -> None:
    if old is not ABSENT and new is not ABSENT and (old is new or old == new):
        return
    form = type.form_of(old if new is ABSENT or new is None else new)
    if form not in types.GRANULAR or not (_filled(old) or _filled(new)):
        _note(old, new, path, found)
        return
    if form == types.MAP:
        _compare_maps(type, old, new, path, found)
    else:
        _compare_lists(type, old, new, path, found)
    if old is ABSENT or new is ABSENT:
        _note(old, new, path, found)


def _filled(value: Any) -> bool:
    return value is not ABSENT and bool(value)


def _note(old: Any, new: Any, path: Path, found: Comparison) -> None:
    (found.added if old is ABSENT else found.removed if new is ABSENT else found.modified).add(path)


def _compare_maps(type: Type, old: Any, new: Any, path: Path, found: Comparison) -> None:
    before = old if isinstance(old, dict) else {}
    after = new if isinstance(new, dict) else {}
    for key in before.keys() | after.keys():
        member = type.member(key)
        if member is not None:
            _compare(member, before.get(key, ABSENT), after.get(key, ABSENT), (*path, f"f:{key}"), found)


def _compare_lists(type: Type, old: Any, new: Any, path: Path, found: Comparison) -> None:
    before = indexed(type, old) if isinstance(old, list) else {}
    after = indexed(type, new) if isinstance(new, list) else {}
    for key in {**before, **after}:
        left, right = before.get(key, []), after.get(key, [])
        below = (*path, key)
        if len(left) <= 1 and len(right) <= 1:
            _compare(type.item, left[0] if left else ABSENT, right[0] if right else ABSENT, below, found)
        elif len(left) > 1 and len(right) > 1:
            if left != right:
                found.modified.add(below)
        elif len(left) > 1:
            if right:
                _compare(type.item, ABSENT, right[0], below, found)
            found.removed.add(below)
        else:
            if left:
                _compare(type.item, left[0], ABSENT, below, found)
            found.added.add(below)


# --- merge ---


def merge(type: Type, old: Any, new: Any) -> Any:
    """What the right-hand side states wins; ABSENT when neither holds anything."""
    if new is ABSENT or old is ABSENT:
        return old if new is ABSENT else new
    form = type.form_of(old if new is None else new)
    if form not in types.GRANULAR or not (old or new):
        return new
    if form == types.MAP:
        before = old if isinstance(old, dict) else {}
        return _merge_maps(type, before, new or {}) or ABSENT
    return _merge_lists(type, old or [], new or []) or ABSENT


def _merge_maps(type: Type, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        if key not in old:
            merged[key] = value
            continue
        member = type.member(key)
        result = value if member is None else merge(member, old[key], value)
        if result is ABSENT:
            merged.pop(key)
        else:
            merged[key] = result
    return merged


def _merge_lists(type: Type, old: list[Any], new: list[Any]) -> list[Any]:
    """Items of the applied list keep its order; those that only stand in the live one stay where they stood."""
    left, right = indexed(type, old), indexed(type, new)
    order = [key_of(type, item) for item in old]
    shared = [key for key in right if key in left]
    merged: list[Any] = []
    done: set[str] = set()

    def take(key: str) -> None:
        before = left.get(key, ())
        result = merge(type.item, before[0] if len(before) == 1 else ABSENT, right[key][0])
        if result is not ABSENT:
            merged.append(result)
        done.add(key)
        if shared and (shared[0] == key):
            shared.pop(0)

    _interleave(order, list(right), old, shared, merged=merged, done=done, take=take)
    return merged


def _interleave(
    left: list[str],
    right: list[str],
    items: list[Any],
    shared: list[str],
    *,
    merged: list[Any],
    done: set[str],
    take: Callable[[str], None],
) -> None:
    wanted = set(right)
    i = j = 0
    while i < len(left) or j < len(right):
        if i < len(left) and j < len(right):
            if left[i] == right[j]:
                take(right[j])
                i, j = i + 1, j + 1
                continue
            if left[i] in wanted and shared and shared[0] != left[i]:
                i += 1  # shared, but not the one that comes next
                continue
        if i < len(left):
            if left[i] not in wanted:
                merged.append(items[i])
                i += 1
                continue
            if left[i] in done:
                i += 1
        if j < len(right):
            take(right[j])
            j += 1


# --- removal ---


def remove(type: Type, value: Any, paths: Paths) -> Any:
    """Without what the paths name; a map or list that is emptied by it becomes null, as the server has it."""
    if not paths:
        return value
    tree: dict[str, Any] = {}
    for path in paths:
        at = tree
        for element in path[:-1]:
            at = at.setdefault(element, {})
        at.setdefault(path[-1], {})[fieldsets.SELF] = True
    return _remove(type, value, tree)


def _remove(type: Type, value: Any, tree: dict[str, Any]) -> Any:
    form = type.form_of(value)
    if form == types.SCALAR:
        return value
    if not value or form not in types.GRANULAR:
        return None
    if form == types.MAP:
        return _remove_entries(type, value, tree) or None
    kept = []
    for item in value:
        inner = tree.get(key_of(type, item))
        if inner is None:
            kept.append(item)
        elif fieldsets.SELF not in inner:
            kept.append(_remove(type.item, item, inner))
    return kept or None


def _remove_entries(type: Type, value: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, entry in value.items():
        inner = tree.get(f"f:{key}")
        if inner is None:
            kept[key] = entry
        elif fieldsets.SELF not in inner:
            member = type.member(key)
            kept[key] = entry if member is None else _remove(member, entry, inner)
    return kept
