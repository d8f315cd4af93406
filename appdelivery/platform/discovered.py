"""What clusters serve, kept between commands as kubectl keeps it: discovery costs four requests, a release that changes
nothing a few lists.  A file in the cache folder per server, no secret, believed for ten minutes; a kind that is not in it
makes the client look again anyway.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery import settings
from appdelivery.model.record import changed
from appdelivery.platform import identity

if TYPE_CHECKING:
    from appdelivery.clusters.credentials import Credentials
    from appdelivery.model.live import ClusterFacts

BELIEVED = timedelta(minutes=10)
LARGEST = 4 << 20


def read(name: str, reached: Credentials) -> ClusterFacts | None:
    """Facts of an earlier command, under the name the cluster has now; None when there are none that are young enough."""
    from appdelivery.clusters import discovery

    try:
        with open(_path(reached), "rb") as file:
            tree: dict[str, Any] = json.loads(file.read(LARGEST))
        facts = discovery.from_tree(tree)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, or not as we write it: the cluster is asked
    young = timedelta(0) <= identity.clock() - facts.read_at < BELIEVED
    return changed(facts, name=name) if young else None


def write(facts: ClusterFacts, reached: Credentials) -> None:
    """Whole or not at all; a cache that cannot be written is none."""
    from appdelivery.clusters import discovery

    path = _path(reached)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        part = f"{path}.{os.getpid()}"
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(discovery.to_tree(facts), file)
        os.replace(part, path)
    except OSError:
        return


def _path(reached: Credentials) -> str:
    """By address and authority: a cluster made anew at the same address has another one."""
    mark = hashlib.sha256(f"{reached.server}\n{reached.ca}".encode()).hexdigest()[:24]
    return f"{settings.folders(os.environ).cache}/discovery/{mark}.json"
