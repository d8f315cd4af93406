"""The cluster registry: add, describe, rename, cordon, probe and forget clusters (placement.md section 2).

Called by the command line and the server.  A cluster is added after it has answered; its credentials are sealed and never
shown again.  What people say of a cluster and what probes see are kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.model import labels, names, reach
from appdelivery.model.record import record
from appdelivery.platform import documents, identity, reaching
from appdelivery.platform.guard import guard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from appdelivery.clusters.credentials import Credentials
    from appdelivery.clusters.documents import Declared
    from appdelivery.clusters.kubeconfig import Trust
    from appdelivery.clusters.probing import Probe
    from appdelivery.model.selection import Selection
    from appdelivery.platform.local import Platform
    from appdelivery.store.clusters import Cluster
    from appdelivery.store.registry import Deployed


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to a new cluster, and what was allowed by name.  Without anything: the user's own kubeconfig."""

    kubeconfig: str = ""  # a file that somebody has given us
    context: str = ""
    server: str = ""
    ca: str = ""  # this and the following are files
    token: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""
    in_cluster: bool = False
    insecure: bool = False
    commands: tuple[str, ...] = ()  # credential plugins that may run

    @property
    def trust(self) -> Trust:
        from appdelivery.clusters.kubeconfig import Trust

        return Trust(insecure=self.insecure, commands=self.commands)


@record
class Added:
    name: str
    server: str
    version: str
    reach: str
    renewed: bool  # it was registered before and has new credentials
    context: str  # the context under which its history was kept so far; '' = none
    warnings: tuple[str, ...]


@record
class Probed:
    """A probe, and the state that the registry has after it (None: this cluster has no row)."""

    probe: Probe
    reach: reach.Reach | None
    name: str  # under which the store knows it


async def add(p: Platform, name: str, login: Login, description: Mapping[str, Any]) -> Added:
    """description: labels, region, zone, provider as far as given; the rest of a known cluster stays."""
    guard(p.actor, "register", f"cluster {name}")
    doing = f"register cluster {name}"
    _check_name(name, doing)
    found, auth = _logged_in(p, login, name, doing)
    return await _registered(p, name, found, auth=auth, description=description)


async def declare(p: Platform, texts: dict[str, bytes], login: Login) -> list[tuple[str, Added | errors.AppError]]:
    """Registers and describes every `kind: Cluster` document of the files; one that fails does not hold the others back."""
    import asyncio

    guard(p.actor, "register", "clusters")
    declared = _read(texts)

    async def one(given: Declared) -> tuple[str, Added | errors.AppError]:
        try:
            return given.name, await _declared(p, given, login)
        except errors.AppError as error:
            return given.name, error

    return list(await asyncio.gather(*[one(given) for given in declared]))


def _read(texts: dict[str, bytes]) -> list[Declared]:
    from appdelivery.clusters import documents as cluster_documents
    from appdelivery.language.text import yaml_in

    def load(item: tuple[str, bytes]) -> list[tuple[str, int, Any]]:
        return [(item[0], index, tree) for index, tree in enumerate(yaml_in.load(item[1], item[0]))]

    trees = [one for found in documents.collecting(texts, load, tuple(texts.items())) for one in found]
    # A file with a secret in it is refused without showing its lines.
    shown = {file: text for file, text in texts.items() if file not in cluster_documents.with_secrets(trees)}
    return documents.locating(shown, lambda: cluster_documents.read(trees))


async def _declared(p: Platform, given: Declared, login: Login) -> Added:
    from appdelivery.clusters import sources

    doing = f"register cluster {given.name}"
    kind, value = given.auth
    description = given.description
    if not kind:
        return await p.in_thread(lambda: _described_anew(p, given, description))
    if kind == "inCluster":
        found, auth = _logged_in(p, Login(in_cluster=True), given.name, doing)
    elif kind == "kubeconfigContext":
        found, auth = _logged_in(p, replace(login, context=value), given.name, doing)
    else:
        found = sources.parts(given.parts(), doing=doing, trust=login.trust)
        auth = found.kind
    return await _registered(p, given.name, found, auth=auth, description=description)


def _described_anew(p: Platform, given: Declared, description: Mapping[str, Any]) -> Added:
    """A document without `auth` describes a cluster that is registered already."""
    from appdelivery.store import clusters, registry

    row = next((one for one in clusters.list(p.store) if one.name == given.name and one.registered), None)
    if row is None:
        raise errors.NotFound(
            f"register cluster {given.name}: {given.file} does not say how to log in, and it is not registered yet",
            hint="add spec.server and spec.auth, or register it first: appctl cluster add NAME",
        )
    if given.server and given.server != row.server:
        raise errors.Conflict(
            f"register cluster {given.name}: {given.file} names {given.server}, it is registered at {row.server}",
            code="cluster.changed",
            hint="another address needs spec.auth too: credentials are bound to the address they were given for",
        )
    registry.described(p.store, given.name, lambda _: description, actor=p.actor, message=f"described by {given.file}")
    return Added(row.name, row.server, row.server_version, row.reach, renewed=False, context="", warnings=())


def _logged_in(p: Platform, login: Login, name: str, doing: str) -> tuple[Credentials, str]:
    """The credentials and the word by which the registry calls their kind."""
    from appdelivery.clusters import sources

    if login.in_cluster:
        return sources.in_cluster(), "inCluster"
    if login.server:
        given = sources.Parts(
            server=login.server,
            ca_file=login.ca,
            token_file=login.token,
            certificate_file=login.certificate,
            key_file=login.key,
            server_name=login.server_name,
            insecure=login.insecure,
        )
        found = sources.parts(given, doing=doing, trust=login.trust)
    elif login.kubeconfig:
        found = sources.foreign(login.kubeconfig, context=login.context, trust=login.trust)
    else:
        context = login.context or _of_that_name(p, name)
        found = sources.own(context=context, paths=reaching.paths(p), trust=login.trust)
    return found, found.kind


def _of_that_name(p: Platform, name: str) -> str:
    """The context that is called as the cluster shall be; '' = the current one."""
    from appdelivery.clusters import kubeconfig

    try:
        return name if name in kubeconfig.names(reaching.paths(p)) else ""
    except errors.AppError:
        return ""  # a kubeconfig that cannot be read is told when it is used


async def _registered(p: Platform, name: str, found: Credentials, *, auth: str, description: Mapping[str, Any]) -> Added:
    from appdelivery.clusters import credentials, probing
    from appdelivery.store import clusters, registry

    seen = await probing.probe(name, found, log=p.requests)
    if seen.facts is None:
        raise _unanswered(name, seen)
    before = next((one for one in await p.in_thread(lambda: clusters.list(p.store)) if one.name == name), None)
    context = await p.in_thread(
        lambda: clusters.add(
            p.store,
            name=name,
            uid=seen.facts.uid if seen.facts else "",
            credentials=credentials.to_tree(found),
            labels=description.get("labels"),
            description={field: value for field, value in description.items() if field != "labels"},
            server=found.server,
            insecure=found.insecure,
            auth=auth,
            server_version=seen.facts.version if seen.facts else "",
            actor=p.actor,
        )
    )
    after = await p.in_thread(lambda: _recorded(p, name, seen))
    renewed = before is not None and before.registered
    said = "has new credentials" if renewed else f"registered, known as the context {context}" if context else "registered"
    await p.in_thread(lambda: registry.noted(p.store, name, actor=p.actor, message=said, data={"server": found.server}))
    return Added(
        name,
        found.server,
        seen.facts.version,
        after.state,
        renewed=renewed,
        context=context,
        warnings=_warnings(found, seen),
    )


def _unanswered(name: str, seen: Probe) -> errors.ClusterError:
    kind = errors.Unauthorized if seen.reach == reach.UNAUTHORIZED else errors.Unreachable
    return kind(f"register cluster {name}: {seen.reason}", code=seen.code, hint=seen.hint)


def _warnings(found: Credentials, seen: Probe) -> tuple[str, ...]:
    """What the person who registers a cluster should know."""
    from appdelivery.clusters import expiry

    told = [
        "the server's certificate is not verified" if found.insecure else "",
        f"it cannot be used yet: {seen.reason}\n{seen.hint}".strip() if seen.reason else "",
        expiry.warning(seen.expires, identity.clock()),
        f"its clock is {abs(seen.skew_s or 0):g} s {'ahead' if (seen.skew_s or 0) > 0 else 'behind'}" if seen.skewed else "",
        *[f"missing rights to {use}: {', '.join(lacking)}" for use, lacking in (seen.missing or {}).items() if lacking],
    ]
    return tuple([text for text in told if text])


# --- look ---


def known(p: Platform, chosen: Selection | None = None) -> Sequence[Cluster]:
    """Every cluster with a row, or those that were chosen; by name."""
    from appdelivery.store import clusters

    guard(p.actor, "get", "clusters")
    found = clusters.list(p.store)
    if chosen is None or chosen.everything:
        return found
    picked = chosen.pick({one.name: one.labels for one in found})
    return [one for one in found if one.name in picked]


def one(p: Platform, name: str) -> tuple[Cluster, Sequence[Deployed]]:
    """A cluster and what is deployed there."""
    from appdelivery.store import clusters, registry

    guard(p.actor, "get", f"cluster {name}")
    return clusters.get(p.store, name), registry.deployed(p.store, name)


def warning(cluster: Cluster) -> str:
    """What is to be said about a cluster wherever it is listed; '' = nothing."""
    from datetime import datetime

    from appdelivery.clusters import expiry

    ends = (cluster.probe or {}).get("expires")
    told = [
        "the server's certificate is not verified" if cluster.insecure else "",
        cluster.reach_reason,
        expiry.warning(datetime.fromisoformat(ends), identity.clock()) if ends else "",
        f"cordoned by {cluster.admin_by}: {cluster.admin_reason}" if cluster.admin_reason else "",
    ]
    return "; ".join([text for text in told if text])


# --- change ---


def label(p: Platform, name: str, words: Sequence[str], *, overwrite: bool) -> bool:
    """KEY=VALUE sets, KEY- removes.  Answers whether anything changed."""
    doing = f"label cluster {name}"
    wanted = labels.changes(words, doing)
    return _describe(
        p,
        name,
        lambda c: {"labels": labels.changed(c.labels, wanted, doing, overwrite=overwrite)},
        f"labels {' '.join(words)}",
    )


def taint(p: Platform, name: str, words: Sequence[str], *, overwrite: bool) -> bool:
    """KEY=VALUE:EFFECT sets, KEY:EFFECT- or KEY- removes."""
    doing = f"taint cluster {name}"
    wanted = labels.taint_changes(words, doing)
    return _describe(
        p,
        name,
        lambda c: {"taints": labels.tainted(c.taints, wanted, doing, overwrite=overwrite)},
        f"taints {' '.join(words)}",
    )


def _describe(p: Platform, name: str, change: Callable[[Cluster], Mapping[str, Any]], message: str) -> bool:
    from appdelivery.store import registry

    guard(p.actor, "update", f"cluster {name}")
    return registry.described(p.store, name, change, actor=p.actor, message=message)


def rename(p: Platform, name: str, new: str) -> None:
    from appdelivery.store import registry

    guard(p.actor, "update", f"cluster {name}")
    _check_name(new, f"rename cluster {name}")
    registry.renamed(p.store, name, new, actor=p.actor)


def cordon(p: Platform, name: str, reason: str, *, cordon: bool = True) -> bool:
    """No new placements on it, or again; what runs there stays and is updated.  Answers whether that is a change."""
    from appdelivery.store import registry

    guard(p.actor, "update", f"cluster {name}")
    return registry.cordoned(p.store, name, actor=p.actor, reason=reason, cordon=cordon)


def forget(p: Platform, name: str) -> Sequence[Deployed]:
    """Removes credentials and rows, keeps history; answers what stays running there."""
    from appdelivery.store import clusters, registry

    guard(p.actor, "forget", f"cluster {name}")
    left = registry.deployed(p.store, name)
    clusters.remove(p.store, name, actor=p.actor)
    told = {"left": [f"{one.app}: {one.objects}" for one in left]}
    registry.noted(p.store, name, actor=p.actor, message="forgotten", data=told)
    return left


# --- probe ---


async def probe(
    p: Platform, name: str, *, full: bool = True, sleep: Callable[[float], Awaitable[None]] | None = None
) -> Probed:
    """Asks a registered cluster, or a context of the kubeconfig, how it is, and records the answer where there is a row."""
    import asyncio

    from appdelivery.clusters import probing
    from appdelivery.store import clusters

    guard(p.actor, "get", f"cluster {name}")
    cluster, found = await p.in_thread(lambda: reaching.credentials(p, name))
    once = partial(probing.probe, cluster, found, full=full, log=p.requests)
    seen = await probing.patiently(once, sleep=sleep or asyncio.sleep)
    if seen.facts is not None:
        facts = seen.facts
        cluster = await p.in_thread(lambda: reaching.known_as(p, facts, found.server))
    rows = {one.name: one for one in await p.in_thread(lambda: clusters.list(p.store))}
    if seen.facts is not None and (cluster not in rows or not rows[cluster].uid):
        await p.in_thread(partial(reaching.keep, p, cluster, seen.facts, found.server))
    elif cluster not in rows:
        return Probed(seen, None, cluster)
    return Probed(seen, await p.in_thread(lambda: _recorded(p, cluster, seen)), cluster)


def _recorded(p: Platform, name: str, seen: Probe) -> reach.Reach:
    """One probe is one observation, however often it was tried: the tries are failures of their own."""
    from appdelivery.clusters import probing
    from appdelivery.store import registry

    found = seen.to_tree() if seen.facts is not None else None
    for _ in range(seen.tries if seen.reach == reach.UNREACHABLE else 1):
        after = registry.probed(
            p.store,
            name,
            seen=seen.reach,
            reason=seen.reason,
            server_version=seen.facts.version if seen.facts else "",
            found=found,
            served=probing.served_digest(seen.facts) if seen.facts else "",
        )
    return after


def _check_name(name: str, doing: str) -> None:
    if names.is_dns_label(name):
        return
    better = names.dnsname(name)
    raise errors.RequestError(
        f"{doing}: '{name[:80]}' is not a name: up to 63 of a-z, 0-9 and '-', with a letter or digit at both ends",
        code="cluster.name",
        hint=f"for example {better}" if names.is_dns_label(better) else "",
    )
