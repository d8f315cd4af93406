"""Hand-written validation in the server's words."""

from __future__ import annotations

from appdelivery.sandbox import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Key
    from appdelivery.sandbox.writes.types import Type


def created(cluster: Cluster, kind: Kind, new: Body) -> tuple[str, ...]:
    """Refuses an invalid new object; gives warnings."""
    if not new["metadata"].get("name"):
        cause = status.Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
        raise status.invalid(kind, "", [cause])
    return ()


def updated(cluster: Cluster, kind: Kind, old: Body, new: Body, subresource: str) -> tuple[str, ...]:
    """Refuses an invalid change; gives warnings."""
    return ()


def typed(kind: Kind, type: Type, key: Key, body: Body) -> None:
    """An applied object must fit its schema before it is merged."""
