"""`LiveFact` from an object as read: the small record that stays when the body is dropped.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.clusters import ownership
from appdelivery.model import marks
from appdelivery.model.live import Live, LiveFact
from appdelivery.model.record import record
from appdelivery.model.refs import Ref

if TYPE_CHECKING:
    from appdelivery.delivery.ports import BareOf, Judge, ManagerOf
    from appdelivery.model.refs import Kind


@record
class Eyes:
    """What is needed to see an object as its application does."""

    manager: ManagerOf
    bare: BareOf
    judge: Judge | None = None


def live_of(kind: Kind, body: dict[str, Any]) -> Live:
    """Items of a list carry neither apiVersion nor kind; every Live does."""
    body.setdefault("apiVersion", kind.api_version)
    body.setdefault("kind", kind.kind)
    metadata = body["metadata"]
    return Live(Ref(kind.group, kind.version, kind.kind, metadata.get("namespace", ""), metadata["name"]), body)


def fact(cluster: str, live: Live, eyes: Eyes) -> LiveFact:
    body = live.body
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    manager = eyes.manager(metadata)
    ours = ownership.entry(body, manager)
    tree = (ours or {}).get("fieldsV1") or {}
    own_digest, tree_digest = ownership.digests(tree, body, eyes.bare(cluster, live.ref))
    return LiveFact(
        ref=live.ref,
        uid=live.uid,
        version=live.version,
        generation=int(metadata.get("generation") or 0),
        owner=annotations.get(marks.OWNER, ""),
        own_digest=own_digest,
        tree_digest=tree_digest,
        deleting="deletionTimestamp" in metadata,
        fence=annotations.get(marks.FENCE, ""),
        entry_version=ours["apiVersion"] if ours else "",
        owns_replicas=ownership.owns(tree, "f:spec", "f:replicas"),
        managers=_others(metadata, manager),
        health=eyes.judge(live) if eyes.judge else None,
        scales=_scales(body),
        helm=annotations.get("meta.helm.sh/release-name", ""),
    )


def _others(metadata: dict[str, Any], manager: str) -> tuple[str, ...]:
    """Managers of the main resource beside us, the newest last."""
    seen: dict[str, None] = {}
    for one in sorted(metadata.get("managedFields") or (), key=lambda one: one.get("time", "")):
        name = one.get("manager", "")
        if not one.get("subresource") and name != manager:
            seen.pop(name, None)
            seen[name] = None
    return tuple(seen)


def _scales(body: dict[str, Any]) -> tuple[str, str] | None:
    """The target of an autoscaler, of Kubernetes or of KEDA."""
    if body["kind"] not in ("HorizontalPodAutoscaler", "ScaledObject"):
        return None
    target = (body.get("spec") or {}).get("scaleTargetRef") or {}
    return (target.get("kind") or "Deployment", target["name"]) if target.get("name") else None
