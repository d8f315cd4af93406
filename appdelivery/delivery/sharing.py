"""One object wanted by several applications of an installation (delivery.md 8, policy `shared-resource`).

The first one writes it, the others note on it that they need it, each with an annotation and a field manager of its own, so
that nobody writes over another's note.  When the writer leaves, it hands the owner mark to the first that is noted; that
one writes from its next release on, and nothing was deleted in between.  Called by plan, guards, send and prune.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery.ports import ApplyOptions
from appdelivery.model import marks, names
from appdelivery.model.refs import AppKey

if TYPE_CHECKING:
    from appdelivery.delivery.ports import Applied, Fleet, Installation
    from appdelivery.model.refs import Ref

PREFIX = "shared.appdelivery.dev/"


def key(app: AppKey) -> str:
    return PREFIX + names.dnsname(f"{app.namespace}.{app.name}")


def sharers(body: dict[str, Any] | None, *, but: AppKey | None = None) -> list[AppKey]:
    """The applications that are noted on an object, in order of their names; also those that KubeVela noted."""
    annotations = ((body or {}).get("metadata") or {}).get("annotations") or {}
    noted = [str(value) for name, value in annotations.items() if name.startswith(PREFIX)]
    noted += str(annotations.get(marks.SHARED_BY) or "").split(",")
    pairs = [one.strip().partition("/") for one in noted]
    found = {AppKey(namespace, app) for namespace, slash, app in pairs if slash and namespace and app}
    return sorted(found - {but}, key=str)


async def note(fleet: Fleet, cluster: str, ref: Ref, app: AppKey) -> Applied:
    """Notes an application on an object that another one writes."""
    return await _annotate(fleet, cluster, ref, app, {key(app): str(app)})


async def leave(fleet: Fleet, cluster: str, ref: Ref, app: AppKey) -> None:
    """Takes the note off again."""
    try:
        await _annotate(fleet, cluster, ref, app, {})
    except errors.Missing:
        return


async def hand_over(fleet: Fleet, cluster: str, ref: Ref, heir: AppKey, installation: Installation) -> None:
    """Makes another application the owner; its note stays until it writes the object itself."""
    mark = marks.owner_mark(installation.label, heir, ref)
    await _annotate(fleet, cluster, ref, heir, {key(heir): str(heir), marks.OWNER: mark})


async def _annotate(fleet: Fleet, cluster: str, ref: Ref, app: AppKey, annotations: dict[str, str]) -> Applied:
    """Under the manager of an application that owns nothing else of the object."""
    metadata: dict[str, Any] = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
    if annotations:
        metadata["annotations"] = annotations
    body = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}
    return await fleet.apply(cluster, ref, body, ApplyOptions(marks.manager_of(app), force=True))
