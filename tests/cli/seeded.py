"""A store with releases in it, made by the product's own parts without a cluster: what store-only commands read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from appdelivery.delivery import desired as wanting
from appdelivery.delivery import policies
from appdelivery.delivery.ports import EventAdded, ObjectApplied, ObjectIntended, ReleaseEnded, ReleaseRequest
from appdelivery.model.history import Event, Managed
from appdelivery.model.record import changed
from appdelivery.model.run import WorkKey
from appdelivery.platform import documents, local, offline, rendering, stored
from appdelivery.render import render
from appdelivery.render.render import RenderContext

UID = "6f1c1b0e-0000-4000-8000-000000000001"


def store_path(home: str) -> str:
    return f"{home}/.local/share/appctl/store.db"


def deliver(
    home: str,
    document: str,
    *,
    cluster: str = "laboratory",
    health: str = "healthy",
    reason: str = "",
    outcome: str = "succeeded",
    message: str = "",
    events: tuple[dict[str, Any], ...] = (),
) -> None:
    """One release of every application of the document, carried out by nobody and ended as told."""
    p = local.open_store(local.Options(store=store_path(home)), mode="write")
    try:
        work = rendering.load(documents.Request(("-",), stdin=document.encode))
        for app in work.loaded.applications:
            installation = p.journal.installation()
            newest = p.journal.newest(app.key)
            number = newest.number if newest else 0
            context = RenderContext(revision=number + 1, digest_key=installation.digest_key)
            rendered = render.render(app, work.catalog.resolve, context)
            facts = wanting.without_cluster(rendered, cluster)
            wanted = wanting.desired(rendered, facts, installation, policies.read(app.policies))
            request = ReleaseRequest(
                app=app.key,
                document=app.document,
                rendered=rendered,
                plan=offline.without_cluster(p, work, app),
                desired=tuple(
                    [(one.digest, one.subject.component, stored.origin_tree(one, ()), one.body) for one in wanted]
                ),
                actor=p.actor,
                cause="user",
                after=number,
                labels=dict((app.document.get("metadata") or {}).get("labels") or {}),
            )
            release, revision = p.journal.open_release(request)
            lease = p.journal.claim(WorkKey("app", str(app.key)), p.worker, 30)
            assert lease is not None
            rows = [
                Managed(
                    app.key,
                    cluster,
                    one.subject.ref,
                    one.subject.component,
                    f"component {one.subject.component}",
                    "owned",
                    "intended",
                    release.number,
                    release.number,
                    revision.number,
                    lease.fence,
                    desired_digest=one.digest,
                )
                for one in wanted
            ]
            p.journal.record(lease, [ObjectIntended(row) for row in rows])
            done = {"state": "present", "uid": UID, "digest_form": 1, "generation": 1, "resource_version": 7}
            seen = {"health": health, "health_reason": reason, "health_since": datetime(2026, 1, 1, tzinfo=UTC)}
            told = [
                EventAdded(Event("health.changed", str(app.key), p.actor, datetime(2026, 1, 1, tzinfo=UTC), data))
                for data in events
            ]
            p.journal.record(
                lease,
                [
                    *[ObjectApplied(changed(row, applied_digest=row.desired_digest, **done, **seen)) for row in rows],
                    *told,
                    ReleaseEnded(release.number, outcome, message, {"create": len(rows)}),
                ],
            )
            p.journal.release(lease)
    finally:
        p.store.close()
