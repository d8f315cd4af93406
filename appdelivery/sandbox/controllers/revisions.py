"""ControllerRevisions: the pod templates that a StatefulSet or DaemonSet has had, so that pods can be told apart."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, templates, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body


def sync(context: Context, owner: Body, *, label: str, notes: dict[str, str] | None = None) -> list[Body]:
    """All revisions, the oldest first and the one of the present template last.  label: the one that holds the hash."""
    data = {"spec": {"template": {"$patch": "replace", **owner["spec"]["template"]}}}
    known = _listed(context, owner)
    same = [one for one in known if one["data"] == data]
    highest = known[-1]["revision"] if known else 0
    if same:
        newest = same[-1]
        if newest["revision"] < highest:  # a template that returns becomes the newest again
            newest = writing.update(context, {**newest, "revision": highest + 1})
        return [*[one for one in known if one["metadata"]["uid"] != newest["metadata"]["uid"]], newest]
    mark = templates.hashed(owner["spec"]["template"], owner.get("status", {}).get("collisionCount") or 0)
    metadata: dict[str, Any] = {
        "name": f"{owner['metadata']['name']}-{mark}",
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(owner["spec"]["template"].get("metadata", {}).get("labels") or {}), label: mark},
        "ownerReferences": [objects.owner_reference(owner)],
    }
    if notes:
        metadata["annotations"] = notes
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "data": data}
    return [*known, writing.create(context, {**body, "revision": highest + 1})]


def truncate(context: Context, owner: Body, revisions: list[Body], used: Collection[str]) -> None:
    """Forgets the oldest that no pod has any more, beyond revisionHistoryLimit.  used: names."""
    spare = [one for one in revisions if one["metadata"]["name"] not in used]
    for one in spare[: max(len(spare) - owner["spec"].get("revisionHistoryLimit", 10), 0)]:
        writing.delete(context, one)


def template(revision: Body) -> dict[str, Any]:
    return {key: value for key, value in revision["data"]["spec"]["template"].items() if key != "$patch"}


def _listed(context: Context, owner: Body) -> list[Body]:
    found = [item.body for item in context.index.controlled(objects.REVISIONS, owner)]
    return sorted(found, key=lambda one: (one["revision"], one["metadata"]["name"]))
