"""What is ours in a live object: our managedFields entry, our values projected by it, and digests of both.

A `fieldsV1` tree has these keys: `f:NAME` a map key, `k:{...}` an entry of an associative list by its merge keys,
`v:VALUE` a member of a set, `i:N` a list index, `.` the container itself.  A key with an empty tree is a leaf: the whole
value is owned, or we wrote an empty map there (a *bare* path, delivery.md 3.1 a).  Pure.
"""

from __future__ import annotations

import fnmatch
import functools
import json
from typing import TYPE_CHECKING, Any

from appdelivery.model import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from appdelivery.delivery.ports import Bare

    Tree = dict[str, Any]
    Body = dict[str, Any]

FORM = 1  # of own_digest and tree_digest: rises when their making changes (delivery.md 3.1 l)
SHAPE = "shape"  # the digest of an object whose values no longer have the shape we applied
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
PRESENT: Tree = {".": {}}
FORGOTTEN: Tree = {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}  # removed with the subtraction


def entry(body: Body, manager: str, operation: str = "Apply") -> dict[str, Any] | None:
    """The manager's entry for the main resource."""
    for one in body["metadata"].get("managedFields") or ():
        if one.get("manager") == manager and one.get("operation") == operation and not one.get("subresource"):
            return one  # type: ignore[no-any-return]
    return None


def tree_of(body: Body, manager: str) -> Tree:
    found = entry(body, manager)
    return found.get("fieldsV1") or {} if found else {}


def owns(tree: Tree, *path: str) -> bool:
    """Whether the tree names a path of keys such as "f:spec", "f:replicas"."""
    for key in path:
        if key not in tree:
            return False
        tree = tree[key]
    return True


def own_digest(body: Body, manager: str, bare: Bare = ()) -> str:
    """Over what we own and what it is worth; '' when we own nothing.

    The names are part of it: an owned zero value is absent from the body, so only its name can get lost.
    """
    return digests(tree_of(body, manager), body, bare)[0]


def tree_digest(body: Body, manager: str) -> str:
    """Over the names of our fields and our labels and annotations: needs the metadata only."""
    return digests(tree_of(body, manager), body)[1]


def digests(tree: Tree, body: Body, bare: Bare = ()) -> tuple[str, str]:
    """own_digest and tree_digest of an object whose tree of ours is known: it is written out once for both."""
    if not tree:
        return "", ""
    names = canonical.text(tree)
    ours = tree.get("f:metadata") or {}
    shown = {key: ours[key] for key in ("f:labels", "f:annotations") if ours.get(key)}
    full = _with_bare(tree, bare)
    return (
        _digest(names if full is tree else canonical.text(full), full, body),
        _digest(names, shown, body["metadata"]),
    )


def _digest(names: str, tree: Tree, value: Any) -> str:
    """Of the canonical text of [names, values]."""
    try:
        values = canonical.text(project(tree, value))
    except (AttributeError, TypeError):
        return SHAPE
    return sha256.hexdigest(f"[{names},{values}]".encode())


def project(tree: Tree, value: Any) -> Any:
    """The part of value that tree names."""
    if type(value) is dict:
        out = {}
        for key, sub in tree.items():
            if key != "." and (name := meaning(key)) in value:
                out[name] = project(sub, value[name]) if sub else value[name]
        return out
    if type(value) is list:
        return _entries(tree, value)
    return value


def _entries(tree: Tree, value: list[Any]) -> list[Any]:
    """Our entries of an associative list or set, in the live order."""
    names: tuple[str, ...] = ()
    wanted: dict[Any, Tree] = {}
    for key, sub in tree.items():
        if key[0] == "k":
            names, values = meaning(key)
            wanted[values] = sub
        elif key[0] == "v":
            wanted[_hashable(meaning(key))] = sub
        elif key[0] == "i":
            return [value[i] for one in tree if one[0] == "i" and (i := meaning(one)) < len(value)]
    if not names:
        return [one for one in value if _hashable(one) in wanted]
    return [project(wanted[k], one) for one in value if (k := tuple([one.get(name) for name in names])) in wanted]


@functools.lru_cache(maxsize=100_000)  # a cluster repeats few keys; parsing them is most of a projection's cost
def meaning(key: str) -> Any:
    """What a key of a tree stands for.  Parsed, never compared as text: Go escapes `&` and `<` in it."""
    mark, text = key[:2], key[2:]
    if mark == "f:":
        return text
    if mark == "k:":
        keys = json.loads(text)
        return tuple(keys), tuple(keys.values())
    return _hashable(json.loads(text)) if mark in ("v:", "i:") else None


def _hashable(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value


def bare_paths(tree: Tree, desired: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Leaves where we wrote {}: what others put inside is not ours.  Found at apply, kept in the inventory row."""
    if not _holds_empty(desired):
        return
    if isinstance(desired, dict):
        for key, sub in tree.items():
            if key != "." and (value := desired.get(meaning(key))) is not None:
                if sub:
                    yield from bare_paths(sub, value, (*path, key))
                elif value == {}:
                    yield *path, key
    elif isinstance(desired, list):
        for key, sub in tree.items():
            if key[0] == "k" and sub:
                keys = dict(zip(*meaning(key), strict=True))
                for value in desired:  # the desired entry may lack a defaulted key
                    if isinstance(value, dict) and all(value.get(name, one) == one for name, one in keys.items()):
                        yield from bare_paths(sub, value, (*path, key))


def _holds_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return not value or any(_holds_empty(one) for one in value.values() if isinstance(one, dict | list))
    return isinstance(value, list) and any(_holds_empty(one) for one in value if isinstance(one, dict | list))


def _with_bare(tree: Tree, paths: Bare) -> Tree:
    """A copy in which the bare leaves ask for presence only."""
    for path in paths:
        if _leaf(tree, path):
            tree = _marked(tree, path)
    return tree


def _leaf(tree: Tree, path: tuple[str, ...]) -> bool:
    for step in path:
        if step not in tree:
            return False
        tree = tree[step]
    return not tree


def _marked(tree: Tree, path: tuple[str, ...]) -> Tree:
    step, *rest = path
    return {**tree, step: _marked(tree[step], tuple(rest)) if rest else PRESENT}


def subtract(tree: Tree, ours: Tree) -> Tree:
    """The part of a tree that we do not own.  A container of which nothing but itself is left goes too: ours keeps it."""
    out = {}
    for key, sub in tree.items():
        if key not in ours:
            out[key] = sub
        elif sub and ours[key] and (rest := subtract(sub, ours[key])) and rest != PRESENT:
            out[key] = rest
    return out


def without_ours(body: Body, manager: str, legacy: Sequence[str], *, drop: str = "") -> list[dict[str, Any]] | None:
    """managedFields after our tree was taken from the legacy managers' main entries; None when nothing changes.

    Entries of the manager `drop` go whole: it wrote for us, and the defaults recorded with it belong to nobody.
    """
    ours = tree_of(body, manager)
    before = body["metadata"].get("managedFields") or []
    kept = []
    for one in before:
        name = one.get("manager", "")
        if drop and name == drop:
            continue
        legacy_here = name != manager and not one.get("subresource") and _matches(name, legacy)
        rest = subtract(subtract(one.get("fieldsV1") or {}, ours), FORGOTTEN) if legacy_here else one.get("fieldsV1")
        if rest or not legacy_here:
            kept.append({**one, "fieldsV1": rest})
    return kept if kept != before else None


def _matches(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def managed_patch(body: Body, managed: list[dict[str, Any]], *, forget_last_applied: bool = False) -> list[dict[str, Any]]:
    """A JSON patch that rewrites managedFields.  `replace` of the version makes a stale one a 409; `test` would be a 422."""
    operations = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": body["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": managed},
    ]
    if forget_last_applied and LAST_APPLIED in (body["metadata"].get("annotations") or {}):
        operations.append({"op": "remove", "path": "/metadata/annotations/" + LAST_APPLIED.replace("/", "~1")})
    return operations
