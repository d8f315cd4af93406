"""Which clusters a command works on, and the Fleet that speaks to them.

A name is a registered cluster (credentials from the store) or a context of the user's kubeconfig; no name is the
kubeconfig's current context.  Who has no kubeconfig uses the sandbox that runs on this computer, and is told so.  A
cluster keeps its row by its identity: a context that has come to point elsewhere is refused, because the inventory
describes the objects of the cluster it was.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from appdelivery import errors

if TYPE_CHECKING:
    from typing import Any

    from appdelivery.clusters.credentials import Credentials
    from appdelivery.clusters.fleet import ClusterFleet
    from appdelivery.delivery.ports import Bare, Judge, ResolveSecret
    from appdelivery.model.live import ClusterFacts
    from appdelivery.model.refs import Ref
    from appdelivery.model.secret import Secret, SecretRef
    from appdelivery.platform.local import Platform

IN_CLUSTER = "in-cluster"


def credentials(p: Platform, name: str) -> tuple[str, Credentials]:
    """The cluster's name and how to reach it."""
    from appdelivery.clusters import credentials as forms
    from appdelivery.clusters import kubeconfig
    from appdelivery.store import clusters

    if name:
        sealed = clusters.credentials(p.store, name)
        if sealed is not None:
            return name, forms.from_tree(sealed)
    places = paths(p)
    try:
        found = kubeconfig.read(context=name, paths=places)
    except errors.NotFound as error:
        if error.code == "kubeconfig.missing":
            error.hint += "\nor use clusters on this computer: appctl sandbox start"
        if name:
            raise _unknown(p, name, error, places) from error
        raise
    return name or kubeconfig.current(places) or IN_CLUSTER, found


def _unknown(p: Platform, name: str, error: errors.NotFound, places: list[str]) -> errors.NotFound:
    from appdelivery.clusters import kubeconfig
    from appdelivery.model import suggest
    from appdelivery.store import clusters

    try:
        contexts = kubeconfig.names(places)
    except errors.AppError:  # there is none: the hint of `error` says so
        contexts = []
    there = [one.name for one in clusters.list(p.store)] + contexts
    return errors.NotFound(
        f"find cluster '{name}': it is neither registered nor a context of your kubeconfig{suggest.meant(name, there)}",
        hint=error.hint or "appctl cluster list shows the registered ones",
    )


def paths(p: Platform) -> list[str]:
    """The kubeconfig that was asked for; [] = the user's own; where there is none, that of a running sandbox."""
    if p.options.kubeconfig:
        return [p.options.kubeconfig]
    own = os.environ.get("KUBECONFIG") or os.environ.get("KUBERNETES_SERVICE_HOST")
    if own or os.path.exists(os.path.expanduser("~/.kube/config")):
        return []
    from appdelivery.platform.sandbox_home import Home

    home = Home()
    if not home.running():
        return []
    p.notice(f"there is no kubeconfig: using the sandbox on this computer ({home.kubeconfig})")
    return [home.kubeconfig]


def known(p: Platform, name: str) -> bool:
    """Whether a name still leads to a cluster: it is registered, or a context of the kubeconfig in use."""
    try:
        credentials(p, name)
    except errors.AppError:
        return False
    return True


def fleet(
    p: Platform,
    found: dict[str, Credentials],
    *,
    judge: Judge,
    bare: dict[tuple[str, Any], Bare] | None = None,
    facts: dict[str, ClusterFacts | None] | None = None,
) -> ClusterFleet:
    """A Fleet over the given clusters; closed with the platform."""
    from appdelivery.clusters.fleet import ClusterFleet, Connection

    kept = bare or {}

    def bare_of(cluster: str, ref: Ref) -> Bare:
        return kept.get((cluster, ref.identity), ())

    made = ClusterFleet(
        {name: Connection(one, (facts or {}).get(name)) for name, one in found.items()},
        instance=p.journal.installation().label,
        judge=judge,
        bare=bare_of,
        resolve_secret=resolver(p),
        log=p.requests,
    )
    p.fleets.append(made)
    return made


def resolver(p: Platform) -> ResolveSecret:
    async def resolve(ref: SecretRef) -> Secret:
        """Opened when a request body is built, and nowhere before."""
        from appdelivery.store import secrets

        return await p.in_thread(lambda: secrets.get(p.store, ref))

    return resolve


async def seen(p: Platform, facts: ClusterFacts, server: str) -> None:
    """Keeps the cluster's row: its identity, version and reach.  Refuses a name that now means another cluster."""
    await p.in_thread(lambda: keep(p, facts.name, facts, server))


def keep(p: Platform, name: str, facts: ClusterFacts, server: str) -> None:
    """The same, outside of the event loop."""
    from appdelivery.store import clusters

    clusters.seen(p.store, name=name, uid=facts.uid, server=server, server_version=facts.version)


def known_as(p: Platform, facts: ClusterFacts, server: str) -> str:
    """The name under which the store keeps a cluster that has answered: another context may lead to the same one."""
    from appdelivery.store import clusters

    return clusters.known_as(p.store, name=facts.name, uid=facts.uid, server=server)


async def probe(p: Platform, name: str, found: Credentials) -> ClusterFacts:
    """Asks the cluster who it is and what it serves."""
    return await fleet(p, {name: found}, judge=_no_opinion).facts(name)


def _no_opinion(_live: Any) -> Any:
    from appdelivery.model.live import Health

    return Health("unknown", "NotJudged")
