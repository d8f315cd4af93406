"""What several test folders need: where shared test material is, how many examples, and waiting without sleeping."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCALE = float(os.environ.get("APPCTL_TEST_TIME_SCALE", "1"))
PROFILE = os.environ.get("APPCTL_TEST_PROFILE", "ci" if os.environ.get("CI") else "dev")
SHARES = {"dev": 0.25, "ci": 1, "deep": 20}


def examples(full: int) -> int:
    """For `max_examples` of a property that needs another number than most: full is that of the full run."""
    return max(10, round(full * SHARES[PROFILE]))


def shared(path: str) -> str:
    """A file of the shared conformance and data folder; skips (or, when required, fails) where it is absent."""
    places = (os.environ.get("APPCTL_TEST_SHARED", ""), f"{ROOT}/shared", f"{os.path.dirname(ROOT)}/shared")
    for place in places:
        if place and os.path.exists(f"{place}/{path}"):
            return f"{place}/{path}"
    missing(f"{path} of the shared folder; set APPCTL_TEST_SHARED", "SHARED")
    raise AssertionError


def missing(what: str, backend: str) -> None:
    """Skips a test whose backend is not here; fails when APPCTL_REQUIRE_<backend>=1 says that it must be."""
    if os.environ.get(f"APPCTL_REQUIRE_{backend}") == "1":
        pytest.fail(f"required, but not here: {what}", pytrace=False)
    pytest.skip(f"not here: {what}")


def until(condition: Callable[[], Any], timeout: float = 10.0, *, what: str = "the condition") -> Any:
    """Polls where no event exists; the message shows the last state, not only "timed out"."""
    deadline = time.monotonic() + timeout * SCALE
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout * SCALE:g} s; last seen: {seen!r}")
        time.sleep(0.02)
    return seen
