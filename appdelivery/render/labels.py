"""What the engine adds to an object: name, namespace, the label contract of OAM, labels and annotations of the Application.

Labels and annotations that a definition writes stay; one that writes a contract label with another value is refused.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import marks
from appdelivery.model.problem import Problem
from appdelivery.render import facts as facts_
from appdelivery.render import replication, scope
from appdelivery.render.work import Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.application import Component
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Work

WORKLOAD_TYPE, TRAIT_TYPE, TRAIT_RESOURCE = "workload.oam.dev/type", "trait.oam.dev/type", "trait.oam.dev/resource"
AUXILIARY = "AuxiliaryWorkload"
DEFAULT = "DefaultDispatch"  # the stage of everything that does not say otherwise


def of_component(facts: Facts, component: Component) -> dict[str, str]:
    """The labels that every object of a component carries."""
    return {**facts.contract, **replication.labels(component)}


def stamp(of: Work, outputs: dict[str, Any], facts: Facts, *, trait: str = "", stage: str = DEFAULT) -> None:
    """Adds what a definition made to of.objects, with metadata completed; everything else is shared with the outputs,
    which say apiVersion and kind (language.runtime.things).  The first output of the component itself is its workload.

    Keys as written, then added ones; but metadata that was not written at all follows the kind, where people look for it.
    """
    name, namespace, annotations = replication.base(of.component), facts.namespace, facts.annotations
    usual = {**of.labels, marks.RESOURCE_TYPE: "TRAIT", TRAIT_TYPE: trait or AUXILIARY, TRAIT_RESOURCE: ""}
    for output, body in outputs.items():
        if trait or of.objects:
            labels = usual.copy()
            labels[TRAIT_RESOURCE] = output if len(output) <= 63 else facts_.label_value(output)
        else:
            labels = {**of.labels, marks.RESOURCE_TYPE: "WORKLOAD", WORKLOAD_TYPE: of.parts[0].definition.name}
        namespaced = body["kind"] not in scope.KINDS or not scope.is_cluster_scoped(body)
        full: dict[str, Any] = {"name": name, "namespace": namespace} if namespaced else {"name": name}
        given = body.get("metadata")
        if given is None:
            whole = {"apiVersion": None, "kind": None, "metadata": full, **body}
        else:
            _write_over(full, given, output, namespaced=namespaced)
            whole = body.copy()
        whole["metadata"] = full  # also where the definition wrote a null
        full["labels"] = _joined(written, labels, output) if (written := full.get("labels")) else labels
        if annotations or "annotations" in full:
            _annotate(full, facts)
        unnamed = given is None or "name" not in given
        of.objects.append(Object(whole, output, trait, stage, namespaced, unnamed=unnamed))


def _write_over(full: dict[str, Any], given: Any, output: str, *, namespaced: bool) -> None:
    """Metadata as the definition wrote it."""
    if type(given) is not dict:
        raise _refused(f"output '{output}': metadata is not a map")
    full |= given
    if type(full["name"]) is not str or not full["name"]:
        raise _refused(f"output '{output}': metadata.name is not a text")
    if not namespaced:
        full.pop("namespace", None)


def _annotate(full: dict[str, Any], facts: Facts) -> None:
    annotations = full.get("annotations")
    if facts.annotations:
        full["annotations"] = {**facts.annotations, **(annotations or {})}
    elif annotations is not None and not annotations:
        del full["annotations"]


def _joined(written: Any, labels: dict[str, str], output: str) -> dict[str, str]:
    if type(written) is not dict:
        raise _refused(f"output '{output}': metadata.labels is not a map")
    for key, value in labels.items():
        if key in written and written[key] != value and key in CONTRACT:
            raise _refused(
                f"output '{output}' sets the label {key} to {written[key]!r}; it is the engine's and must be {value!r}"
            )
    return {**written, **{key: value for key, value in labels.items() if key not in written}}


CONTRACT = frozenset(
    (
        marks.NAME, marks.NAMESPACE, marks.COMPONENT, marks.APP_REVISION, marks.RESOURCE_TYPE,
        WORKLOAD_TYPE, TRAIT_TYPE, TRAIT_RESOURCE, marks.REPLICA_KEY,
    )
)  # fmt: skip


def kept(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Refuses a patch that changed or removed a label of the contract, or the name or namespace of an object."""
    was, now = before["metadata"], after.get("metadata")
    if now is was:
        return
    if type(now) is not dict or now.get("name") != was["name"] or now.get("namespace") != was.get("namespace"):
        raise _refused("a patch cannot change the name or namespace of an object")
    old, new = was["labels"], now.get("labels") or {}
    if new is old:
        return
    for key, value in old.items():
        if key in CONTRACT and new.get(key) != value:
            raise _refused(f"a patch cannot change the label {key}: it is the engine's")


def tidy(body: dict[str, Any]) -> dict[str, Any]:
    """Without an empty annotations map that a patch left behind."""
    if body["metadata"].get("annotations") == {}:
        return {**body, "metadata": {k: v for k, v in body["metadata"].items() if k != "annotations"}}
    return body


def _refused(message: str) -> SpecError:
    return SpecError([Problem(message, code="render.object")])
