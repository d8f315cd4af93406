"""The bounds of section "Limits" for text that is read: one record, handed through, so that settings can change it."""

from __future__ import annotations

from appdelivery.model.record import record


@record
class Limits:
    """Bytes, documents, levels, nodes, characters of one scalar, nodes that aliases may repeat."""

    file: int = 4 << 20
    documents: int = 1_000
    depth: int = 100
    nodes: int = 200_000
    scalar: int = 1 << 20
    alias: int = 10_000


LIMITS = Limits()
