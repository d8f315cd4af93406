"""Planes for a while: those that `make planes` left running, or some that are started now and stopped afterwards."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def kubeconfig(context: str) -> Iterator[str]:
    """The path of one that has this context."""
    if TESTS not in sys.path:
        sys.path.insert(0, TESTS)
    import planes

    if planes.running(planes.DEFAULT):
        yield f"{planes.DEFAULT}/kubeconfig"
        return
    with contextlib.suppress(FileNotFoundError):
        planes.stop(planes.DEFAULT)
    try:
        yield planes.start(planes.DEFAULT, (context,))
    finally:
        planes.stop(planes.DEFAULT)
