"""Metadata of every object: names by kind, labels, annotations, finalizers, owners; and what an update may not change."""

from __future__ import annotations

from appdelivery.sandbox.writes.rules import names, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.status import Cause
    from appdelivery.sandbox.storage import Body

MOST_ANNOTATIONS = 256 * 1024
NAMES: dict[tuple[str, str], Callable[[str], list[str]]] = {
    ("", "namespaces"): names.label,
    ("", "services"): names.label,
    ("rbac.authorization.k8s.io", "roles"): names.path_segment,
    ("rbac.authorization.k8s.io", "rolebindings"): names.path_segment,
    ("rbac.authorization.k8s.io", "clusterroles"): names.path_segment,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): names.path_segment,
    ("", "events"): names.path_segment,
    ("apps", "statefulsets"): names.label,
    ("", "resourcequotas"): names.subdomain,
}


def created(kind: Kind, body: Body) -> Iterator[Cause]:
    metadata = body["metadata"]
    name = metadata.get("name", "")
    check = NAMES.get(kind.family, names.subdomain)
    if not name:
        yield words.required("metadata.name", "name or generateName is required")
    else:
        for said in check(f"{metadata['generateName'].rstrip('-')}") if metadata.get("generateName") else ():
            yield words.invalid("metadata.generateName", metadata["generateName"], said)
        for said in check(name):
            yield words.invalid("metadata.name", name, said)
    yield from _always(metadata)
    if kind.definition is None:
        yield from _unqualified(metadata)


def _unqualified(metadata: Body) -> Iterator[Cause]:
    """Finalizers of built-in kinds that are nobody's."""
    for at, one in enumerate(metadata.get("finalizers") or ()):
        if "/" not in one and one not in ("kubernetes", "orphan", "foregroundDeletion"):
            said = "name is neither a standard finalizer name nor is it fully qualified"
            yield words.invalid(f"metadata.finalizers[{at}]", one, said)


def updated(kind: Kind, old: Body, new: Body) -> Iterator[Cause]:
    before, metadata = old["metadata"], new["metadata"]
    same = ("labels", "annotations", "finalizers", "ownerReferences")
    if any(metadata.get(key) != before.get(key) for key in same):
        yield from _always(metadata)
        if kind.definition is None and metadata.get("finalizers") != before.get("finalizers"):
            yield from _unqualified(metadata)
    if before.get("deletionTimestamp"):
        extra = sorted(set(metadata.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if extra:
            shown = "[]string{" + ", ".join(f'"{one}"' for one in extra) + "}"
            said = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            yield from [words.forbidden("metadata.finalizers", said)] * (2 if kind.definition is None else 1)


def _always(metadata: Body) -> Iterator[Cause]:
    yield from labels(metadata.get("labels"), "metadata.labels")
    yield from notes(metadata.get("annotations"), "metadata.annotations")
    yield from _owners(metadata.get("ownerReferences") or [])
    for one in metadata.get("finalizers") or ():
        for said in names.qualified(one):
            yield words.invalid("metadata.finalizers", one, said)


def labels(given: Body | None, path: str) -> Iterator[Cause]:
    for key, value in (given or {}).items():
        for said in names.qualified(key):
            yield words.invalid(path, key, said)
        for said in names.value(value):
            yield words.invalid(path, value, said)


def notes(given: Body | None, path: str) -> Iterator[Cause]:
    for key in given or ():
        for said in names.qualified(key.lower()):
            yield words.invalid(path, key, said)
    if sum(len(key) + len(value) for key, value in (given or {}).items()) > MOST_ANNOTATIONS:
        yield words.too_long(path, MOST_ANNOTATIONS)


def _owners(references: list[Body]) -> Iterator[Cause]:
    path = "metadata.ownerReferences"
    first = ""
    for one in references:
        if not one.get("apiVersion"):
            yield words.invalid(f"{path}.apiVersion", "", "version must not be empty")
        for key in ("kind", "name", "uid"):
            if not one.get(key):
                yield words.invalid(f"{path}.{key}", "", "must not be empty")
        if one.get("controller"):
            named = f"{one.get('kind', '')}/{one.get('name', '')}"
            if first:
                said = (
                    f'Only one reference can have Controller set to true. Found "true" in references for {first} and {named}'
                )
                yield words.invalid(path, references, said)
            first = first or named
