"""The patch forms that are computed on the live object: JSON patch, merge patch and strategic merge patch.

`patched` gives the changed body; inputs are never changed.  The strategic form follows the marks of the schema and the
server's own algorithm, its order of merged lists included.
"""

from __future__ import annotations

import json

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import decoding, fieldsets, fitting, merging
from appdelivery.sandbox.writes.rules import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.fieldsets import Paths
    from appdelivery.sandbox.writes.types import Type

JSON, MERGE, STRATEGIC = "json", "merge", "strategic"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
DIRECTIVE, RETAIN, ORDER, REMOVE = "$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/"
ACCEPTED = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
GONE: Any = object()


class Malformed(Exception):
    """A strategic patch that contradicts itself."""


def patched(type: Type, live: Body, form: str, change: Any, *, is_custom: bool) -> Body:
    if form == JSON:
        return _json(live, change)
    if not isinstance(change, dict):
        raise status.bad_request(
            f"error decoding patch: json: cannot unmarshal {decoding.WORDS.get(change.__class__, 'null')} into Go value of type "
            "map[string]interface {}"
        )
    if form == MERGE:
        return merged(live, change)  # type: ignore[no-any-return]
    if is_custom:
        raise status.unsupported_media_type(ACCEPTED)
    try:
        return strategic(type, live, change)
    except Malformed as problem:
        raise status.bad_request(str(problem)) from None


def unfit(form: str, change: Any, changed: Body, why: str) -> status.Refusal:
    """The patch was applied, but the server cannot read what came out."""
    shown = fitting.shown(change) if form == STRATEGIC else fieldsets.plain(changed)
    cause = words.invalid("patch", shown, why)
    message = f' "" is invalid: {cause.field}: {cause.message}'
    return status.Refusal(422, "Invalid", message, details={"causes": [cause.body()]})


# --- RFC 6902 and 7396 ---


def _json(live: Body, change: Any) -> Body:
    if not isinstance(change, list):
        raise status.bad_request(
            f"error decoding patch: json: cannot unmarshal {decoding.WORDS.get(change.__class__, 'null')} into Go value of type "
            "[]handlers.jsonPatchOp"
        )
    found: Any = decoding.copied(live)
    try:
        for operation in change:
            found = _operate(found, operation)
    except (KeyError, IndexError, ValueError, TypeError):
        message = "the server rejected our request due to an error in our request"
        raise status.Refusal(422, "Invalid", message, details={}) from None
    return found  # type: ignore[no-any-return]


def _operate(document: Any, operation: Body) -> Any:
    """One operation of a JSON patch, in place; as the server's library has it, replace adds what a map lacks."""
    name, path = operation["op"], _pointer(operation["path"])
    if name == "test":
        if _found(document, path) != operation.get("value"):
            raise ValueError(name)
        return document
    if name in ("add", "replace"):
        value = decoding.copied(operation.get("value"))
    elif name in ("move", "copy"):
        source = _pointer(operation["from"])
        value = _found(document, source)
        if name == "move":
            _drop(document, source)
        else:
            value = decoding.copied(value)
    elif name == "remove":
        _drop(document, path)
        return document
    else:
        raise ValueError(name)
    if not path:
        return value
    place, key = _found(document, path[:-1]), path[-1]
    if isinstance(place, dict):
        place[key] = value
    elif name == "replace":
        place[_index_of(place, key)] = value
    else:
        place.insert(len(place) if key == "-" else _index_of(place, key, beyond=1), value)
    return document


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _found(document: Any, path: list[str]) -> Any:
    for key in path:
        document = document[key] if isinstance(document, dict) else document[_index_of(document, key)]
    return document


def _drop(document: Any, path: list[str]) -> None:
    place, key = _found(document, path[:-1]), path[-1]
    del place[key if isinstance(place, dict) else _index_of(place, key)]


def _index_of(items: list[Any], key: str, *, beyond: int = 0) -> int:
    at = int(key)
    at = at + len(items) if at < 0 else at
    if not isinstance(items, list) or not 0 <= at < len(items) + beyond:
        raise IndexError(key)
    return at


def merged(old: Any, change: Any) -> Any:
    """A merge patch: null takes away, maps are merged, everything else replaces."""
    if not isinstance(change, dict):
        return _without_nulls(change) if isinstance(change, list) else change
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _without_nulls(items: list[Any]) -> list[Any]:
    """The server prunes nulls of objects in lists, too."""
    return [
        merged(None, item) if isinstance(item, dict) else _without_nulls(item) if isinstance(item, list) else item
        for item in items
        if item is not None
    ]


# --- strategic ---


def strategic(type: Type | None, old: Body, change: Body) -> Body:
    """One map of a strategic merge patch."""
    directive = change.get(DIRECTIVE)
    if directive == "replace":
        return {key: value for key, value in change.items() if key != DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise Malformed(f"unknown patch type: {directive} in map: {change}")
    result = _retained(old, change)
    ordered = {key.removeprefix(ORDER) for key in change if key.startswith(ORDER)}
    for key in ordered:
        _in_order(type, result, key, change)
    for key, value in change.items():
        if key in ordered or key in (RETAIN, DIRECTIVE) or key.startswith(ORDER):
            continue
        if key.startswith(REMOVE):
            key = key.removeprefix(REMOVE)
            if isinstance(result.get(key), list):
                result[key] = [item for item in result[key] if item not in value]
            continue
        merged_value = _merged(None if type is None else type.member(key), result.get(key, GONE), value)
        if merged_value is GONE:
            result.pop(key, None)
        else:
            result[key] = merged_value
    return result


def _merged(type: Type | None, old: Any, new: Any) -> Any:
    """GONE takes the field away."""
    if new is None:
        return GONE
    if old is GONE or old.__class__ is not new.__class__:
        return plain(new)
    if isinstance(new, dict):
        return new if _strategy(type) == "replace" else strategic(type, old, new)
    if isinstance(new, list):
        return _merged_list(type, old, new) if _strategy(type) == "merge" else new
    return new


def _strategy(type: Type | None) -> str:
    if type is None:
        return ""
    stated = type.node.get("x-kubernetes-patch-strategy", "")
    return ",".join(part for part in stated.split(",") if part != "retainKeys")


def plain(value: Any) -> Any:
    """A patch's value where nothing stands yet: without nulls and directives; GONE when it is one itself."""
    if isinstance(value, dict):
        if DIRECTIVE in value:
            return GONE
        entries = {key: plain(inner) for key, inner in value.items() if inner is not None and not key.startswith(ORDER)}
        return {key: inner for key, inner in entries.items() if inner is not GONE and key != RETAIN}
    if isinstance(value, list):
        return [inner for inner in map(plain, value) if inner is not GONE]
    return value


def _retained(old: Body, change: Body) -> Body:
    """$retainKeys: nothing else stays."""
    if RETAIN not in change:
        return dict(old)
    kept = change[RETAIN]
    if not isinstance(kept, list) or any(
        value is not None and not key.startswith("$") and key not in kept for key, value in change.items()
    ):
        raise Malformed("invalid patch format of retainKeys")
    return {key: value for key, value in old.items() if key in kept}


# --- strategic lists ---


def _key(type: Type | None) -> str:
    return "" if type is None else type.node.get("x-kubernetes-patch-merge-key", "")


def _same(item: Any, other: Any, key: str) -> bool:
    if isinstance(item, dict) and isinstance(other, dict) and key:
        return key in item and key in other and item[key] == other[key]
    return bool(item == other)


def _index(items: list[Any], item: Any, key: str) -> int:
    return next((at for at, other in enumerate(items) if _same(item, other, key)), -1)


def _merged_list(type: Type | None, old: list[Any], new: list[Any]) -> list[Any]:
    key = _key(type)
    joined, asked = _joined(type, old, new)
    return _arranged(joined, asked, old, key)


def _joined(type: Type | None, old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]]:
    """The items of both, not yet in order, and those that the patch names."""
    if not any(isinstance(item, dict) for item in (*old, *new)):
        joined = list(old)
        joined += [item for at, item in enumerate(new) if item not in old and item not in new[:at]]
        return joined, new
    key = _key(type)
    if not key:
        raise Malformed("cannot merge lists without merge key for slice")
    joined, asked = list(old), []
    for item in new:
        if not isinstance(item, dict) or (key not in item and item.get(DIRECTIVE) != "replace"):
            raise _no_key(item, key)
        directive = item.get(DIRECTIVE)
        if directive == "delete":
            joined = [other for other in joined if not _same(item, other, key)]
        elif directive == "replace":
            joined = []
        elif directive is None or directive == "merge":
            asked.append(item)
    inner = None if type is None else type.item
    for item in asked:
        at = _index(joined, item, key)
        if at < 0:
            joined.append(plain(item))
        else:
            joined[at] = strategic(inner, joined[at], item)
    return joined, asked


def _no_key(item: Any, key: str) -> status.Refusal:
    """The server's own failure, an internal error."""
    text = " ".join(f"{name}:{value}" for name, value in sorted(item.items())) if isinstance(item, dict) else item
    return status.Refusal(500, "", f"map: map[{text}] does not contain declared merge key: {key}")


def _in_order(type: Type | None, result: Body, key: str, change: Body) -> None:
    """$setElementOrder: the list as the patch orders it, with items that only the live list has in between."""
    member = None if type is None else type.member(key)
    order, new, old = change[ORDER + key], change.get(key), result.get(key)
    if not isinstance(order, list) or not isinstance(new, list | None):
        raise Malformed("invalid patch format of setElementOrder list")
    removed = change.get(REMOVE + key)
    if isinstance(old, list) and removed:
        old = [item for item in old if item not in removed]
    if not isinstance(old, list):
        if new is not None:
            result[key] = _arranged(plain(new), order, [], _key(member))
        return
    joined = old if new is None else _joined(member, old, new)[0]
    result[key] = _arranged(joined, order, old, _key(member))


def _arranged(joined: list[Any], order: list[Any], live: list[Any], key: str) -> list[Any]:
    """Items of the patch in its order, the others in the live order, interleaved by the live order."""
    asked = _sorted([item for item in joined if _index(order, item, key) >= 0], order, key)
    others = _sorted([item for item in joined if _index(order, item, key) < 0], live, key)
    found = []
    while asked and others:
        left, right = _index(live, others[0], key), _index(live, asked[0], key)
        found.append(others.pop(0) if 0 <= left < right else asked.pop(0))
    return [*found, *others, *asked]


def _sorted(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """An insertion sort, as the server's: what the order does not name goes to the front."""
    found: list[Any] = []
    for item in items:
        at = len(found)
        place = _index(order, item, key)
        while at and (place < 0 or (other := _index(order, found[at - 1], key)) < 0 or place < other):
            at -= 1
        found.insert(at, item)
    return found


# --- client-side apply ---


def last_applied(type: Type, old: Body) -> Paths:
    """The fields that kubectl's client-side apply set, by its annotation."""
    text = (old["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        return merging.fields(type, json.loads(text)) if text else frozenset()
    except (ValueError, TypeError, AttributeError):
        return frozenset()  # an annotation that is no object allows nothing
