"""Kinds of documents, what may stand in their metadata, and the documents beside the Application (oam.md 1, 6).

Called by `reading`.  Documents are data: nothing is read from a cluster, and what is not ours is refused with what to
do instead.
"""

from __future__ import annotations

from appdelivery.model import reading_fields as shape
from appdelivery.model import reading_workflow, suggest, wording
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.application import Policy, Workflow

OAM = "core.oam.dev/"
KINDS = {
    "Application": f"{OAM}v1beta1",
    "Policy": f"{OAM}v1alpha1",
    "Workflow": f"{OAM}v1alpha1",
    "WorkflowRun": f"{OAM}v1alpha1",
}
DEFINITIONS = ("ComponentDefinition", "TraitDefinition", "PolicyDefinition", "WorkflowStepDefinition", "WorkloadDefinition")
LEGACY = ("ApplicationConfiguration", "Component", "Rollout", "AppDeployment", "ScopeDefinition", "HealthScope")
OURS = "appdelivery.dev/"
RESERVED = ("app.oam.dev/", "appdelivery.dev/")
SERVER = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
    "managedFields", "selfLink", "ownerReferences", "finalizers",
)  # fmt: skip
IDENTITY = ("app.oam.dev/service-account-name", "app.oam.dev/username", "app.oam.dev/group")
NO_EFFECT = (
    "app.oam.dev/controller-version-require", "app.oam.dev/workflowName", "app.oam.dev/resource-url",
    "app.oam.dev/inplace-upgrade", "app.oam.dev/last-applied-configuration", "app.oam.dev/last-applied-time",
    "app.oam.dev/generation", "app.oam.dev/app-revision", "app.oam.dev/revision-only", "app.oam.dev/shared-by",
)  # fmt: skip
NOT_YET = ("app.oam.dev/autoUpdate", "app.oam.dev/restart-workflow", "app.oam.dev/reconcile-interval")
READ = (
    "app.oam.dev/publishVersion", "app.oam.dev/deployVersion", "app.oam.dev/appAlias", "app.oam.dev/disable-health-check",
    "appdelivery.dev/project", "appdelivery.dev/prune", "appdelivery.dev/confirm-delete",
)  # fmt: skip


def _label(reader: shape.Reader, path: Any, value: Any) -> None:
    if not isinstance(value, str):
        reader.refuse(path, f"expected text, got {wording.kind(value)}", wording.QUOTES)
    elif shape.EXPRESSION in value and path[-2] == "labels":
        reader.refuse(path, "'${{' is not evaluated here", shape.PLACES)


_texts = shape.map_of(_label)
metadata = shape.fields(
    {
        "name": shape.label,
        "namespace": shape.label,
        "labels": _texts,
        "annotations": _texts,
        **dict.fromkeys(SERVER, shape.anything),
    },
    required=("name",),
    refused={"generateName": "an application has a fixed name"},
)
_envelope = {"apiVersion": shape.text, "kind": shape.text, "metadata": metadata, "status": shape.anything}
_policy = shape.fields(
    {**_envelope, "type": shape.definition_type, "properties": shape.map_of(shape.anything)}, required=("metadata", "type")
)
_workflow = shape.fields(
    {**_envelope, "mode": reading_workflow.SHAPE["mode"], "steps": reading_workflow.SHAPE["steps"]},
    required=("metadata", "steps"),
)
_run = shape.fields(
    {
        **_envelope,
        "spec": shape.fields(
            {
                "workflowRef": shape.text,
                "workflowSpec": shape.fields(reading_workflow.SHAPE),
                "context": shape.map_of(shape.anything),
                "mode": reading_workflow.SHAPE["mode"],
                "suspend": shape.flag,
            }
        ),
    },
    required=("metadata", "spec"),
)


def kind(reader: shape.Reader, tree: Any) -> str:
    """Which of our documents a tree is; '' when it is none and was refused."""
    if not isinstance(tree, dict):
        reader.refuse((), f"a document is a map with apiVersion and kind, not {wording.kind(tree)}", code="application.kind")
        return ""
    named, version = tree.get("kind"), tree.get("apiVersion")
    if not isinstance(named, str) or not isinstance(version, str):
        missing = " and ".join(field for field in ("apiVersion", "kind") if not isinstance(tree.get(field), str))
        hint = "an application starts with apiVersion: core.oam.dev/v1beta1 and kind: Application"
        reader.refuse((), f"this document has no {missing}", hint, code="application.kind")
        return ""
    if KINDS.get(named) == version:
        return named
    message, hint = _why_not(named, version)
    reader.refuse(("kind",), message, hint, code="application.kind")
    return ""


def _why_not(named: str, version: str) -> tuple[str, str]:
    if version.startswith(OURS):
        return (
            f"a {named} of ours does not stand among applications",
            "put it into its own file and give --definitions FOLDER",
        )
    if not version.startswith(OAM):
        wanted = KINDS.get(named)
        hint = f"an {named} is {wanted}" if wanted else "plain objects belong into a component of type k8s-objects"
        return f"{version} {named} is not a document of ours", hint
    if named in DEFINITIONS:
        message = f"a {named} of KubeVela holds CUE, which is never executed here"
        return message, "convert it with `appctl import kubevela -f FILE`"
    if named in LEGACY or version == f"{OAM}v1alpha2" or named.endswith("Scope"):
        return f"{named} was replaced by Application in 2021", "write a core.oam.dev/v1beta1 Application"
    if named in KINDS:
        return f"a {named} is {KINDS[named]}, not {version}", f"write apiVersion: {KINDS[named]}"
    return f"unknown kind '{named[:60]}'{suggest.meant(named, KINDS)}", suggest.listed(KINDS)


def twice(reader: shape.Reader, key: Any, place: str) -> None:
    """Names are unique per kind and namespace over all documents."""
    message = f"'{key}' is described twice: here and in {place}"
    reader.refuse(("metadata", "name"), message, code="application.duplicate")


def policy(reader: shape.Reader, tree: dict[str, Any], namespace: str, into: dict[tuple[str, str], Policy]) -> None:
    if not reader.holds(_policy, (), tree):
        return
    from appdelivery.model import reading_policies

    key = (tree["metadata"].get("namespace") or namespace, tree["metadata"]["name"])
    found = reading_policies.read(reader, (), key[1], tree["type"], tree.get("properties") or {})
    if key in into:
        twice(reader, f"{key[0]}/{key[1]}", "another document")
    if found:
        into.setdefault(key, found)


def workflow(reader: shape.Reader, tree: dict[str, Any], namespace: str, into: dict[tuple[str, str], Workflow]) -> None:
    if not reader.holds(_workflow, (), tree):
        return
    key = (tree["metadata"].get("namespace") or namespace, tree["metadata"]["name"])
    content = {field: tree[field] for field in ("mode", "steps") if field in tree}
    found = reading_workflow.read(reader, (), content, None)
    if key in into:
        twice(reader, f"{key[0]}/{key[1]}", "another document")
    if found:
        into.setdefault(key, changed(found, written=content))


def workflow_run(reader: shape.Reader, tree: dict[str, Any]) -> None:
    if not reader.holds(_run, (), tree):
        return
    given = tree["spec"].get("workflowSpec")
    if given:
        reading_workflow.read(reader, ("spec", "workflowSpec"), given, None)
    reader.refuse(("kind",), "a WorkflowRun is not carried out yet by this version", code="application.not-yet")


def judge_annotations(reader: shape.Reader, about: dict[str, Any]) -> None:
    """Says which annotations of KubeVela have no effect here, and which of ours do not exist."""
    for name in about.get("annotations") or {}:
        path = ("metadata", "annotations", name)
        if name in IDENTITY:
            message = f"annotation '{name}' is never an identity here and is ignored"
            reader.warn(path, message, "rights come from who is logged in", code="application.identity", at_key=True)
        elif name in NOT_YET:
            reader.warn(
                path, f"annotation '{name}' has no effect yet in this version", code="application.not-yet", at_key=True
            )
        elif name in NO_EFFECT or name.startswith("policy.oam.dev/"):
            reader.warn(path, f"annotation '{name}' has no effect here", at_key=True)
        elif name.startswith(RESERVED) and name not in READ:
            known = (*READ, *NOT_YET)
            message = f"unknown annotation '{name[:80]}'{suggest.meant(name, known)}"
            reader.soften(path, message, suggest.listed(known), code="application.annotation", at_key=True)
