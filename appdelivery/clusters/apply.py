"""Writing one object: server-side apply, with the three rewrites that some answers and adoptions ask for.

Called by fleet.py.  One request in the ordinary case.  More when the server says that our entry names a removed version
(delivery.md 6), that a foreign list entry is in the way (3.1 g), or when legacy managers are to be absorbed (6.2).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import answers, ownership, together, transport, wire
from appdelivery.delivery.ports import Applied, ApplyOptions
from appdelivery.model import fieldpath, marks, redact, secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from appdelivery.clusters.cluster import Cluster
    from appdelivery.delivery.ports import ResolveSecret
    from appdelivery.model.refs import Ref

    Body = dict[str, Any]

RETRIES = 5  # of a guarded patch that somebody else's write made stale
REPLACER = f"{marks.MANAGER}-replace"


@dataclasses.dataclass(slots=True)
class _Write:
    """One apply on its way: what is sent, where to, and how many requests it took."""

    cluster: Cluster
    ref: Ref
    path: str
    body: Body
    how: ApplyOptions
    doing: str
    encoded: bytes = b""  # the body as it is sent; made when it is needed
    requests: int = 0
    passing: str = ""  # a second manager of ours, whose entry is dropped afterwards

    async def send(
        self, verb: str, body: bytes | None = None, *, content_type: str = transport.JSON, manager: str = "", **query: str
    ) -> transport.Answer:
        self.requests += 1
        asked = {"fieldManager": manager} if manager else {}
        if self.how.dry_run and verb != "GET":
            asked["dryRun"] = "All"
        return await self.cluster.transport.request(
            verb,
            self.path,
            body,
            doing=self.doing,
            query=asked | query,
            content_type=content_type,
        )

    def text(self) -> bytes:
        self.encoded = self.encoded or wire.dumps(self.body)
        return self.encoded

    async def apply(self, *, force: bool) -> transport.Answer:
        return await self.send(
            "PATCH",
            self.text(),
            content_type=transport.APPLY,
            manager=self.how.manager,
            force="true" if force else "false",
            fieldValidation="Strict",
        )

    async def patch(self, operations: list[dict[str, Any]]) -> Body:
        body = wire.dumps(operations)
        answer = await self.send("PATCH", body, content_type=transport.JSON_PATCH, manager=self.how.manager)
        return answer.body  # type: ignore[no-any-return]

    async def live(self) -> Body:
        return (await self.send("GET")).body  # type: ignore[no-any-return]


async def apply(
    cluster: Cluster, ref: Ref, body: Body, how: ApplyOptions, *, resolve: ResolveSecret | None = None
) -> Applied:
    sent, encoded, secrets = await _opened(body, resolve)
    if how.leave_out or how.expect_version:
        encoded = b""
    for path in how.leave_out:
        sent = fieldpath.without(sent, fieldpath.parse(path))
    if how.expect_version:
        sent = {**sent, "metadata": {**sent["metadata"], "resourceVersion": str(how.expect_version)}}
    verb = "dry run of" if how.dry_run else "replace" if how.mode == "replace" else "apply"
    doing = f"{verb} {ref} on cluster {cluster.name}"
    write = _Write(cluster, ref, await cluster.path(ref), sent, how, doing, encoded)
    try:
        answer = await (_replace(write) if how.mode == "replace" else _applied(write))
        after = await _absorb(write, answer.body)
    except errors.ClusterError as error:
        _redact(error, secrets)
        raise
    return _result(write, answer, after)


async def _applied(write: _Write) -> transport.Answer:
    try:
        return await write.apply(force=write.how.force)
    except errors.Rejected as error:
        if error.code == answers.ENTRY_VERSION and not write.how.dry_run:
            await _move_entry(write)
        elif (
            error.status == 422
            and write.how.force
            and not write.how.dry_run
            and (lists := await _lists_in_the_way(write, error))
        ):
            return await _replace_lists(write, lists)
        else:
            raise
    return await write.apply(force=write.how.force)


async def _move_entry(write: _Write) -> None:
    """Our entry names a version that the CRD no longer has: until it is rewritten, every apply of ours fails."""

    def moved(live: Body) -> list[dict[str, Any]] | None:
        managed = live["metadata"].get("managedFields") or []
        new = [
            {**one, "apiVersion": write.ref.api_version} if one.get("manager") == write.how.manager else one
            for one in managed
        ]
        return ownership.managed_patch(live, new) if new != managed else None

    await _guarded(write, None, moved)


async def _lists_in_the_way(write: _Write, error: errors.Rejected) -> list[tuple[Any, ...]]:
    """Lists of ours whose live form holds foreign entries that ours cannot stand beside (a port's name, twice)."""
    named = [_list_path(field) for field, _ in error.fields if field]
    candidates = [path for path in dict.fromkeys(named) if isinstance(fieldpath.get(write.body, path), list)]
    if not candidates:
        return []
    try:
        live = await write.live()
    except errors.Missing:
        return []
    if not ownership.tree_of(live, write.how.manager):
        return []  # not ours yet: what stands there is not for us to replace
    return [path for path in candidates if _foreign(fieldpath.get(live, path), fieldpath.get(write.body, path))]


def _list_path(field: str) -> tuple[Any, ...]:
    """`spec.ports[1].name` > (spec, ports): up to the first list."""
    return tuple(field.partition("[")[0].strip(".").split("."))


def _foreign(live: Any, ours: list[Any]) -> bool:
    """Whether the live list has an entry that is not an extension of one of ours."""

    def extends(entry: Any) -> bool:
        return any(
            entry == one
            or (isinstance(one, dict) and isinstance(entry, dict) and all(entry.get(k) == v for k, v in one.items()))
            for one in ours
        )

    return isinstance(live, list) and any(not extends(entry) for entry in live)


async def _replace_lists(write: _Write, lists: list[tuple[Any, ...]]) -> transport.Answer:
    """One merge patch puts our lists there whole, then the apply; the patch's entry is taken back at once."""
    change: Body = {}
    for path in lists:
        at = change
        for step in path[:-1]:
            at = at.setdefault(step, {})
        at[path[-1]] = fieldpath.get(write.body, path)
    await write.send("PATCH", wire.dumps(change), content_type=transport.MERGE_PATCH, manager=marks.REPAIR)
    answer = await write.apply(force=True)
    write.passing = marks.REPAIR
    return answer


async def _replace(write: _Write) -> transport.Answer:
    """GET, then PUT of what we render: fields we do not render go.  An apply afterwards records that it is ours."""
    try:
        live = await write.live()
    except errors.Missing:
        return await write.apply(force=write.how.force)
    metadata = {**write.body["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
    if write.how.expect_version:
        metadata["resourceVersion"] = str(write.how.expect_version)
    for kept in ("finalizers", "ownerReferences"):  # they guard what others still have to do
        if kept in live["metadata"] and kept not in metadata:
            metadata[kept] = live["metadata"][kept]
    whole = wire.dumps({**write.body, "metadata": metadata})
    answer = await write.send("PUT", whole, manager=REPLACER, fieldValidation="Strict")
    if write.how.dry_run:
        return answer
    # Conditional on the version before the PUT, which our own PUT has just made stale.
    ours = {key: value for key, value in write.body["metadata"].items() if key != "resourceVersion"}
    write.body, write.encoded = {**write.body, "metadata": ours}, b""
    write.passing = REPLACER
    return await write.apply(force=True)


async def _absorb(write: _Write, body: Body) -> Body:
    """Takes our tree from the entries of legacy managers, so that a field we drop later does disappear."""
    if not (write.how.absorb or write.passing) or write.how.dry_run:
        return body

    def subtracted(live: Body) -> list[dict[str, Any]] | None:
        managed = ownership.without_ours(live, write.how.manager, write.how.absorb, drop=write.passing)
        if managed is None:
            return None
        return ownership.managed_patch(live, managed, forget_last_applied=True)

    return await _guarded(write, body, subtracted)


async def _guarded(write: _Write, live: Body | None, change: Callable[[Body], list[dict[str, Any]] | None]) -> Body:
    """A JSON patch conditional on the version it was made from; made anew while others write in between."""
    for attempt in range(RETRIES):
        if live is None:
            live = await write.live()
        operations = change(live)
        if operations is None:
            return live
        try:
            return await write.patch(operations)
        except errors.Stale:
            if attempt == RETRIES - 1:
                raise
            live = None
    raise AssertionError


async def _opened(body: Body, resolve: ResolveSecret | None) -> tuple[Body, bytes, list[str]]:
    """The body with its secrets written out, its encoding where that is known, and the secrets' values.

    Encoding meets every secret there is, and most objects have none: they are neither walked nor copied.
    """
    met: list[secret.Secret] = []
    encoded = wire.dumps(body, lambda value: _met(value, met))
    if not met:
        return body, encoded, []
    resolved = await _resolved(body, resolve)
    return secret.opened(resolved), b"", redact.values(resolved)


def _met(value: Any, met: list[secret.Secret]) -> None:
    if not isinstance(value, secret.Secret):
        raise TypeError(f"a {type(value).__name__} cannot be sent")
    met.append(value)


async def _resolved(tree: Any, resolve: ResolveSecret | None) -> Any:
    """Referenced secrets replaced by given ones, all of an object at once."""
    wanted = {one.ref for one in secret.inside(tree) if one.ref is not None}
    if not wanted:
        return tree
    if resolve is None:
        raise errors.Bug("an object refers to stored secrets, but this fleet was made without resolve_secret")
    order = list(wanted)
    values = dict(zip(order, await together.all_of([resolve(ref) for ref in order]), strict=True))
    return _with_values(tree, values)


def _with_values(tree: Any, values: dict[Any, secret.Secret]) -> Any:
    if isinstance(tree, secret.Secret):
        if tree.ref is None:
            return tree
        plain = values[tree.ref]
        return plain.as_base64() if tree.encoded else plain
    if isinstance(tree, dict):
        return {key: _with_values(value, values) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_values(value, values) for value in tree]
    return tree


def _redact(error: errors.ClusterError, values: list[str]) -> None:
    """Servers quote values in their refusals; a secret must not leave that way."""
    if not values:
        return
    error.message = redact.text(error.message, values)
    error.args = (error.message, *error.args[1:])
    if isinstance(error, errors.Rejected):
        error.fields = tuple([(field, redact.text(text, values)) for field, text in error.fields])


def _result(write: _Write, answer: transport.Answer, body: Body) -> Applied:
    metadata = body["metadata"]
    version = int(metadata.get("resourceVersion") or 0)
    known = write.how.known_version or write.how.expect_version
    tree = ownership.tree_of(body, write.how.manager)
    bare = tuple(ownership.bare_paths(tree, write.body)) if b"{}" in write.text() else ()
    own_digest, tree_digest = ownership.digests(tree, body, bare)
    return Applied(
        result="created" if answer.status == 201 else "unchanged" if known and known == version else "configured",
        uid=metadata.get("uid", ""),
        version=version,
        generation=int(metadata.get("generation") or 0),
        own_digest=own_digest,
        tree_digest=tree_digest,
        bare=bare,
        body=body,
        requests=write.requests,
    )
