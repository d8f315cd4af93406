"""The controllers of a sandbox: what a control plane, its scheduler and its kubelets do to the objects that users write.

`start(cluster, nodes=...)` fills a cluster with what every cluster has and gives the `Controllers` that keep it going.
One file per controller; `queue` runs them, `context` is what they are handed, `weather` says how pods fare.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers import bootstrap, quota_usage, table
from appdelivery.sandbox.controllers.queue import Controllers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.storage import Body

__all__ = ["Controllers", "start"]


def start(cluster: Cluster, *, nodes: Sequence[Body] = (), seed: int = 0, certificate: str = "") -> Controllers:
    """Settled when it returns.  seed: of random names; certificate: PEM of the authority, for kube-root-ca.crt.

    A cluster whose storage was restored goes on from there; only what is missing is made.
    """
    controllers = Controllers(cluster, table.CONTROLLERS, seed=seed)
    controllers.context.certificate = certificate
    controllers.resume()
    cluster.admitting.append(lambda kind, body, dry_run: quota_usage.admit(cluster, kind, body, dry_run=dry_run))
    bootstrap.populate(cluster, nodes)
    controllers.settle()
    return controllers
