"""A plan against what was last applied, without asking a cluster: for `plan --local` and `diff --local`.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.delivery import desired
from appdelivery.delivery import plan as planner
from appdelivery.delivery.look import Known
from appdelivery.model import marks
from appdelivery.model.live import LiveFact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.delivery.policies import Policies
    from appdelivery.delivery.ports import Installation
    from appdelivery.model.change import Plan
    from appdelivery.model.history import Managed
    from appdelivery.model.manifest import Rendered
    from appdelivery.model.refs import AppKey


def plan(
    app: AppKey,
    rendered: Rendered,
    inventory: Sequence[Managed],
    *,
    installation: Installation,
    given: Policies,
    release: int,
) -> Plan:
    """What would change if nobody but us had written since."""
    clusters = sorted({row.cluster for row in inventory}) or ["local"]
    wanted = [
        item
        for cluster in clusters
        for item in desired.desired(rendered, desired.without_cluster(rendered, cluster), installation, given)
    ]
    known = Known(facts={row.identity: fact(row, installation) for row in inventory if row.uid})
    situation = planner.Situation(installation, release, depends_on={c.name: c.depends_on for c in rendered.components})
    return planner.plan(app, wanted, inventory, known, situation=situation, given=given)


def fact(row: Managed, installation: Installation) -> LiveFact:
    """The object as our last apply left it."""
    return LiveFact(
        ref=row.ref,
        uid=row.uid,
        version=row.resource_version,
        generation=row.generation,
        owner=marks.owner_mark(installation.label, row.app, row.ref),
        own_digest=row.applied_digest,
        tree_digest=row.tree_digest,
        deleting=False,
        fence=f"{row.release}.{row.fence}",
        entry_version=row.ref.api_version,
        owns_replicas=False,
        managers=(),
    )
