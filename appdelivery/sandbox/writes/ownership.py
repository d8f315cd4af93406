"""Who owns which fields: `managedFields` after an Update and after an Apply, as the server's field manager computes them.

`updated` and `applied` are pure: bodies in, bodies and entries out.  Versions other than the request's are compared in
their own form, through the `convert` they are handed.
"""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import fieldsets, merging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.fieldsets import Path, Paths
    from appdelivery.sandbox.writes.merging import Comparison
    from appdelivery.sandbox.writes.types import Type

    Owner = tuple[str, str, str, str]  # manager, operation, apiVersion ('' of an Apply), subresource
    Convert = Callable[[Body, str], "tuple[Type, Body] | None"]

APPLY, UPDATE = "Apply", "Update"
FIRST = "before-first-apply"
ANCIENT = "ancient-changes"
MOST_UPDATERS = 10
STRIPPED = frozenset(
    [("f:apiVersion",), ("f:kind",), ("f:metadata",)]
    + [
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
            "resourceVersion",
        )
    ]
)  # fmt: skip


class Entry:
    """One entry of managedFields.  tree: its fieldsV1 as long as `paths` are unchanged."""

    __slots__ = ("api_version", "manager", "operation", "paths", "subresource", "time", "tree")

    def __init__(self, manager: str, operation: str, api_version: str, subresource: str, time: str | None) -> None:
        self.manager = manager
        self.operation = operation
        self.api_version = api_version
        self.subresource = subresource
        self.time = time
        self.paths: Paths = frozenset()
        self.tree: dict[str, Any] | None = None

    @property
    def owner(self) -> Owner:
        version = self.api_version if self.operation == UPDATE else ""
        return self.manager, self.operation, version, self.subresource

    def take(self, paths: Paths) -> None:
        if paths != self.paths:
            self.paths, self.tree = paths, None

    def body(self) -> Body:
        tree = fieldsets.written(self.paths) if self.tree is None else self.tree
        found: Body = {"manager": self.manager, "operation": self.operation, "apiVersion": self.api_version}
        if self.time:
            found["time"] = self.time
        found |= {"fieldsType": "FieldsV1", "fieldsV1": tree}
        if self.subresource:
            found["subresource"] = self.subresource
        return found


Managed = dict["Owner", Entry]


@dataclass(frozen=True, slots=True)
class Write:
    """One write: in which version, of which type, by whom, when, and which paths the kind takes back on this way."""

    api_version: str
    type: Type
    manager: str
    subresource: str
    now: str
    reset: Paths
    convert: Convert

    def entry(self, operation: str) -> Entry:
        return Entry(self.manager, operation, self.api_version, self.subresource, self.now)


def parsed(entries: list[Body]) -> Managed:
    found: Managed = {}
    for body in entries:
        entry = Entry(
            body.get("manager", ""), body.get("operation", ""), body.get("apiVersion", ""), body.get("subresource", ""),
            body.get("time"),
        )  # fmt: skip
        entry.tree = body.get("fieldsV1") or {}
        entry.paths = fieldsets.parsed(entry.tree)
        found[entry.owner] = entry
    return found


def written(managed: Managed) -> list[Body]:
    """In the server's order; entries that own nothing are left out."""
    kept = [entry for entry in managed.values() if entry.paths]
    kept.sort(key=lambda e: (e.operation, e.time or "", e.manager, e.api_version, e.subresource))
    return [entry.body() for entry in kept]


def stated(live: Body | None, new: Body, *, subresource: str) -> list[Body]:
    """The entries that count for an Update: the request's own, if it sends some, else those of the live object."""
    before: list[Body] = (live or {}).get("metadata", {}).get("managedFields") or []
    sent = new.get("metadata", {}).get("managedFields")
    if subresource or sent is None:
        return before
    if sent in ([], [{}]):
        return []  # the reset
    return sent if isinstance(sent, list) and sent and _sound(sent) else before


def _sound(entries: list[Body]) -> bool:
    return all(
        isinstance(entry, dict)
        and entry.get("operation") in (APPLY, UPDATE)
        and entry.get("fieldsType") == "FieldsV1"
        and entry.get("apiVersion")
        for entry in entries
    )


# --- Update ---


def updated(write: Write, live: Body | None, new: Body, entries: list[Body], *, blank: Body) -> list[Body]:
    """managedFields after a create, PUT or patch.  live: None for a create; blank: an empty object of the type."""
    if not entries and live is not None:
        return []  # fields of an object whose tracking was reset are not tracked
    managed = parsed(entries)
    _update(write, blank if live is None else live, new, managed, write.entry(UPDATE))
    return written(managed)


def _update(write: Write, live: Body, new: Body, managed: Managed, entry: Entry) -> None:
    compared = _change(write, live, new, managed, None, force=True)
    gained = (compared.added | compared.modified) - STRIPPED
    if gained:
        before = managed.get(entry.owner)
        if before is None:
            managed[entry.owner] = before = entry
        before.take(before.paths | gained)
        before.time = write.now
        before.api_version = entry.api_version
    _cap(managed)


def _change(write: Write, live: Body, new: Body, managed: Managed, actor: Owner | None, *, force: bool) -> Comparison:
    """Takes from the others what changed; refuses when they own it and nothing forces it."""
    own = merging.compare(write.type, live, new).without(write.reset)
    versions: dict[str, Comparison | None] = {write.api_version: own}
    conflicts: dict[Owner, set[Path]] = {}
    for owner, entry in list(managed.items()):
        if owner == actor:
            continue
        if entry.api_version not in versions:
            versions[entry.api_version] = _elsewhere(write, live, new, entry.api_version)
        compared = versions[entry.api_version]
        if compared is None:
            del managed[owner]
            continue
        lost = entry.paths & (compared.added | compared.modified)
        if lost:
            conflicts[owner] = set(lost)
    if conflicts and not force:
        raise Conflicts(conflicts, managed)
    for owner, entry in managed.items():
        if owner != actor:
            compared = versions[entry.api_version]
            if compared is not None:
                entry.take(entry.paths - conflicts.get(owner, frozenset()) - compared.removed)
    return own


def _elsewhere(write: Write, live: Body, new: Body, api_version: str) -> Comparison | None:
    before, after = write.convert(live, api_version), write.convert(new, api_version)
    if before is None or after is None:
        return None
    return merging.compare(before[0], before[1], after[1]).without(write.reset)


def _cap(managed: Managed) -> None:
    """More than ten updaters: the oldest of a version are put together."""
    updaters = [entry for entry in managed.values() if entry.operation == UPDATE and entry.paths]
    if len(updaters) <= MOST_UPDATERS:
        return
    updaters.sort(key=lambda e: (e.time or "", e.manager))
    count = len(updaters)
    first: dict[str, Entry] = {}
    for entry in updaters:
        if count <= MOST_UPDATERS:
            return
        oldest = first.setdefault(entry.api_version, entry)
        if oldest is entry:
            continue
        bucket = Entry(ANCIENT, UPDATE, entry.api_version, "", entry.time)
        bucket = managed.setdefault(bucket.owner, bucket)
        bucket.take(bucket.paths | oldest.paths | entry.paths)
        bucket.time = entry.time
        for gone in (oldest, entry):
            if gone is not bucket:
                managed.pop(gone.owner, None)
        first[entry.api_version] = bucket
        count -= 1


# --- Apply ---


class Conflicts(Exception):
    """Fields that others own and the applied object would change."""

    def __init__(self, paths: dict[Owner, set[Path]], managed: Managed) -> None:
        super().__init__()
        self.paths = paths
        self.managed = managed

    def without(self, allowed: Paths) -> Conflicts:
        left = {owner: paths - allowed for owner, paths in self.paths.items()}
        return Conflicts({owner: paths for owner, paths in left.items() if paths}, self.managed)

    def refusal(self) -> status.Refusal:
        found = [
            (owner, path) for owner in sorted(self.paths, key=_identifier) for path in sorted(self.paths[owner], key=_level)
        ]
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {_name(owner)}", "field": fieldsets.worded(path)}
            for owner, path in found
        ]
        if len(found) == 1:
            message = f"Apply failed with 1 conflict: conflict with {_name(found[0][0])}: {fieldsets.worded(found[0][1])}"
        else:
            lines = []
            for owner in sorted(self.paths, key=_identifier):
                lines.append(f"conflicts with {_name(owner)}:")
                lines += [f"- {fieldsets.worded(path)}" for path in sorted(self.paths[owner], key=_level)]
            message = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
        return status.Refusal(409, "Conflict", message, details={"causes": causes})


def _level(path: Path) -> list[tuple[bool, str]]:
    """The server's order of a set: members of a level before what lies below any of them."""
    last = len(path) - 1
    return [(at < last, element) for at, element in enumerate(path)]


def _identifier(owner: Owner) -> str:
    """What the server orders managers by."""
    names = ("manager", "operation", "apiVersion", "subresource")
    return fieldsets.encoded({name: value for name, value in zip(names, owner, strict=True) if value})


def _name(owner: Owner) -> str:
    manager, operation, version, subresource = owner
    said = fieldsets.quoted(manager)
    if subresource:
        said += f" with subresource {fieldsets.quoted(subresource)}"
    return f"{said} using {version}" if operation == UPDATE else said


def applied(
    write: Write, live: Body, config: Body, entries: list[Body], *, force: bool, blank: Body, allowed: Paths = frozenset()
) -> tuple[Body, list[Body]]:
    """The merged body, not yet decoded, and managedFields; both bodies without their managedFields.

    allowed: fields whose conflicts are forced, those of a client-side apply before."""
    managed = parsed(entries)
    if not managed and live is not blank:
        first = Entry(FIRST, UPDATE, write.api_version, "", write.now)
        _update(write, blank, live, managed, first)
    try:
        merged, after = _apply(write, live, config, managed, force=force)
    except Conflicts as found:
        rest = found.without(allowed)
        if rest.paths or not allowed:
            raise rest.refusal() from None
        merged, after = _apply(write, live, config, managed, force=True)
    return merged, written(after)


def _apply(write: Write, live: Body, config: Body, managed: Managed, *, force: bool) -> tuple[Body, Managed]:
    merged = merging.merge(write.type, live, config)
    mentioned = merging.fields(write.type, config)
    if write.reset:
        mentioned -= fieldsets.below(mentioned, write.reset)
    entry = write.entry(APPLY)
    before = managed.get(entry.owner)
    after = dict(managed)
    entry.paths = mentioned
    after[entry.owner] = entry
    if before is not None and before.paths:
        merged = _prune(write, merged, before, after)
    if len(after) > 1:
        _change(write, live, merged, after, entry.owner, force=force)
    entry.take(entry.paths - STRIPPED)
    if before is not None and entry.paths == before.paths:
        entry.tree = before.tree
    if merged == live:  # the order of a list counts, though it is no field of anybody's
        entry.time = before.time if before is not None else None
    return merged, after


def _prune(write: Write, merged: Body, last: Entry, managed: Managed) -> Body:
    """Without what the manager applied the last time, does not now, and nobody else owns."""
    claimed: dict[str, set[Path]] = {}
    for entry in managed.values():
        claimed.setdefault(entry.api_version, set()).update(entry.paths)
    if last.paths <= claimed.get(last.api_version, set()):
        return merged
    version = last.api_version
    form = _form(write, merged, version)
    if form is None:
        return merged
    type, whole = form
    dropped = merging.remove(type, whole, fieldsets.named(last.paths, type))
    for at in sorted(claimed, key=lambda one: one != version):
        whole, dropped, type = _add_back(write, (whole, dropped, version), claimed[at], at)
        version = at
    form, pruned = _form(write, whole, last.api_version, version), _form(write, dropped, last.api_version, version)
    if form is None or pruned is None:
        return merged
    type, whole = form
    gone = fieldsets.named(merging.fields(type, whole), type) - fieldsets.named(merging.fields(type, pruned[1]), type)
    result = merging.remove(type, whole, gone & fieldsets.named(last.paths, type))
    back = _form(write, result, write.api_version, last.api_version)
    return merged if back is None else back[1]


def _add_back(write: Write, at: tuple[Body, Body, str], claimed: Paths, version: str) -> tuple[Body, Body, Type]:
    """Puts back what somebody claims in a version."""
    form, pruned = _form(write, at[0], version, at[2]), _form(write, at[1], version, at[2])
    if form is None or pruned is None:
        return at[0], at[1], write.type
    type, whole = form
    kept = fieldsets.named(merging.fields(type, pruned[1]), type) | fieldsets.named(claimed, type)
    gone = fieldsets.named(merging.fields(type, whole), type) - kept
    return whole, merging.remove(type, whole, gone), type


def _form(write: Write, body: Body, version: str, now: str = "") -> tuple[Type, Body] | None:
    if version == (now or write.api_version) == write.api_version:
        return write.type, body
    return write.convert(body, version)
