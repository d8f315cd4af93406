"""What is the same for every component of one render: RenderContext (given by the caller) and Facts (made of it once)."""

from __future__ import annotations

from appdelivery.model import marks, names
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from appdelivery.model.application import Application

FILTER_LABELS, FILTER_ANNOTATIONS = "filter.oam.dev/label-keys", "filter.oam.dev/annotation-keys"
PUBLISH_VERSION, DEPLOY_VERSION = "app.oam.dev/publishVersion", "app.oam.dev/deployVersion"
# Instructions to us on the Application, not properties of its objects.
NOT_COPIED = frozenset(
    (
        PUBLISH_VERSION, DEPLOY_VERSION, FILTER_LABELS, FILTER_ANNOTATIONS, "app.oam.dev/autoUpdate",
        "app.oam.dev/restart-workflow", "app.oam.dev/reconcile-interval", "app.oam.dev/service-account-name",
        "app.oam.dev/username", "app.oam.dev/group", "app.oam.dev/disable-health-check", "app.oam.dev/appAlias",
        "app.oam.dev/controller-version-require", "app.oam.dev/workflowName", "app.oam.dev/resource-url",
        "app.oam.dev/inplace-upgrade", "controller.core.oam.dev/pause", "oam.dev/render-hash", *marks.LAST_APPLIED,
        "kubectl.kubernetes.io/last-applied-configuration",
    )
)  # fmt: skip
OURS = ("appdelivery.dev/", "policy.oam.dev/")


@record
class ClusterVersion:
    """Of the target cluster, as definitions see it in context.clusterVersion."""

    major: int
    minor: int
    git: str
    platform: str


def always_one(component: str, digest: str) -> int:  # noqa: ARG001 - the shape that callers give
    """Without a history every component is at its first revision."""
    return 1


@record
class RenderContext:
    """Everything besides the documents that a render may depend on."""

    revision: int = 1
    cluster: str = "local"
    cluster_version: ClusterVersion = ClusterVersion(1, 36, "v1.36.0", "linux/amd64")
    namespace: str = ""  # objects go there; '' = the application's
    component_revisions: Callable[[str, str], int] = always_one  # (component, its hash) to the number of its revision
    lenient: bool = False
    publish_version: str = ""  # '' = as the application's annotation says
    live: Mapping[str, Mapping[str, Any]] | None = None  # component to {output, outputs} as read from its cluster
    identify: bool = True  # False: without component hashes and revision key, for callers that keep nothing
    digest_key: bytes = b""  # the installation's, for digests over given secret values


@record
class Facts:
    app: Application
    context: RenderContext
    namespace: str
    base: dict[str, Any]  # names under `context` that are the same for every component
    labels: dict[str, str]  # copied from the Application to every object
    annotations: dict[str, str]
    contract: dict[str, str]  # labels of every object; the component's name is filled in for each


def of(app: Application, context: RenderContext) -> Facts:
    namespace = context.namespace or app.key.namespace
    version = context.cluster_version
    published = app.annotations.get(PUBLISH_VERSION) or app.annotations.get(DEPLOY_VERSION)
    base: dict[str, Any] = {
        "appName": app.key.name,
        "namespace": namespace,
        "appRevision": f"{app.key.name}-v{context.revision}",
        "appRevisionNum": context.revision,
        "appLabels": app.labels,
        "appAnnotations": app.annotations,
        "replicaKey": None,
        "workflowName": None,
        "publishVersion": context.publish_version or published,
        "cluster": context.cluster,
        "clusterVersion": {
            "major": version.major, "minor": version.minor, "gitVersion": version.git, "platform": version.platform,
        },
        "placement": None,
    }  # fmt: skip
    labels = _copied(app.labels, app.annotations.get(FILTER_LABELS, ""))
    annotations = _copied(app.annotations, app.annotations.get(FILTER_ANNOTATIONS, ""))
    contract = {
        **labels,
        marks.NAME: app.key.name,
        marks.NAMESPACE: app.key.namespace,
        marks.COMPONENT: "",
        marks.APP_REVISION: label_value(base["appRevision"]),
    }
    return Facts(app, context, namespace, base, labels, annotations, contract)


def _copied(given: dict[str, str], filtered: str) -> dict[str, str]:
    if not given:
        return given
    left_out = {key.strip() for key in filtered.split(",")}
    return {
        key: value
        for key, value in given.items()
        if key not in NOT_COPIED and key not in left_out and not key.startswith(OURS)
    }


def label_value(text: str) -> str:
    """At most 63 characters, as label values must be."""
    return text if len(text) <= 63 else names.dnsname(text)
