"""Field ownership as path-set arithmetic: what a server-side apply does to an object and to its managedFields.

A path is a tuple of fieldsV1 keys (`f:spec`, `k:{"name":"web"}`, `v:"x"`); a set of paths is what a manager owns.
The entry of a map list is itself a path, so that it can be owned, dropped and shared.
"""

from __future__ import annotations

import json
from typing import Any

from appdelivery.delivery import listkeys
from appdelivery.model.refs import Kind

Path = tuple[str, ...]
Owned = set[Path]

UNMANAGED = {("f:apiVersion",), ("f:kind",)} | {
    ("f:metadata", f"f:{name}")
    for name in ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
}
ATOMIC_MAPS = ("selector", "nodeSelector")


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def names(path: Path) -> tuple[str, ...]:
    return tuple(step[2:] for step in path if step.startswith("f:"))


def shape(of: Kind, value: Any, path: Path) -> str:
    """map, atomic, list (with keys), set or leaf."""
    fields = names(path)
    if isinstance(value, dict):
        atomic = (
            bool(fields)
            and (fields[-1] in ATOMIC_MAPS or fields[-1].endswith("KeyRef"))
            and of.group in ("", "apps", "batch")
        )
        return "atomic" if atomic else "map"
    if isinstance(value, list):
        if listkeys.keys(of, fields):
            return "list"
        return "set" if listkeys.is_set(fields) else "atomic"
    return "leaf"


def step_of(of: Kind, entry: Any, path: Path) -> str:
    return "k:" + text(dict(listkeys.key_of(entry, listkeys.keys(of, names(path)))))


def fields(of: Kind, value: Any, path: Path = ()) -> Owned:
    """Every path that a body mentions."""
    kind = shape(of, value, path)
    out: Owned = set()
    if kind == "map" and value:
        for name, sub in value.items():
            at = (*path, f"f:{name}")
            if at not in UNMANAGED:
                out |= fields(of, sub, at)
    elif kind == "list" and value:
        for entry in value:
            at = (*path, step_of(of, entry, path))
            out |= {at} | fields(of, entry, at)
    elif kind == "set" and value:
        out = {(*path, f"v:{text(entry)}") for entry in value}
    elif path:
        out = {path}
    return out


def merge(of: Kind, live: Any, new: Any, path: Path = ()) -> Any:
    """`new` laid over `live`; entries of lists keep the order of the writer, others follow."""
    if live is None or type(live) is not type(new):
        return new
    kind = shape(of, new, path)
    if kind == "map":
        return {**live, **{name: merge(of, live.get(name), sub, (*path, f"f:{name}")) for name, sub in new.items()}}
    if kind == "list":
        have = {step_of(of, entry, path): entry for entry in live}
        want = {step_of(of, entry, path): entry for entry in new}
        return [merge(of, have.get(at), entry, (*path, at)) for at, entry in want.items()] + [
            entry for at, entry in have.items() if at not in want
        ]
    if kind == "set":
        return [*new, *[entry for entry in live if entry not in new]]
    return new


def remove(of: Kind, value: Any, gone: Owned, path: Path = ()) -> Any:
    """The value without exactly these paths; maps that become empty by it go too."""
    kind = shape(of, value, path)
    if kind == "map":
        out = {}
        for name, sub in value.items():
            at = (*path, f"f:{name}")
            if at in gone:
                continue
            rest = remove(of, sub, gone, at)
            if rest in ({}, []) and sub not in ({}, []):
                continue
            out[name] = rest
        return out
    if kind == "list":
        return [
            remove(of, entry, gone, (*path, step_of(of, entry, path)))
            for entry in value
            if (*path, step_of(of, entry, path)) not in gone
        ]
    if kind == "set":
        return [entry for entry in value if (*path, f"v:{text(entry)}") not in gone]
    return value


def value_at(of: Kind, tree: Any, path: Path) -> Any:
    """The value at a path; ABSENT where there is none."""
    at: Path = ()
    for step in path:
        if step.startswith("f:"):
            if not isinstance(tree, dict) or step[2:] not in tree:
                return ABSENT
            tree = tree[step[2:]]
        elif not isinstance(tree, list):
            return ABSENT
        elif step.startswith("v:"):
            return json.loads(step[2:]) if json.loads(step[2:]) in tree else ABSENT
        else:
            entry = next((e for e in tree if step_of(of, e, at) == step), ABSENT)
            if entry is ABSENT:
                return ABSENT
            tree = entry
        at = (*at, step)
    return tree


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def differing(of: Kind, before: Any, after: Any) -> Owned:
    """Leaf paths of `after` whose value in `before` is another or absent; entries of lists that are new."""
    out = set()
    for path in fields(of, after):
        was, now = value_at(of, before, path), value_at(of, after, path)
        if was is ABSENT or (not path[-1].startswith("k:") and was != now and not (now == {} and isinstance(was, dict))):
            out.add(path)
    return out


def to_v1(owned: Owned) -> dict[str, Any]:
    root: dict[str, Any] = {}
    inner = {path[:end] for path in owned for end in range(1, len(path))}
    for path in sorted(owned):
        at = root
        for step in path:
            at = at.setdefault(step, {})
        if path in inner:
            at["."] = {}
    return root


def from_v1(tree: dict[str, Any], path: Path = ()) -> Owned:
    out: Owned = set()
    for key, sub in tree.items():
        if key == ".":
            out.add(path)
        elif sub:
            out |= from_v1(sub, (*path, key))
        else:
            out.add((*path, key))
    return out


def show(path: Path) -> str:
    """As conflict answers name it: .spec.containers[name="web"].image."""
    out = ""
    for step in path:
        if step.startswith("f:"):
            out += f".{step[2:]}"
        elif step.startswith("k:"):
            out += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(step[2:]).items()) + "]"
        else:
            out += f"[={step[2:]}]"
    return out


def drop_subtree(owned: Owned, paths: Owned) -> Owned:
    """What is left of a manager's set when these paths, and all below them, changed hands."""
    return {path for path in owned if not any(path[: len(gone)] == gone for gone in paths)}


def group_kind(body: dict[str, Any]) -> tuple[str, str]:
    return body["apiVersion"].rpartition("/")[0], body["kind"]
