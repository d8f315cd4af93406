"""One cluster in memory: objects with versions, ownership, deletion, and whoever listens to its changes."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Any

from fakes import kinds, ssa

from appdelivery import errors
from appdelivery.model import fieldpath
from appdelivery.model.live import Served
from appdelivery.model.refs import Kind, Ref, Selector, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from appdelivery.delivery.ports import ApplyOptions, DeleteOptions

Body = dict[str, Any]
Identity = tuple[str, str, str, str]
Managers = dict[tuple[str, str, str], ssa.Owned]  # (manager, operation, subresource)


class World:
    def __init__(self, name: str, clock: Callable[[], datetime], weather: Callable[[Body], Body | None]) -> None:
        self.name = name
        self.uid = _uid(f"cluster {name}")
        self.objects: dict[Identity, Body] = {}
        self.version = 100
        self.listeners: list[Callable[[tuple[str, Body]], None]] = []
        self.deleted: list[Identity] = []  # every object that ever went, in order
        self._created = 0
        self._held: set[Identity] = set()  # being deleted, kept by finalizers
        self._clock = clock
        self._weather = weather
        self._kinds = kinds.served()

    # --- reading ----------------------------------------------------------------------------------------------------
    def served(self) -> dict[Kind, Served]:
        found = dict(self._kinds)
        for body in self.objects.values():
            if body["kind"] == "CustomResourceDefinition" and _established(body):
                spec = body["spec"]
                for version in spec["versions"]:
                    if version.get("served", True):
                        of = Kind(spec["group"], version["name"], spec["names"]["kind"])
                        found[of] = Served(of, spec["names"]["plural"], spec["scope"] == "Namespaced", kinds.VERBS)
        return found

    def must_serve(self, kind: Kind) -> None:
        if kind not in self.served():
            raise errors.NotServed(f"cluster {self.name} does not serve {kind}")

    def get(self, ref: Ref) -> Body | None:
        found = self.objects.get(ref.identity)
        return _copied(found) if found is not None else None

    def select(self, kind: Kind, namespace: str, selector: Selector) -> list[Body]:
        out = []
        for identity in sorted(self.objects):
            group, name, space, _ = identity
            body = self.objects[identity]
            if (group, name) == (kind.group, kind.kind) and namespace in ("", space) and matches(body, selector):
                out.append(_copied(body))
        return out

    # --- writing ----------------------------------------------------------------------------------------------------
    def apply(self, ref: Ref, sent: Body, how: ApplyOptions) -> Body:
        for path in how.leave_out:
            sent = fieldpath.without(sent, fieldpath.parse(path))
        live = self.objects.get(ref.identity)
        self._allowed(ref, live, sent, how.expect_version)
        if how.mode == "replace":
            return self._replace(ref, live, sent, how)
        of = ref.of
        new = ssa.fields(of, sent)
        managers = _managers(live)
        me = (how.manager, "Apply", "")
        changed = ssa.differing(of, live, sent) if live is not None else new
        clashes = sorted(
            (manager, operation, sub, ssa.show(path))
            for (manager, operation, sub), owned in managers.items()
            for path in changed & owned
            if (manager, operation, sub) != me and not path[-1].startswith("k:")
        )
        if clashes and not how.force:
            shown = ", ".join(f"{path} owned by {manager}" for manager, _, _, path in clashes)
            raise errors.FieldConflict(f"apply {ref} on cluster {self.name}: conflict with {shown}", clashes)
        merged = ssa.merge(of, live, sent) if live is not None else sent
        others = {path for key, owned in managers.items() if key != me for path in owned}
        held = {path[:end] for path in others for end in range(1, len(path) + 1)}
        gone = {path for path in managers.get(me, set()) - new if path not in held}
        merged = ssa.remove(of, merged, gone)
        taken = {path for path in changed if not path[-1].startswith("k:")}
        managers = {key: owned if key == me else owned - taken for key, owned in managers.items()}
        managers[me] = new
        return self._store(ref, live, merged, managers, versions={me: sent["apiVersion"]}, dry_run=how.dry_run)

    def _replace(self, ref: Ref, live: Body | None, sent: Body, how: ApplyOptions) -> Body:
        of, me = ref.of, (how.manager, "Apply", "")
        keep = {"status": live["status"]} if live and "status" in live else {}
        guards = {k: live["metadata"][k] for k in ("finalizers", "ownerReferences") if live and k in live["metadata"]}
        sent = {**sent, "metadata": {**guards, **sent["metadata"]}}
        changed = ssa.differing(of, live or {}, sent)
        new = ssa.fields(of, sent)
        managers = {k: (owned - changed) & new for k, owned in _managers(live).items() if k != me and not k[2]}
        managers[me] = new
        versions = {me: sent["apiVersion"]}
        return self._store(ref, live, {**sent, **keep}, managers, versions=versions, dry_run=how.dry_run)

    def edit(self, ref: Ref, patch: Body, *, manager: str, subresource: str = "") -> Body:
        live = self.objects[ref.identity]
        of = ref.of
        after = _merge_patch(live, patch)
        changed = ssa.differing(of, live, after)
        gone = {path for path in ssa.fields(of, live) if ssa.value_at(of, after, path) is ssa.ABSENT}
        managers = {k: ssa.drop_subtree(owned, gone) - changed for k, owned in _managers(live).items()}
        me = (manager, "Update", subresource)
        managers[me] = managers.get(me, set()) | changed
        return self._store(ref, live, after, managers, versions={me: of.api_version})

    def put(self, body: Body, managers: Managers, *, manager: str, operation: str = "Update") -> Body:
        ref = _ref(body)
        owned = ssa.fields(ref.of, body)
        return self._store(ref, self.objects.get(ref.identity), body, {**managers, (manager, operation, ""): owned})

    def rewrite(self, ref: Ref, managed: list[Body], *, forget: str = "") -> Body:
        """The guarded patch of managedFields."""
        live = _copied(self.objects[ref.identity])
        live["metadata"]["managedFields"] = managed
        (live["metadata"].get("annotations") or {}).pop(forget, None)
        self._commit(ref, live)
        return _copied(live)

    def wipe(self, ref: Ref) -> None:
        """Somebody removed managedFields."""
        live = _copied(self.objects[ref.identity])
        live["metadata"]["managedFields"] = []
        self._commit(ref, live)

    def set_status(self, ref: Ref, status: Body) -> None:
        live = _copied(self.objects[ref.identity])
        if live.get("status") != status:
            live["status"] = status
            self._commit(ref, live, quiet=True)

    def delete(self, ref: Ref, how: DeleteOptions) -> str:
        live = self.objects.get(ref.identity)
        if live is None:
            return "absent"
        metadata = live["metadata"]
        if (how.uid and how.uid != metadata["uid"]) or (how.version and str(how.version) != metadata["resourceVersion"]):
            raise errors.Stale(f"delete {ref} on cluster {self.name}: it is not the object that was seen")
        if how.dry_run:
            return "deleted"
        if metadata.get("finalizers"):
            self._held.add(ref.identity)
            self._commit(ref, _copied(live) | {"metadata": {**metadata, "deletionTimestamp": self._now()}})
            return "deleting"
        if how.propagation == "Foreground":
            self._commit(ref, _copied(live) | {"metadata": {**metadata, "deletionTimestamp": self._now()}})
            asyncio.get_running_loop().call_soon(self._remove, ref.identity, metadata["uid"], how.propagation)
            return "deleting"
        self._remove(ref.identity, metadata["uid"], how.propagation)
        return "deleted"

    def unfinalize(self, ref: Ref) -> None:
        """Whoever held the object lets go."""
        live = self.objects[ref.identity]
        live["metadata"].pop("finalizers", None)
        if "deletionTimestamp" in live["metadata"]:
            self._remove(ref.identity, live["metadata"]["uid"], "Background")

    # --- inside -----------------------------------------------------------------------------------------------------
    def _allowed(self, ref: Ref, live: Body | None, sent: Body, expect_version: int) -> None:
        doing = f"apply {ref} on cluster {self.name}"
        if ref.namespace and ("", "Namespace", "", ref.namespace) not in self.objects:
            raise errors.Missing(f'{doing}: namespaces "{ref.namespace}" not found', code="cluster.missing-namespace")
        if expect_version and (live is None or live["metadata"]["resourceVersion"] != str(expect_version)):
            raise errors.Stale(f"{doing}: the object has been modified")
        if live is None:
            return
        for path in kinds.IMMUTABLE.get(ref.kind, ()):
            steps = fieldpath.parse(f".{path}")
            wanted, have = fieldpath.get(sent, steps), fieldpath.get(live, steps)
            if wanted is not None and wanted != have:
                text = "field is immutable"
                raise errors.Rejected(f"{doing}: {path}: {text}", code="cluster.immutable-field", fields=[(path, text)])

    def _store(
        self,
        ref: Ref,
        live: Body | None,
        body: Body,
        managers: Managers,
        *,
        versions: dict[tuple[str, str, str], str] | None = None,
        dry_run: bool = False,
    ) -> Body:
        body = _copied(kinds.defaulted(body, self.version))
        body["apiVersion"], body["kind"] = ref.api_version, ref.kind
        fixed = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
        if live is None:
            self._created += 1
            fixed |= {"uid": _uid(f"{self.name} {ref} {self._created}"), "creationTimestamp": self._now()}
            if ref.kind in kinds.WITH_GENERATION:
                fixed["generation"] = 1
        else:
            kept = ("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")
            fixed |= {key: live["metadata"][key] for key in kept if key in live["metadata"]}
            if ref.kind in kinds.WITH_GENERATION and live.get("spec") != body.get("spec"):
                fixed["generation"] = int(live["metadata"].get("generation") or 0) + 1
        body["metadata"] = {**body["metadata"], **fixed, "managedFields": self._entries(live, managers, versions or {}, ref)}
        if live is not None and _timeless(body) == _timeless(live):
            return _copied(live)
        if dry_run:
            body["metadata"].setdefault("resourceVersion", str(self.version + 1))
            if live is not None:
                body["metadata"]["resourceVersion"] = str(self.version + 1)
            return body
        self._commit(ref, body)
        return _copied(body)

    def _entries(
        self, live: Body | None, managers: Managers, versions: dict[tuple[str, str, str], str], ref: Ref
    ) -> list[Body]:
        old = {_key(entry): entry for entry in (live or {}).get("metadata", {}).get("managedFields", ())}
        out = []
        for key, owned in managers.items():
            if not owned:
                continue
            tree = ssa.to_v1(owned)
            was = old.get(key)
            version = versions.get(key) or (was or {}).get("apiVersion") or ref.api_version
            same = was is not None and was["fieldsV1"] == tree and was["apiVersion"] == version
            manager, operation, sub = key
            entry = {"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1"}
            entry |= {"fieldsV1": tree, "time": was["time"] if same and was else self._now()}
            out.append(entry | ({"subresource": sub} if sub else {}))
        return sorted(out, key=_key)

    def _commit(self, ref: Ref, body: Body, *, quiet: bool = False) -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[ref.identity] = _copied(body)
        self._tell("seen", body)
        if "deletionTimestamp" in body["metadata"] and not body["metadata"].get("finalizers") and not quiet:
            self._last_hold_gone(ref, body)
            return
        if not quiet and "deletionTimestamp" not in body["metadata"] and (status := self._weather(body)) is not None:
            self.set_status(ref, status)

    def _last_hold_gone(self, ref: Ref, body: Body) -> None:
        if ref.identity in self._held:
            self._held.discard(ref.identity)
            self._remove(ref.identity, body["metadata"]["uid"], "Background")

    def _remove(self, identity: Identity, uid: str, propagation: str) -> None:
        live = self.objects.get(identity)
        if live is None or live["metadata"]["uid"] != uid:
            return
        del self.objects[identity]
        self.version += 1
        self.deleted.append(identity)
        self._tell("gone", live)
        for other, body in list(self.objects.items()):
            owners = [owner.get("uid") for owner in body["metadata"].get("ownerReferences", ())]
            if uid in owners and propagation != "Orphan":
                self._remove(other, body["metadata"]["uid"], propagation)
        self._remove_inside(live)

    def _remove_inside(self, live: Body) -> None:
        spec = live.get("spec") or {}
        for (group, kind, namespace, _), body in list(self.objects.items()):
            in_namespace = live["kind"] == "Namespace" and namespace == live["metadata"]["name"]
            of_kind = live["kind"] == "CustomResourceDefinition" and (group, kind) == (spec["group"], spec["names"]["kind"])
            if in_namespace or of_kind:
                self._remove(_ref(body).identity, body["metadata"]["uid"], "Background")

    def _tell(self, what: str, body: Body) -> None:
        for listener in list(self.listeners):
            listener((what, _copied(body)))

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def _copied(tree: Any) -> Any:
    """A deep copy; bodies are plain trees, and the standard one is most of a test's time."""
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    return [_copied(value) for value in tree] if isinstance(tree, list) else tree


def matches(body: Body, selector: Selector) -> bool:
    metadata = body["metadata"]
    labels = metadata.get("labels") or {}
    known = {"metadata.name": metadata["name"], "metadata.namespace": metadata.get("namespace", "")}
    terms = re.findall(r"[^,(]+(?:\([^)]*\))?", selector.labels)
    return all(_holds(term.strip(), labels) for term in terms) and all(
        known.get(t.partition("=")[0]) == t.partition("=")[2] for t in filter(None, selector.fields.split(","))
    )


def _holds(term: str, labels: dict[str, str]) -> bool:
    if found := re.fullmatch(r"(\S+) (in|notin) \((.*)\)", term):
        key, word, values = found.groups()
        return (labels.get(key) in [value.strip() for value in values.split(",")]) is (word == "in")
    if found := re.fullmatch(r"([^=!]+)(==?|!=)(.*)", term):
        key, word, value = found.groups()
        return (labels.get(key) == value) is (word != "!=")
    return term[1:] not in labels if term.startswith("!") else term in labels


def _managers(live: Body | None) -> Managers:
    if live is None:
        return {}
    out: Managers = {_key(e): ssa.from_v1(e["fieldsV1"]) for e in live["metadata"].get("managedFields", ())}
    if not out:  # wiped: the server makes one owner of all that is there
        out[("before-first-apply", "Update", "")] = ssa.fields(
            kind_of(live), {k: v for k, v in live.items() if k != "status"}
        )
    return out


def _key(entry: Body) -> tuple[str, str, str]:
    return entry["manager"], entry["operation"], entry.get("subresource", "")


def _timeless(body: Body) -> Any:
    metadata = {k: v for k, v in body["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    managed = [{k: v for k, v in entry.items() if k != "time"} for entry in body["metadata"].get("managedFields", ())]
    return {**body, "metadata": [metadata, managed]}


def _merge_patch(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return _copied(patch)
    out = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merge_patch(out.get(key), value)
    return out


def _ref(body: Body) -> Ref:
    group, _, version = body["apiVersion"].rpartition("/")
    metadata = body["metadata"]
    return Ref(group, version, body["kind"], metadata.get("namespace", ""), metadata["name"])


def _established(body: Body) -> bool:
    return any(
        c["type"] == "Established" and c["status"] == "True" for c in (body.get("status") or {}).get("conditions", ())
    )


def _uid(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
