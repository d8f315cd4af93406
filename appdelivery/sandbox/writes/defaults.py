"""placeholder until the table is laid"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body


def fill(kind: Kind, body: Body) -> None:
    """Sets what the server sets when it is absent."""
    if kind.family == ("", "namespaces") and body["metadata"].get("name"):
        body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = body["metadata"]["name"]


def allocate(cluster: object, kind: Kind, body: Body) -> None:
    """Addresses of a new service."""


def reallocate(cluster: object, kind: Kind, old: Body, new: Body) -> None:
    """Addresses of a changed service."""
