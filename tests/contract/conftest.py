"""Backends of the protocol suite: the sandbox in process, and the first real cluster (testing.md section 3).

What the sandbox is known to do otherwise stands in known_divergence.md, which is read here.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
import sandbox_fixtures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube_api import Api

HERE = os.path.dirname(os.path.abspath(__file__))
REAL = pytest.param("real", marks=[pytest.mark.cluster, pytest.mark.xdist_group("plane")])
CASE = re.compile(r"^- `(test_[^`]+)`: (.+)$", re.MULTILINE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    with open(f"{HERE}/known_divergence.md") as file:
        known = dict(CASE.findall(file.read().partition("## Cases")[2].partition("\n## ")[0]))
    items.sort(key=lambda item: item.get_closest_marker("early") is None)  # stable: the rest stays in its order
    for item in items:
        if item.path.parent.as_posix() == HERE:
            reason = known.get(item.name) or ("[sandbox" in item.name and known.get(item.name.partition("[")[0]))
            if reason:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(params=["sandbox", REAL])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """An administrator in a namespace of its own."""
    if request.param == "sandbox":
        async with sandbox_fixtures.in_process() as made:
            yield made
    else:
        async with sandbox_fixtures.on_plane(request.getfixturevalue("real_plane")) as made:
            yield made
