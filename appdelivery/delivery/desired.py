"""The desired set: what render made, as it is to stand in one cluster (delivery.md section 2).

Normalised, checked for what a server-side apply would refuse, marked as ours and digested.  `prepare` needs no cluster and
is what `validate` runs; `desired` settles namespaces by the cluster's discovery.  Pure; called by platform.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import graph, normal, paths
from appdelivery.model import canonical, marks, sha256, suggest
from appdelivery.model.change import Subject
from appdelivery.model.live import ClusterFacts, Served
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed, record
from appdelivery.model.refs import Ref, ref_of
from appdelivery.render import scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.delivery.policies import Policies
    from appdelivery.delivery.ports import Installation
    from appdelivery.model.manifest import Manifest, Origin, Rendered
    from appdelivery.model.refs import AppKey, Kind

MOST_OBJECTS = 5000
MOST_BYTES = 1_400_000  # of one object; etcd refuses about 1.5 MiB
KEEP = {"appdelivery.dev/prune": "false", "helm.sh/resource-policy": "keep"}
ARGO_SYNC = "argocd.argoproj.io/sync-options"
RECREATE = "appdelivery.dev/recreate"


@record
class Desired:
    """One object as it is to be.  body has our labels and owner mark; revision and fence are added when it is sent."""

    subject: Subject
    body: dict[str, Any]  # may hold Secret leaves; shares sub-trees: never changed in place
    digest: str
    origin: Origin
    component_type: str = ""
    stage: str = "DefaultDispatch"
    workload: bool = False
    mode: str = "owned"  # or read-only
    shared: bool = False  # other applications may want it too: the first one writes it
    once: tuple[str, ...] = ()  # patterns of fields that are not sent after the creation
    put: bool = False  # replaced whole instead of applied: fields that we do not render go
    recreate_fields: tuple[str, ...] = ()  # patterns of fields of which a change means delete and create
    gc: str = "onAppUpdate"
    propagation: str = ""
    take_over: bool = False
    recreate: bool = False
    waits: bool = False  # holds placeholders until live values are known
    part: int = 0  # of the release: what one step delivers to one place, rendered by itself
    size: int = 0  # characters as JSON

    @property
    def identity(self) -> tuple[str, tuple[str, str, str, str]]:
        return self.subject.identity


@record
class Prepared:
    """A manifest after everything that needs no cluster."""

    manifest: Manifest
    ref: Ref
    body: dict[str, Any]
    component_type: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Checked:
    prepared: tuple[Prepared, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...] = field(default=())


def check(rendered: Rendered) -> Checked:
    """Everything that can be said without a cluster, all problems together: for `validate` and before every plan."""
    problems: list[Problem] = []
    warnings: list[str] = []
    found: list[Prepared] = []
    for component in rendered.components:
        for manifest in component.manifests:
            for body in normal.flattened(manifest.body):
                try:
                    clean = normal.normalised(body, warnings)
                except errors.SpecError as error:
                    problems += [_from(problem, manifest.origin) for problem in error.problems]
                    continue
                problems += [_from(problem, manifest.origin) for problem in normal.doubled_keys(clean)]
                found.append(Prepared(manifest, ref_of(clean), clean, component.type, bool(component.waits_for)))
    problems += _twice(found)
    if len(found) > MOST_OBJECTS:
        text = f"the application renders {len(found)} objects; at most {MOST_OBJECTS} are delivered as one"
        problems.append(Problem(text, code="delivery.too-many-objects", hint="make it several applications"))
    problems += graph.circles(rendered)
    return Checked(tuple(found), tuple(problems), tuple(warnings))


def prepare(rendered: Rendered) -> tuple[Prepared, ...]:
    checked = check(rendered)
    if checked.problems:
        raise errors.SpecError(checked.problems)
    return checked.prepared


def desired(
    rendered: Rendered,
    facts: ClusterFacts,
    installation: Installation,
    policies: Policies,
    *,
    namespace: str = "",
    part: int = 0,
) -> tuple[Desired, ...]:
    """The desired set of one place; SpecError with every problem at once.  namespace: '' = the application's."""
    prepared = prepare(rendered)
    home = namespace or rendered.app.namespace
    own = {_defines(one.body) for one in prepared}
    problems: list[Problem] = []
    out = []
    for one in prepared:
        served = facts.served.get(one.ref.of)
        if served is None and (one.ref.group, one.ref.kind) not in own:
            problems.append(_from(_not_served(one.ref, facts), one.manifest.origin))
            continue
        namespaced = served.namespaced if served else own_scope(prepared, one.ref) == "Namespaced"
        ref = changed(one.ref, namespace=(one.ref.namespace or home) if namespaced else "")
        body = normal.in_namespace(one.body, ref.namespace)
        made = _marked(one, ref, body, cluster=facts.name, app=rendered.app, installation=installation, policies=policies)
        out.append(changed(made, part=part) if part else made)
    problems += _twice_at(out)
    problems += [_large(item) for item in out if item.size > MOST_BYTES]
    if problems:
        raise errors.SpecError(problems)
    return tuple(out)


def _marked(
    one: Prepared,
    ref: Ref,
    body: dict[str, Any],
    *,
    cluster: str,
    app: AppKey,
    installation: Installation,
    policies: Policies,
) -> Desired:
    metadata = body["metadata"]
    origin = one.manifest.origin
    labels = {
        **(metadata.get("labels") or {}),
        marks.NAME: app.name,
        marks.NAMESPACE: app.namespace,
        marks.COMPONENT: origin.component.partition("@")[0],  # of a copy the key is a label of its own
        marks.INSTANCE: installation.label,
    }
    written = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in marks.BOOKKEEPING}
    annotations = {**written, marks.OWNER: marks.owner_mark(installation.label, app, ref)}
    body = {**body, "metadata": {**metadata, "labels": labels, "annotations": annotations}}
    item = Desired(
        subject=Subject(cluster, ref, origin.component),
        body=body,
        digest="",
        origin=origin,
        component_type=one.component_type,
        stage=one.manifest.stage,
        workload=one.manifest.workload,
        waits=one.waits,
    )
    if policies.labels:
        item = _labelled(item, *policies.marks_of(item))
    return _ruled(item, policies, installation.digest_key)


def _labelled(item: Desired, labels: dict[str, str], annotations: dict[str, str]) -> Desired:
    """With what the policies `labels` add; nothing of it reaches pod templates, so no pod is restarted."""
    metadata = item.body["metadata"]
    more = {"labels": {**metadata["labels"], **labels}, "annotations": {**metadata["annotations"], **annotations}}
    return changed(item, body={**item.body, "metadata": {**metadata, **more}})


def _ruled(item: Desired, policies: Policies, key: bytes) -> Desired:
    """With its digest, and what the rules of the policies say of it."""
    collect, once, update = policies.collects(item), policies.once_of(item), policies.update_of(item)
    annotations = item.body["metadata"]["annotations"]
    frozen = once.paths if once is not None and once.on_update else ()
    text = _text(item.body, key)
    return changed(
        item,
        # What is sent once is no reason to send again.
        digest=sha256.hexdigest((_text(_unfrozen(item.body, frozen), key) if frozen else text).encode()),
        size=len(text),
        recreate=str(annotations.get(RECREATE)) == "true",
        mode="read-only" if policies.is_read_only(item) else "owned",
        gc="never" if keeps(annotations) else collect.strategy if collect else "onAppUpdate",
        propagation=collect.propagation if collect else "",
        take_over=policies.takes_over(item),
        shared=policies.is_shared(item),
        once=frozen,
        put=update is not None and update.op == "replace",
        recreate_fields=update.recreate_fields if update is not None else (),
    )


def _unfrozen(body: dict[str, Any], frozen: Sequence[str]) -> dict[str, Any]:
    if paths.whole(frozen):
        return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {"name": body["metadata"]["name"]}}
    rest: dict[str, Any] = paths.without(body, frozen)
    return rest


def kept_fields(item: Desired, left: Sequence[str]) -> tuple[str, ...]:
    """Patterns of fields of an object that is there which are sent as they are.  left: fields that others own; an apply
    leaves them out, but where the whole object is replaced that would reset them."""
    return (*item.once, *(left if item.put else ()))


def as_live(body: dict[str, Any], live: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """To leave fields out instead would give them up: the API server takes a field away that its last owner no longer sends."""
    shown = normal.normalised(live, []) if live["kind"] == "Secret" else live
    made: dict[str, Any] = paths.as_live(body, shown, fields)
    return made


def without_cluster(rendered: Rendered, cluster: str) -> ClusterFacts:
    """Facts of a cluster that serves exactly what was rendered: for questions that need none."""
    served: dict[Kind, Served] = {}
    for one in check(rendered).prepared:
        of = one.ref.of
        namespaced = bool(one.ref.namespace) or (of.group, of.kind) not in scope.CLUSTER_SCOPED
        served.setdefault(of, Served(of, of.kind.lower(), namespaced, frozenset()))
    return ClusterFacts(cluster, "", "", served, datetime.fromtimestamp(0, UTC))


def _text(body: dict[str, Any], key: bytes) -> str:
    """Of the object without the bookkeeping keys, so that a new revision alone changes no digest."""
    metadata = dict(body["metadata"])
    for field_ in ("labels", "annotations"):
        if metadata.get(field_):
            metadata[field_] = {name: value for name, value in metadata[field_].items() if name not in marks.BOOKKEEPING}
    return canonical.text({**body, "metadata": metadata}, key)


def keeps(annotations: dict[str, Any]) -> bool:
    """Whether an object's annotations forbid its deletion (guard G6)."""
    if any(str(annotations.get(key)) == value for key, value in KEEP.items()):
        return True
    return "Prune=false" in [part.strip() for part in str(annotations.get(ARGO_SYNC, "")).split(",")]


def own_scope(prepared: Iterable[Prepared], ref: Ref) -> str:
    """Scope of a kind that a CRD of the same set defines."""
    for one in prepared:
        if _defines(one.body) == (ref.group, ref.kind):
            return str((one.body.get("spec") or {}).get("scope", "Namespaced"))
    return "Namespaced"


def _defines(body: dict[str, Any]) -> tuple[str, str]:
    return graph.defines(body) or ("", "")


def _twice(found: Sequence[Prepared]) -> list[Problem]:
    seen: dict[tuple[str, str, str, str], Origin] = {}
    problems = []
    for one in found:
        other = seen.setdefault(one.ref.identity, one.manifest.origin)
        if other is not one.manifest.origin:
            problems.append(_double(one.ref, other, one.manifest.origin))
    return problems


def _twice_at(found: Sequence[Desired]) -> list[Problem]:
    """Two objects that differ only by a namespace one of them does not write."""
    seen: dict[Any, Origin] = {}
    problems = []
    for one in found:
        other = seen.setdefault(one.identity, one.origin)
        if other is not one.origin:
            problems.append(_double(one.subject.ref, other, one.origin))
    return problems


def _double(ref: Ref, one: Origin, two: Origin) -> Problem:
    return Problem(
        f"{ref} is made by {one} and by {two}",
        code="delivery.duplicate-object",
        path=("spec", "components"),
        hint="give one of them another name",
    )


def _not_served(ref: Ref, facts: ClusterFacts) -> Problem:
    other = facts.find(ref.group, ref.kind)
    names = [str(kind.kind) for kind in facts.served]
    hint = f"it serves {other.kind.api_version}" if other else suggest.meant(ref.kind, names).lstrip(", ").removesuffix("?")
    text = f"cluster {facts.name} ({facts.version}) does not serve {ref.kind} of {ref.api_version}"
    return Problem(text, code="delivery.kind-not-served", hint=hint)


def _large(item: Desired) -> Problem:
    sizes = {name: _size(value) for name, value in item.body.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    return _from(
        Problem(
            f"{item.subject.ref} is {item.size / 1e6:.1f} MB; an API server takes about {MOST_BYTES / 1e6:.1f} MB",
            code="delivery.object-too-large",
            hint=f"its largest field is {largest}, {sizes[largest] / 1e6:.1f} MB",
        ),
        item.origin,
    )


def _size(tree: Any) -> int:
    return len(canonical.text(tree, b"size"))


def _from(problem: Problem, origin: Origin) -> Problem:
    return changed(problem, message=f"{origin}: {problem.message}")
