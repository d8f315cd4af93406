"""What is made once and kept until the served kinds change: discovery and OpenAPI."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import TypeVar

    from appdelivery.sandbox.http.serving import Serving

    Made = TypeVar("Made")


def kept(serving: Serving, key: Hashable, make: Callable[[], Made]) -> Made:
    revision = serving.cluster.kinds.revision
    if serving.revision != revision:
        serving.documents.clear()
        serving.revision = revision
    if key not in serving.documents:
        serving.documents[key] = make()
    made: Made = serving.documents[key]
    return made
