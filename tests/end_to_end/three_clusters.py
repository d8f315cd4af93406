"""Three served sandboxes in a thread of their own, and a person with the command line who has registered them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sandbox_fixtures
import yaml
from support import ROOT

sys.path.insert(0, f"{ROOT}/tests/cli")
import pytest
import running

from appdelivery import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from appdelivery.sandbox.http.requests import Request

NAMES = ("test-1", "eu-1", "us-1")
LABELS = {"test-1": "env=test", "eu-1": "env=prod,region=eu", "us-1": "env=prod,region=us"}
WRITES = ("create", "update", "patch", "delete")
NUMBERS = itertools.count()
# A command ends its loop before TLS has said goodbye to everybody, as a process ends: what is left then is only memory.
MARKS = [
    pytest.mark.slow,
    pytest.mark.xdist_group("three-sandboxes"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@dataclass
class Clusters:
    """The sandboxes, as another thread sees them."""

    served: sandbox_fixtures.Served
    loop: asyncio.AbstractEventLoop

    def call(self, what: Callable[[], Any]) -> Any:
        """In the thread of the sandboxes."""

        async def do() -> Any:
            return what()

        return asyncio.run_coroutine_threadsafe(do(), self.loop).result(10)

    def fault(self, cluster: str, do: str, **rule: Any) -> None:
        self.call(lambda: self.served.fault(cluster, do=do, **rule))

    def healed(self) -> None:
        """No fault stands any more."""
        self.call(lambda: [m.faults.remove(one["id"]) for m in self.served.members.values() for one in m.faults.listed()])

    def writes(self, namespace: str, *clusters: str) -> list[tuple[str, str, str, str]]:
        """(cluster, verb, plural, name) of what was written and took effect, but for dry runs."""
        found: list[tuple[str, Request]] = self.call(
            lambda: [(name, seen) for name in clusters or NAMES for seen in self.served.members[name].log]
        )
        return [
            (name, seen.verb, seen.place.plural, seen.place.name)
            for name, seen in found
            if seen.verb in WRITES and seen.place.namespace == namespace and seen.status < 400
        ]

    def body(self, cluster: str, kind: tuple[str, str], namespace: str, name: str) -> dict[str, Any] | None:
        def read() -> dict[str, Any] | None:
            made = self.served.members[cluster].cluster
            for item in made.collection(made.kind(*kind)).items():
                if (item.body["metadata"].get("namespace"), item.body["metadata"]["name"]) == (namespace, name):
                    return json.loads(json.dumps(item.body))
            return None

        return self.call(read)


@contextlib.contextmanager
def running_clusters(folder: str) -> Iterator[Clusters]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandboxes")
    thread.start()
    stack = contextlib.AsyncExitStack()

    def wait(work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, loop)
        return future.result(60)

    try:
        yield Clusters(wait(stack.enter_async_context(sandbox_fixtures.served(folder, *NAMES))), loop)
    finally:
        wait(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


@dataclass
class Person:
    """With a home, a store and a namespace of its own."""

    clusters: Clusters
    capsys: pytest.CaptureFixture[str]
    folder: str
    namespace: str = field(default_factory=lambda: f"runs-{next(NUMBERS)}")
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def appctl(self, *words: str, code: int | None = 0) -> running.Done:
        """In this process."""
        done = running.Done(cli.main(list(words)), *self.capsys.readouterr())
        assert code is None or done.code == code, f"appctl {' '.join(words)} ended with {done.code}\n{done.out}\n{done.err}"
        return done

    def registers(self) -> None:
        """The first does it; the others begin with a copy of what that made."""
        kept, data = f"{os.path.dirname(self.clusters.served.kubeconfig)}/data", os.environ["XDG_DATA_HOME"]
        if os.path.isdir(kept):
            shutil.copytree(kept, data)
            return
        for name, labels in LABELS.items():
            self.appctl("cluster", "add", name, "--from-context", name, "--labels", labels, "--quiet")
        shutil.copytree(data, kept)

    def leaves(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.killed(process)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def started(self, *words: str) -> subprocess.Popen[str]:
        """As a process of its own, which a test may kill."""
        command = [sys.executable, "-m", "appdelivery.cli", *words]
        made = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ), cwd=self.folder
        )
        self.processes.append(made)
        return made

    def killed(self, process: subprocess.Popen[str]) -> None:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    def write(self, tree: dict[str, Any], name: str = "app.yaml") -> str:
        with open(f"{self.folder}/{name}", "w") as file:
            yaml.safe_dump(tree, file, sort_keys=False)
        return name

    def app(self, *steps: Any, **more: Any) -> str:
        return self.write(application(self.namespace, *steps, **more))

    @property
    def key(self) -> str:
        return f"{self.namespace}/shop"

    def status(self, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.appctl("status", self.key, "-o", "json", code=code).out)
        return found

    def steps(self) -> dict[str, str]:
        """Empty while another process has opened nothing yet."""
        done = self.appctl("status", self.key, "-o", "json", code=None)
        found = json.loads(done.out).get("steps", ()) if done.code == 0 else ()
        return {step["step"]: step["state"] for step in found}

    def history(self) -> list[dict[str, Any]]:
        """The oldest first."""
        found = json.loads(self.appctl("history", self.key, "-o", "json").out)
        return sorted(found["items"], key=lambda one: one["release"])

    def outcomes(self) -> list[str]:
        return [one["outcome"] for one in self.history()]

    def replicas(self, cluster: str) -> int | None:
        found = self.clusters.body(cluster, ("apps/v1", "Deployment"), self.namespace, "web")
        return None if found is None else found["spec"]["replicas"]

    def image(self, cluster: str) -> str | None:
        found = self.clusters.body(cluster, ("apps/v1", "Deployment"), self.namespace, "web")
        return None if found is None else found["spec"]["template"]["spec"]["containers"][0]["image"]

    def writes(self, *clusters: str) -> list[tuple[str, str, str, str]]:
        return self.clusters.writes(self.namespace, *clusters)


def until(true: Callable[[], Any], what: str, within: float = 20.0) -> Any:
    """Of another process, whose progress nobody announces."""
    end = time.monotonic() + within
    while not (found := true()):
        assert time.monotonic() < end, f"it did not come to this: {what}"
        time.sleep(0.02)
    return found


def application(
    namespace: str,
    *steps: Any,
    name: str = "shop",
    image: str = "example/web:1",
    mode: dict[str, str] | None = None,
    policies: list[dict[str, Any]] | None = None,
    annotations: dict[str, str] | None = None,
    health: str = "30s",
    workflow: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A web component of two replicas; in tests one.  annotations: of its pods, which say what becomes of them."""
    traits: list[dict[str, Any]] = [{"type": "scaler", "properties": {"replicas": 2}}]
    if annotations:
        traits.append({"type": "annotations", "properties": annotations})
    web = {"name": "web", "type": "webservice", "properties": {"image": image}, "traits": traits}
    spec: dict[str, Any] = {"components": [web], "policies": PLACES if policies is None else policies}
    spec["policies"] = [*spec["policies"], {"name": "patience", "type": "health", "properties": {"deadline": health}}]
    if steps or workflow:
        spec["workflow"] = {"steps": list(steps)} | ({"mode": mode} if mode else {}) | (workflow or {})
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": metadata, "spec": spec}


PLACES: list[dict[str, Any]] = [
    {"name": "staging", "type": "topology", "properties": {"clusterLabelSelector": {"env": "test"}}},
    {"name": "production", "type": "topology", "properties": {"clusterLabelSelector": {"env": "prod"}}},
    {
        "name": "small",
        "type": "override",
        "properties": {"components": [{"name": "web", "traits": [{"type": "scaler", "properties": {"replicas": 1}}]}]},
    },
]


def deploy(name: str, *policies: str, **more: Any) -> dict[str, Any]:
    properties = {"policies": list(policies or [name]), **more.pop("properties", {})}
    return {"name": name, "type": "deploy", "properties": properties, **more}


def step(name: str, kind: str, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind} | ({"properties": properties} if properties else {}) | more


def say(name: str, message: str = "hello", **more: Any) -> dict[str, Any]:
    return step(name, "print-message-in-status", {"message": message}, **more)
