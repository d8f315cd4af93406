"""Administration: secret values, registered clusters, the store itself."""

from __future__ import annotations

import contextlib
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.platform.guard import guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.platform.local import Platform

LARGEST_SECRET = 1 << 20
LONGEST_NAME = 253
NAME = frozenset(f"{string.ascii_letters}{string.digits}._-/")


def secret_set(p: Platform, name: str, value: str, *, owner: str = "") -> int:
    """Stores a value, encrypted, and answers its version.  owner: '' = the installation, else namespace/application."""
    from appdelivery.store import secrets

    guard(p.actor, "create", f"secret {name}")
    if not name or len(name) > LONGEST_NAME or set(name) - NAME:
        raise errors.RequestError(
            f"set secret '{name[:LONGEST_NAME]}': this is no name for a secret",
            hint=f"letters, digits and . _ - /, at most {LONGEST_NAME} characters",
        )
    if len(value.encode()) > LARGEST_SECRET:
        raise errors.RequestError(
            f"set secret {name}: the value has {len(value.encode())} bytes, the limit is {LARGEST_SECRET}"
        )
    return secrets.put(p.store, scope=_scope(owner), owner=owner, name=name, value=value, actor=p.actor)


def secret_list(p: Platform, owner: str | None) -> Sequence[Any]:
    """Names, versions and dates; never a value."""
    from appdelivery.store import secrets

    guard(p.actor, "get", "secrets")
    return secrets.list(p.store, owner=owner)


def secret_remove(p: Platform, name: str, *, owner: str = "") -> int:
    """Removes every version; answers how many."""
    from appdelivery.store import secrets

    guard(p.actor, "delete", f"secret {name}")
    removed = secrets.remove(p.store, scope=_scope(owner), owner=owner, name=name)
    if not removed:
        raise errors.NotFound(f"remove secret {name}: there is none of that name", hint="appctl secret list shows them")
    return removed


def _scope(owner: str) -> str:
    return "application" if owner else "installation"


@dataclass(frozen=True, slots=True)
class Registration:
    """A cluster to be registered: its name, where its kubeconfig came from, and what was allowed by name."""

    name: str
    kubeconfig: bytes
    file: str
    context: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    insecure: bool = False


async def cluster_add(p: Platform, how: Registration) -> dict[str, Any]:
    """Registers a cluster after it has answered: its credentials are sealed and never shown again."""
    from appdelivery.clusters import credentials, kubeconfig
    from appdelivery.platform import reaching
    from appdelivery.store import clusters

    guard(p.actor, "register", f"cluster {how.name}")
    found = kubeconfig.parse(
        how.kubeconfig, own=False, context=how.context, file=how.file, trust=kubeconfig.Trust(insecure=how.insecure)
    )
    facts = await reaching.probe(p, how.name, found)
    await p.in_thread(
        lambda: clusters.add(
            p.store,
            name=how.name,
            uid=facts.uid,
            credentials=credentials.to_tree(found),
            labels=dict(how.labels),
            server=found.server,
            insecure=found.insecure,
            server_version=facts.version,
            actor=p.actor,
        )
    )
    return {"name": how.name, "server": found.server, "version": facts.version, "uid": facts.uid}


def cluster_list(p: Platform) -> Sequence[Any]:
    from appdelivery.store import clusters

    guard(p.actor, "get", "clusters")
    return clusters.list(p.store)


def cluster_forget(p: Platform, name: str) -> int:
    """Removes credentials and rows, keeps history; answers how many objects stay running there."""
    from appdelivery.store import clusters

    guard(p.actor, "forget", f"cluster {name}")
    return clusters.remove(p.store, name, actor=p.actor)


def sweep(p: Platform) -> None:
    """Gives what a command has left over, at most 50 ms, to retention; trouble with it is the next command's to report."""
    from appdelivery.store import retention

    with contextlib.suppress(errors.StoreError):
        retention.sweep(p.store)


def store_check(p: Platform, *, deep: bool) -> Sequence[Any]:
    from appdelivery.store import check

    guard(p.actor, "get", "store")
    return check.check(p.store, deep=deep)
