"""Requests, rows and facts as delivery makes them, for tests of the journal and the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery import ports
from appdelivery.model import canonical, change, manifest
from appdelivery.model.history import Actor, Managed
from appdelivery.model.record import changed
from appdelivery.model.refs import AppKey, ref_of
from appdelivery.model.run import WorkKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.history import Lease

ANA = Actor("user", "ana@laptop", "cli")
WEB = AppKey("shop", "web")
UID = "6f1c1b0e-0000-4000-8000-000000000001"


def key(app: AppKey = WEB) -> WorkKey:
    return WorkKey("app", str(app))


def config_map(name: str = "settings", **data: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"},
        "data": data or {"mode": "fast"},
    }


def digest(text: str) -> str:
    return canonical.digest(text)


def request(
    app: AppKey = WEB, bodies: Sequence[dict[str, Any]] = (), *, after: int = 0, key: bytes = b"", **more: Any
) -> ports.ReleaseRequest:
    """bodies: the desired objects; the content, and so the revision, follows from them."""
    bodies = list(bodies) or [config_map()]
    desired = tuple((canonical.digest(b, key), "web", {"component": "web"}, b) for b in bodies)
    content = canonical.digest([d[0] for d in desired])
    made = tuple(manifest.Manifest(ref_of(b), b, manifest.Origin("web")) for b in bodies)
    component = manifest.RenderedComponent("web", "webservice", made, (), "web-v1", content)
    definitions = (("ComponentDefinition", "webservice@1.0.0", digest("webservice")),)
    changes = tuple(
        change.Change(
            change.Subject("east", ref_of(b), "web"), "create", change.Why("absent", "it is not there", {}), "", d[0]
        )
        for b, d in zip(bodies, desired, strict=True)
    )
    fields: dict[str, Any] = {
        "document": {"kind": "Application", "metadata": {"name": app.name}},
        "rendered": manifest.Rendered(app, content, (component,), definitions),
        "plan": change.Plan(app, changes, (), change.Base(after, ())),
        "desired": desired,
        "actor": ANA,
        "cause": "user",
    }
    return ports.ReleaseRequest(app=app, after=after, **fields | more)


def row(
    lease: Lease, body: dict[str, Any] | None = None, *, release: int = 1, cluster: str = "east", **more: Any
) -> Managed:
    """An intended row of the lease's application."""
    fields: dict[str, Any] = {
        "component": "web",
        "origin": "component web",
        "mode": "owned",
        "state": "intended",
        "wanted": release,
        "release": release,
        "revision": release,
        "fence": lease.fence,
        "desired_digest": digest("desired"),
    }
    return Managed(app=lease.app, cluster=cluster, ref=ref_of(body or config_map()), **fields | more)


def applied(intended: Managed, **more: Any) -> ports.ObjectApplied:
    fields: dict[str, Any] = {
        "state": "present",
        "uid": UID,
        "applied_digest": intended.desired_digest,
        "tree_digest": digest("tree"),
        "digest_form": 1,
        "generation": 2,
        "resource_version": 1234,
        "health": "healthy",
    }
    return ports.ObjectApplied(changed(intended, **fields | more))


def ended(release: int, outcome: str = "succeeded", message: str = "", **counts: int) -> ports.ReleaseEnded:
    return ports.ReleaseEnded(release, outcome, message, counts)


def delivered(journal: Any, app: AppKey = WEB, bodies: Sequence[dict[str, Any]] = (), **more: Any) -> tuple[Any, Any]:
    """A whole delivery in one go: release, intents, results, end.  The lease is given back."""
    newest = journal.newest(app)
    release, revision = journal.open_release(request(app, bodies, after=newest.number if newest else 0, **more))
    lease = journal.claim(key(app), "here:1:1", 30)
    rows = [row(lease, body, release=release.number) for body in list(bodies) or [config_map()]]
    journal.record(lease, [ports.ObjectIntended(r) for r in rows])
    journal.record(lease, [*[applied(r) for r in rows], ended(release.number, create=len(rows))])
    journal.release(lease)
    return release, revision
