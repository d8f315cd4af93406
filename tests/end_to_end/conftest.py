"""A fresh home and namespace for each test: `lab` on the real plane, `person` over three sandboxes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import laboratory
import three_clusters

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lab(full_plane, kubectl_program: str, tmp_path) -> Iterator[laboratory.Laboratory]:
    made = laboratory.Laboratory(str(tmp_path), full_plane.kubeconfig, full_plane.contexts[0], kubectl_program)
    yield made
    for running in made.started:
        running.stop()
    made.kubectl("delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="session")
def three_sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[three_clusters.Clusters]:
    with three_clusters.running_clusters(str(tmp_path_factory.mktemp("sandboxes"))) as clusters:
        yield clusters


@pytest.fixture
def person(
    three_sandboxes: three_clusters.Clusters,
    capsys: pytest.CaptureFixture[str],
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[three_clusters.Person]:
    """The namespace is there in every cluster, and every cluster is registered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("KUBECONFIG", three_sandboxes.served.kubeconfig)
    made = three_clusters.Person(three_sandboxes, capsys, str(tmp_path))
    made.registers()
    yield made
    three_sandboxes.healed()
    made.leaves()
