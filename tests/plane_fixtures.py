"""Fixtures for tests on real control planes (testing.md sections 3 and 4): one set of planes for a whole run.

The first test that asks starts them, whichever xdist worker it runs in; a keeper process stops them when the run ends,
however it ends.  Mark such tests `@pytest.mark.cluster` and, where they share a plane, `@pytest.mark.xdist_group`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import fleet_lab
import planes
import pytest
import support
import yaml
from controlplane import plane, programs
from tools import kube_binaries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FOLDER = "APPCTL_TEST_PLANES_FOLDER"  # set by the controlling process, inherited by xdist workers
OWNER = "APPCTL_TEST_PLANES_OWNER"
OURS = ("appctl-test", "kind-", "k3d-", "minikube")


@dataclass(frozen=True)
class Planes:
    """Clusters to test on: a kubeconfig of our own and the administrators' contexts in it."""

    kubeconfig: str
    contexts: tuple[str, ...]
    complete: bool  # with controllers and nodes
    document: dict[str, Any] = field(repr=False)

    def has(self, context: str) -> bool:
        return any(one["name"] == context for one in self.document["contexts"])


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="appctl-planes-")
        os.environ[OWNER] = str(os.getpid())


def pytest_report_header() -> str:
    found = programs.find()
    if os.environ.get("APPCTL_TEST_KUBECONFIG"):
        return f"clusters: {os.environ['APPCTL_TEST_KUBECONFIG']}"
    if found is None:
        return "clusters: none; `make control-plane` builds the programs"
    return f"clusters: {os.path.dirname(found['kube-apiserver'])}" + ("" if found.complete else " (without controllers)")


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    folder = os.environ.pop(FOLDER)
    if os.path.exists(f"{folder}/keeper.pid"):
        with open(f"{folder}/keeper.pid") as file:
            keeper = int(file.read())
        if plane.lives(keeper):
            os.kill(keeper, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while plane.lives(keeper) and time.monotonic() < deadline:
            time.sleep(0.05)
    if os.environ.get("APPCTL_TEST_KEEP"):
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def real_planes() -> Planes:
    """All clusters of the run; skips where none can be had, fails where APPCTL_REQUIRE_CLUSTER=1."""
    if os.environ.get("APPCTL_TEST_KUBECONFIG"):
        return _given()
    found = programs.find()
    if found is None:
        support.missing("the programs of a control plane; `make control-plane` builds them", "CLUSTER")
        raise AssertionError
    return _started(found)


@pytest.fixture(scope="session")
def real_plane(real_planes: Planes) -> Planes:
    """The same, for tests that need one cluster: its name is `real_plane.contexts[0]`."""
    return real_planes


def _started(found: programs.Programs) -> Planes:
    folder = os.environ[FOLDER]
    with open(f"{folder}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not planes.running(folder):
            _start(folder)
    return _planes(f"{folder}/kubeconfig", planes.names(), complete=found.complete)


def _start(folder: str) -> None:
    keeper = planes.spawn_keeper(folder, int(os.environ[OWNER]))
    with open(f"{folder}/keeper.pid", "w") as file:
        file.write(str(keeper))
    while not planes.running(folder):
        if not plane.lives(keeper):
            with open(f"{folder}/keeper.log", errors="replace") as log:
                pytest.fail(f"the control planes did not start:\n{log.read()[-8000:]}", pytrace=False)
        time.sleep(0.05)


def _given() -> Planes:
    """Existing clusters: a copy of the user's file, and never one that looks like production."""
    copy = os.path.join(os.environ[FOLDER], "kubeconfig")
    shutil.copyfile(os.environ["APPCTL_TEST_KUBECONFIG"], copy)
    os.chmod(copy, 0o600)
    with open(copy) as file:
        document = yaml.safe_load(file)
    named = os.environ.get("APPCTL_TEST_CONTEXTS", "") or document.get("current-context", "")
    contexts = tuple(name.strip() for name in named.split(",") if name.strip())
    for name in contexts:
        _refuse_production(document, name)
    return _planes(copy, contexts, complete=True)


def _refuse_production(document: dict[str, Any], name: str) -> None:
    context = next((one["context"] for one in document["contexts"] if one["name"] == name), None)
    if context is None:
        pytest.exit(f"APPCTL_TEST_CONTEXTS names '{name}', which the kubeconfig lacks", 2)
    server = next(one["cluster"]["server"] for one in document["clusters"] if one["name"] == context["cluster"])
    loopback = urlsplit(server).hostname in ("127.0.0.1", "localhost", "::1")
    if not loopback and not name.startswith(OURS) and os.environ.get("APPCTL_TEST_CONFIRM") != name:
        pytest.exit(f"context '{name}' ({server}) may be in use: set APPCTL_TEST_CONFIRM={name} to test on it", 2)


def _planes(kubeconfig: str, contexts: tuple[str, ...], *, complete: bool) -> Planes:
    with open(kubeconfig) as file:
        return Planes(kubeconfig, contexts, complete, yaml.safe_load(file))


@pytest.fixture
def full_plane(real_plane: Planes) -> Planes:
    """A plane with controllers and nodes."""
    if not real_plane.complete:
        support.missing("controllers and nodes of a control plane", "CLUSTER")
    return real_plane


@pytest.fixture
async def real_lab(real_plane: Planes) -> AsyncIterator[fleet_lab.Lab]:
    """A namespace of its own on the first real cluster, with our fleet and a foreign writer."""
    async with fleet_lab.on_cluster(real_plane.kubeconfig, real_plane.contexts[0]) as lab:
        yield lab


@pytest.fixture(scope="session")
def helm_program() -> str:
    return _program(kube_binaries.helm)


@pytest.fixture(scope="session")
def kubectl_program() -> str:
    return _program(kube_binaries.kubectl)


def _program(find: Callable[[], str]) -> str:
    try:
        return find()
    except kube_binaries.Absent as absent:
        support.missing(str(absent), "BINARIES")
        raise
