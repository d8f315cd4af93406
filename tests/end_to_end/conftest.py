"""The laboratory fixture: a fresh home and namespace for each test on the real plane."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import laboratory

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lab(full_plane, kubectl_program: str, tmp_path) -> Iterator[laboratory.Laboratory]:
    made = laboratory.Laboratory(str(tmp_path), full_plane.kubeconfig, full_plane.contexts[0], kubectl_program)
    yield made
    for running in made.started:
        running.stop()
    made.kubectl("delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")
