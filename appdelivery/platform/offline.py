"""Comparisons that ask no cluster: an application rendered now against what was last applied, or a stored revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery import desired as wanting
from appdelivery.delivery import policies
from appdelivery.model import marks
from appdelivery.model.record import changed
from appdelivery.model.refs import ref_of
from appdelivery.platform import rendering
from appdelivery.render.render import RenderContext, render

if TYPE_CHECKING:
    from appdelivery.model.application import Application
    from appdelivery.model.change import Plan
    from appdelivery.model.refs import AppKey
    from appdelivery.platform.local import Platform

MARKS = frozenset((marks.INSTANCE, marks.OWNER, *marks.BOOKKEEPING))


def without_cluster(p: Platform, work: rendering.Work, app: Application) -> Plan:
    """The plan against what was last applied: what would change if nobody but us has written since."""
    from appdelivery.delivery import offline

    newest = p.journal.newest(app.key)
    kept = (
        _kept_context(p, app.key, newest.revision)
        if newest
        else RenderContext(digest_key=p.journal.installation().digest_key)
    )
    rendered = render(app, work.catalog.resolve, changed(kept, revision=(newest.revision if newest else 0) + 1))
    inventory = p.journal.inventory(app.key)
    return offline.plan(
        app.key,
        rendered,
        inventory,
        installation=p.journal.installation(),
        given=policies.read(app.policies),
        release=newest.number if newest else 0,
    )


def against_revision(p: Platform, work: rendering.Work, app: Application, number: int) -> list[dict[str, Any]]:
    """Rendered now against a stored revision, object by object, secrets masked."""
    from appdelivery.delivery import diff
    from appdelivery.model import redact
    from appdelivery.store import applications

    installation = p.journal.installation()
    rendered = render(app, work.catalog.resolve, _kept_context(p, app.key, number))
    fresh = {one.ref.identity: one.body for one in wanting.prepare(rendered)}
    old = {ref_of(body).identity: body for _, _, body in applications.manifests(p.store, app.key, number)}

    def shown(bodies: dict[Any, dict[str, Any]]) -> dict[str, Any]:
        return {
            diff.name(b): diff.comparable(_unmarked(redact.objects(b, installation.digest_key))) for b in bodies.values()
        }

    return diff.between(shown(old), shown(fresh))


def _kept_context(p: Platform, app: AppKey, number: int) -> RenderContext:
    """What the stored revision was rendered for, so that only the application's own changes differ."""
    from appdelivery.store import applications

    kept = applications.revision(p.store, app, number).context
    version = str(kept.get("clusterVersion") or "v1.36.0")
    return RenderContext(
        revision=number,
        cluster=str(kept.get("cluster") or "local"),
        cluster_version=rendering.cluster_version(version.partition("+")[0].partition("-")[0]),
        component_revisions=lambda component, digest: applications.component_revision(p.store, app, component, digest),
        digest_key=p.journal.installation().digest_key,
    )


def _unmarked(body: dict[str, Any]) -> dict[str, Any]:
    """Without what delivery writes on every object: the stored side has it, the side just rendered has not."""
    metadata = dict(body["metadata"])
    for part in ("labels", "annotations"):
        kept = {name: value for name, value in (metadata.pop(part, None) or {}).items() if name not in MARKS}
        metadata |= {part: kept} if kept else {}
    return {**body, "metadata": metadata}
