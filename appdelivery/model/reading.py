"""Reads documents strictly: trees in, Applications out, or one SpecError with every structural problem (oam.md 1 to 5).

Problems carry file, document and path only; `language.source.locate` finds their lines.  Nothing here knows a
definition: types and properties are checked where the catalogue is at hand.  Called by platform.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import reading_documents, reading_workflow, suggest
from appdelivery.model import reading_fields as shape
from appdelivery.model.application import Application, Component, Policy, Trait, Workflow
from appdelivery.model.problem import LIMIT
from appdelivery.model.record import changed, record
from appdelivery.model.refs import AppKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.model.problem import Path, Problem

COMPONENTS, TRAITS, POLICIES = 500, 32, 100

_trait = shape.fields(
    {
        "type": shape.definition_type,
        "name": shape.text,
        "properties": shape.map_of(shape.anything),
        "target": shape.fields({"kind": shape.text, "name": shape.text}, required=("kind", "name")),
    },
    required=("type",),
)
_component = shape.fields(
    {
        "name": shape.component_name,
        "type": shape.definition_type,
        "properties": shape.map_of(shape.anything),
        "traits": shape.list_of(_trait, most=TRAITS, noun="trait"),
        "dependsOn": shape.list_of(shape.text),
        "inputs": reading_workflow.inputs,
        "outputs": reading_workflow.outputs,
        "scopes": shape.anything,
    },
    required=("name", "type"),
    refused={
        "externalRevision": "revisions made elsewhere are a thing of the past; leave it out",
        "replicaKey": "it is set by policy replication, never written",
    },
)
_policy = shape.fields({"name": shape.label, "type": shape.definition_type, "properties": shape.map_of(shape.anything)})
_spec = shape.fields(
    {
        "components": shape.list_of(_component, least=1, most=COMPONENTS, noun="component"),
        "policies": shape.list_of(_policy, most=POLICIES, noun="policy"),
        "workflow": shape.fields(reading_workflow.SHAPE),
    },
    required=("components",),
)
_application = shape.fields(
    {
        "apiVersion": shape.text,
        "kind": shape.text,
        "metadata": reading_documents.metadata,
        "spec": _spec,
        "status": shape.anything,
    },
    required=("metadata", "spec"),
)


@record
class Documents:
    """What stands in a set of files.  policies and workflows by (namespace, name)."""

    applications: tuple[Application, ...]
    policies: dict[tuple[str, str], Policy]
    workflows: dict[tuple[str, str], Workflow]
    warnings: tuple[Problem, ...] = ()


def application(tree: Any, file: str, index: int, *, namespace: str = "default", lenient: bool = False) -> Application:
    """One Application from the tree of one document."""
    found = documents([(file, index, tree)], namespace=namespace, lenient=lenient)
    if not found.applications:
        reader = shape.Reader(file, index, lenient=lenient)
        reader.refuse(("kind",), f"expected an Application, got a {tree['kind']}", code="application.kind")
        raise SpecError(reader.problems)
    return found.applications[0]


def documents(values: Sequence[tuple[str, int, Any]], *, namespace: str = "default", lenient: bool = False) -> Documents:
    """Every document of a set of files: (file, index in it, tree)."""
    given = [(shape.Reader(file, index, lenient=lenient), tree) for file, index, tree in values]
    kinds = [(reading_documents.kind(reader, tree), reader, tree) for reader, tree in given]
    found = _Found({}, {}, {})
    for applications in (False, True):  # what they refer to comes first
        for kind, reader, tree in kinds:
            if kind and (kind == "Application") == applications:
                try:  # noqa: SIM105 - contextlib costs more than all the rest of this module
                    _add(kind, reader, tree, namespace, found)
                except shape.Enough:  # its problems are in the reader
                    pass
    if problems := [problem for reader, _ in given for problem in reader.problems]:
        raise SpecError(problems[:LIMIT])
    warnings = tuple([warning for reader, _ in given for warning in reader.warnings])
    return Documents(tuple(found.applications.values()), found.policies, found.workflows, warnings)


@record
class _Found:
    applications: dict[AppKey, Application]
    policies: dict[tuple[str, str], Policy]
    workflows: dict[tuple[str, str], Workflow]


def _add(kind: str, reader: shape.Reader, tree: dict[str, Any], namespace: str, found: _Found) -> None:
    if kind == "Policy":
        reading_documents.policy(reader, tree, namespace, found.policies)
    elif kind == "Workflow":
        reading_documents.workflow(reader, tree, namespace, found.workflows)
    elif kind == "WorkflowRun":
        reading_documents.workflow_run(reader, tree)
    elif made := _read(reader, tree, namespace, found):
        earlier = found.applications.setdefault(made.key, made)
        if earlier is not made:
            reading_documents.twice(reader, made.key, f"{earlier.file}, document {earlier.index}")


def _read(reader: shape.Reader, tree: dict[str, Any], namespace: str, around: _Found) -> Application | None:
    if "status" in tree:
        reader.warn(("status",), "status is written by the platform; what stands here is ignored", at_key=True)
    sound = reader.holds(_application, (), tree)
    spec, about = tree.get("spec"), tree.get("metadata")
    if not isinstance(spec, dict) or not isinstance(about, dict):
        return None
    space = about.get("namespace") or namespace
    if reader.sound(("metadata",)):
        reading_documents.judge_annotations(reader, about)
    # A broken part keeps nobody from hearing what is wrong with the others.
    parts = [name for name in ("components", "policies", "workflow") if reader.sound(("spec", name))]
    trees: dict[str, Any] = {name: spec.get(name) or [] for name in parts}
    components = [
        _component_of(reader, ("spec", "components", i), item) for i, item in enumerate(trees.get("components", ()))
    ]
    writers = _components(reader, components)
    policies = _policies(reader, trees.get("policies", []), space, around.policies)
    workflow = None
    if written := trees.get("workflow"):
        given = reading_workflow.Around(writers, tuple([policy.name for policy in policies]))
        known = {name: flow for (there, name), flow in around.workflows.items() if there == space}
        workflow = _workflow(reader, written, given if components and "policies" in parts else None, known)
    if not sound:
        return None
    return Application(
        AppKey(space, about["name"]),
        tuple(components),
        about.get("labels") or {},
        about.get("annotations") or {},
        _whole(tree, policies, workflow),
        tuple(policies),
        workflow,
        reader.file,
        reader.document,
    )


def _component_of(reader: shape.Reader, path: Path, tree: dict[str, Any]) -> Component:
    if tree.get("scopes") is not None:
        reader.warn((*path, "scopes"), "scopes have no effect and are ignored", at_key=True)
    traits = [
        Trait(
            item["type"],
            item.get("properties") or {},
            (*path, "traits", index),
            item.get("name") or "",
            (target["kind"], target["name"]) if (target := item.get("target")) else None,
        )
        for index, item in enumerate(tree.get("traits") or ())
    ]
    named = [(f"{trait.type.partition('@')[0]}/{trait.name}", trait.path) for trait in traits if trait.name]
    reading_workflow.unique(reader, named, f"traits of '{tree['name']}'")
    return Component(
        tree["name"],
        tree["type"],
        tree.get("properties") or {},
        path,
        tuple(traits),
        tuple(tree.get("dependsOn") or ()),
        reading_workflow.read_inputs(tree),
        reading_workflow.read_outputs(tree),
    )


def _components(reader: shape.Reader, components: list[Component]) -> dict[str, str]:
    """Names, references and circles; gives the outputs that components write, with their writers."""
    names = {component.name: component for component in components}
    reading_workflow.unique(reader, [(c.name, c.path) for c in components], "components")
    writers: dict[str, str] = {}
    for component in components:
        for index, output in enumerate(component.outputs):
            if writers.setdefault(output.name, component.name) != component.name or _again(component, index):
                place = (*component.path, "outputs", index, "name")
                message = f"output '{output.name}' is written by '{writers[output.name]}' already"
                reader.refuse(place, message, code="application.duplicate")
    for component in components:
        for index, name in enumerate(component.depends_on):
            if name not in names:
                place = (*component.path, "dependsOn", index)
                message = f"there is no component '{name}'{suggest.meant(name, names)}"
                reader.refuse(place, message, suggest.listed(names), code="application.reference")
        reading_workflow.refuse_unwritten(reader, component.path, component.inputs, writers)
    edges = {
        c.name: [
            *[name for name in c.depends_on if name in names],
            *[writers[item.source] for item in c.inputs if item.source in writers],
        ]
        for c in components
    }
    reading_workflow.refuse_circle(reader, edges, {c.name: c.path for c in components}, "components")
    return writers


def _again(component: Component, index: int) -> bool:
    return component.outputs[index].name in [output.name for output in component.outputs[:index]]


def _policies(
    reader: shape.Reader, trees: list[dict[str, Any]], namespace: str, shared: dict[tuple[str, str], Policy]
) -> list[Policy]:
    if not trees:
        return []
    from appdelivery.model import reading_policies

    types = [tree.get("type") for tree in trees]
    found: list[Policy] = []
    for index, tree in enumerate(trees):
        path: Path = ("spec", "policies", index)
        kind, name = tree.get("type") or "", tree.get("name") or ""
        if kind:
            if not name and types.count(kind) > 1:
                reader.refuse(path, f"several policies are of type '{kind}': each needs a name", code="application.policy")
            policy = reading_policies.read(reader, path, name or kind, kind, tree.get("properties") or {})
        else:
            policy = _shared(reader, path, tree, namespace, shared)
        if policy:
            found.append(policy)
            reading_policies.refuse_unknown_effects(reader, policy)
    reading_workflow.unique(reader, [(policy.name, policy.path) for policy in found], "policies")
    reading_policies.once_each(reader, found)
    return found


def _whole(tree: dict[str, Any], policies: list[Policy], workflow: Workflow | None) -> dict[str, Any]:
    """The document with what it refers to in the place of the references: a revision is read again without the others."""
    spec = dict(tree["spec"])
    given = spec.get("policies") or []
    if len(given) == len(policies) and any(not item.get("type") for item in given):
        spec["policies"] = [
            item if item.get("type") else {**item, "type": policy.type, "properties": policy.properties}
            for item, policy in zip(given, policies, strict=True)
        ]
    if workflow is not None and workflow.written is not None:
        spec["workflow"] = workflow.written
    return tree if spec == tree["spec"] else {**tree, "spec": spec}


def _shared(
    reader: shape.Reader, path: Path, tree: dict[str, Any], namespace: str, shared: dict[tuple[str, str], Policy]
) -> Policy | None:
    """A policy without a type refers to a Policy document of the same namespace."""
    name = tree.get("name") or ""
    known = [other for space, other in shared if space == namespace]
    if not name or tree.get("properties") is not None:
        reader.refuse(path, "missing 'type'", "only a reference to a Policy document has none", code="application.missing")
        return None
    if name not in known:
        message = f"policy '{name}' has no type, and there is no Policy document of that name{suggest.meant(name, known)}"
        reader.refuse(path, message, suggest.listed(known), code="application.reference")
        return None
    found = shared[namespace, name]
    return Policy(name, found.type, found.properties, path)


def _workflow(
    reader: shape.Reader, tree: dict[str, Any], around: reading_workflow.Around | None, known: dict[str, Workflow]
) -> Workflow | None:
    """The written workflow; of one that refers to a Workflow document, that one."""
    path: Path = ("spec", "workflow")
    found = reading_workflow.read(reader, path, tree, around)
    ref = tree.get("ref")
    if not ref:
        return found if found and found.steps else None
    if ref not in known:
        message = f"there is no Workflow document '{ref}'{suggest.meant(ref, known)}"
        reader.refuse((*path, "ref"), message, suggest.listed(known), code="application.reference")
        return None
    found = reading_workflow.read(reader, path, known[ref].written, around)
    return changed(found, written=known[ref].written) if found else None
