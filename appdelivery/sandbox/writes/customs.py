"""Custom kinds."""

from __future__ import annotations

from appdelivery.sandbox.writes import decoding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Key
    from appdelivery.sandbox.writes.types import Type


def decoded(kind: Kind, type: Type, body: Body, validation: str) -> tuple[Body, tuple[str, ...]]:
    return decoding.copied(body), ()


def committed(cluster: Cluster, kind: Kind, body: Body) -> None:
    """A definition was stored: its kinds come, change or go."""


def gone(cluster: Cluster, kind: Kind, body: Body, take: Callable[[Kind, Key], None]) -> None:
    """A definition was deleted."""
