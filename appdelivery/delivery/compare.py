"""Two object trees as JSON-pointer operations with old and new values.  Pure; called by diff and drift.

Entries of lists that have keys are matched by them, so that a container inserted in front is one addition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery import listkeys
from appdelivery.model import fieldpath, marks
from appdelivery.model.refs import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.model.refs import Kind

    Steps = tuple[Any, ...]

SERVERS = frozenset(("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink"))
MISSING = object()


def visible(body: dict[str, Any]) -> dict[str, Any]:
    """An object without what the server keeps and without our bookkeeping."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in SERVERS}
    for field in ("labels", "annotations"):
        if metadata.get(field):
            kept = {key: value for key, value in metadata[field].items() if key not in marks.BOOKKEEPING}
            metadata = {**metadata, field: kept} if kept else {key: value for key, value in metadata.items() if key != field}
    return {key: value for key, value in body.items() if key != "status"} | {"metadata": metadata}


def operations(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """op add, remove or replace, path, old and new; old and new only where there is one."""
    of = kind_of(after)
    return [operation for operation, _ in changes(of, before, after)]


def changes(of: Kind, before: Any, after: Any) -> list[tuple[dict[str, Any], str]]:
    """Operations with the path as the API server writes it, which policies are matched against."""
    return list(_walk(of, before, after, (), ()))


def _walk(of: Kind, before: Any, after: Any, pointer: Steps, steps: Steps) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*after, *[key for key in before if key not in after]]:
            old, new = before.get(key, MISSING), after.get(key, MISSING)
            yield from _walk(of, old, new, (*pointer, key), (*steps, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(of, before, after, pointer, steps)
    elif before is MISSING and after is not MISSING:
        yield _operation("add", pointer, new=after), fieldpath.show(steps)
    elif after is MISSING and before is not MISSING:
        yield _operation("remove", pointer, old=before), fieldpath.show(steps)
    elif not _same(before, after):
        yield _operation("replace", pointer, old=before, new=after), fieldpath.show(steps)


def _lists(
    of: Kind, before: list[Any], after: list[Any], pointer: Steps, steps: Steps
) -> Iterator[tuple[dict[str, Any], str]]:
    names = listkeys.keys(of, tuple([step for step in steps if isinstance(step, str)]))
    if not names:
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else MISSING
            new = after[index] if index < len(after) else MISSING
            yield from _walk(of, old, new, (*pointer, index), (*steps, index))
        return
    old_at = {listkeys.key_of(entry, names): index for index, entry in enumerate(before)}
    new_at = {listkeys.key_of(entry, names): index for index, entry in enumerate(after)}
    for key, index in new_at.items():
        old = before[old_at[key]] if key in old_at else MISSING
        yield from _walk(of, old, after[index], (*pointer, index), (*steps, key))
    for key, index in old_at.items():
        if key not in new_at:
            yield from _walk(of, before[index], MISSING, (*pointer, index), (*steps, key))
    shared = [key for key in old_at if key in new_at]
    if shared != [key for key in new_at if key in old_at]:
        yield (
            _operation("move", pointer, old=_names(shared), new=_names([k for k in new_at if k in old_at])),
            fieldpath.show(steps),
        )


def only_order(found: list[tuple[dict[str, Any], str]]) -> bool:
    return bool(found) and all(operation["op"] == "move" for operation, _ in found)


def _names(keys: list[Any]) -> list[str]:
    return [", ".join([str(value) for _, value in key]) for key in keys]


def _operation(op: str, pointer: Steps, **values: Any) -> dict[str, Any]:
    path = "".join(["/" + str(step).replace("~", "~0").replace("/", "~1") for step in pointer])
    return {"op": op, "path": path, **values}


def _same(one: Any, two: Any) -> bool:
    return bool(one == two) and isinstance(one, bool) == isinstance(two, bool)
