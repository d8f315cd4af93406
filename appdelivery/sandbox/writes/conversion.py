"""Objects between the versions of one kind."""

from __future__ import annotations

from appdelivery.sandbox.writes import customs, types

STORED = {("autoscaling", "horizontalpodautoscalers"): "autoscaling/v2", ("", "events"): "v1"}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.ownership import Convert
    from appdelivery.sandbox.writes.types import Type


def served(cluster: Cluster, kind: Kind, body: Body) -> Body:
    """A stored body as `kind` shows it; itself when nothing differs."""
    return body if body["apiVersion"] == kind.api_version else into(body, kind.api_version)


def stored(cluster: Cluster, kind: Kind, body: Body) -> Body:
    """A body of `kind` as it is stored."""
    version = customs.storage_version(kind) if kind.definition is not None else STORED.get(kind.family, kind.api_version)
    return body if version == kind.api_version else into(body, version)


def into(body: Body, api_version: str) -> Body:
    return {**body, "apiVersion": api_version}


def converter(cluster: Cluster, kind: Kind) -> Convert:
    """For the comparison of entries of other versions."""

    def convert(body: Body, api_version: str) -> tuple[Type, Body] | None:
        target = cluster.kinds.named(api_version, kind.kind)
        if target is None or target.family != kind.family:
            return None
        return types.of(cluster.schemas, target.schema), into(body, api_version)

    return convert
