"""The differential fuzzer as a test: for a minute (APPCTL_TEST_FUZZ_SECONDS), a real server and the sandbox answer alike.

The seed is always the same, so that a change is what turns it red; `make contract-diff` takes a new one each time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import differential
import pytest

if TYPE_CHECKING:
    from plane_fixtures import Planes

SECONDS = float(os.environ.get("APPCTL_TEST_FUZZ_SECONDS", "60"))

SEED = 37357

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("fuzzer"), pytest.mark.timeout(SECONDS + 120)]


async def test_random_writes_are_answered_alike(full_plane: Planes) -> None:
    seed = int(os.environ.get("APPCTL_TEST_SEED", "0")) or SEED
    async with differential.both(full_plane.kubeconfig, full_plane.contexts[0]) as (real, sandbox):
        found = await differential.run(real, sandbox, seed=seed, seconds=SECONDS)
    print(found.report())
    assert found.operations.total() > 5 * SECONDS, found.report()
    assert not differential.too_many(found), found.report()
