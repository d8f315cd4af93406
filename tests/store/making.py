"""Requests, rows and facts as delivery makes them, for tests of the journal and the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appdelivery.delivery import ports
from appdelivery.model import canonical, change, manifest
from appdelivery.model.application import Input, Output
from appdelivery.model.history import Actor, Managed
from appdelivery.model.record import changed
from appdelivery.model.refs import AppKey, ref_of
from appdelivery.model.run import Foreach, Retry, Run, Spec, StepSpec, StepState, WorkKey
from appdelivery.model.secret import Secret
from appdelivery.store import run_history

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.history import Lease

ANA = Actor("user", "ana@laptop", "cli")
WEB = AppKey("shop", "web")
MODE = ("StepByStep", "DAG")
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


def spec() -> Spec:
    return Spec(
        (StepSpec("one", "wait", "wait", {"seconds": 1}, 0), StepSpec("two", "deploy", "deploy", {}, 1, ("one",))), MODE
    )


def rich_spec() -> Spec:
    """Every word that a step may have."""
    full = StepSpec(
        "two", "request", "request", {"url": "https://x", "token": Secret("abc"), "$secret": "plain"}, 1, needs=("one",),
        depends_on=("one",), condition="status.one.succeeded", timeout=60.0, inputs=(Input("a", "b.c"),),
        outputs=(Output("o", "output.x", secret=True),), retry=Retry(3, 2.0, "linear", 1.5, 30.0),
        foreach=Foreach(["x", {"y": 1}], "it", 2, fail_fast=False), group="g", concurrency=4, once=True, alias="the second",
    )  # fmt: skip
    by_text = StepSpec("three", "print", "print", {}, 2, foreach=Foreach("${{ inputs.x }}"))
    return Spec((spec().steps[0], full, by_text), ("DAG", "StepByStep"), 3600.0)


def run_request(
    run: str, app: AppKey | None, of: Spec | None = None, *, document: dict[str, Any] | None = None, **more: Any
) -> ports.RunRequest:
    of = of or spec()
    namespace, name = (app.namespace, app.name) if app is not None else ("shop", "nightly")
    steps = tuple([StepState(s.name, s.type, s.ordinal) for s in of.steps])
    made = Run(run, namespace, name, "executing", of, datetime(2026, 1, 1, tzinfo=UTC), **more)
    return ports.RunRequest(made, steps, ANA, document)


def attempts(journal: Any, run: str) -> list[Any]:
    """Of a journal of any kind."""
    if (store := getattr(journal, "store", None)) is not None:
        return list(run_history.attempts(store, run))
    return [attempt for (of, _, _), attempt in sorted(journal.state.runs.attempts.items()) if of == run]
