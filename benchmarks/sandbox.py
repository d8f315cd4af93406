"""The sandbox beside a real API server on the same computer: applies a second, watchers, memory, start.

The same bodies by the same raw client, 10 in flight, interleaved; each is a process of its own and has the other core to
itself while the other one rests.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import planes
import raw_client
from controlplane import programs
from side_by_side import APPCTL, Ratio, best_of, measured, of_pairs, table

from appdelivery.clusters import kubeconfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.clusters.credentials import Credentials

IN_FLIGHT = 10
WATCHERS = 50
MEMORY = 150.0  # MiB with 2,000 Deployments and their history
START = 2.0  # seconds for three clusters
BODY_BYTES = 400  # of a ConfigMap's data: what applications write
Bodies = list[tuple[str, bytes]]


def config_maps(namespace: str, run: int, count: int) -> Bodies:
    return [_body(f"/api/v1/namespaces/{namespace}/configmaps", _config_map(f"c{run}-{i}")) for i in range(count)]


def deployments(namespace: str, run: int, count: int) -> Bodies:
    return [_body(f"/apis/apps/v1/namespaces/{namespace}/deployments", _deployment(f"d{run}-{i}")) for i in range(count)]


def _body(folder: str, made: dict[str, Any]) -> tuple[str, bytes]:
    return f"{folder}/{made['metadata']['name']}", json.dumps(made).encode()


def _config_map(name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"}
    data = {"settings.yaml": "x" * BODY_BYTES}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": data}


def _deployment(name: str) -> dict[str, Any]:
    """With a pod, a ReplicaSet and events each, so that its controllers have to work as well."""
    labels = {"app": name}
    resources = {"requests": {"cpu": "1m", "memory": "1Mi"}}
    container = {"name": "main", "image": "registry.example/web:1.4.2", "resources": resources}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


class Sandbox:
    """`appctl sandbox` in a home folder of its own."""

    def __init__(self, folder: str) -> None:
        self.env = {"PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8"}
        os.makedirs(folder, exist_ok=True)

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[Credentials]:
        measured([APPCTL, "sandbox", "start", *words], env=self.env)
        try:
            yield kubeconfig.read(paths=[self._status()["kubeconfig"]])
        finally:
            measured([APPCTL, "sandbox", "stop"], env=self.env)

    def resident(self) -> float:
        """MiB of the process now."""
        with open(f"/proc/{self._status()['pid']}/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def _status(self) -> dict[str, Any]:
        import subprocess

        done = subprocess.run([APPCTL, "sandbox", "status", "-o", "json"], env=self.env, capture_output=True, check=True)
        told: dict[str, Any] = json.loads(done.stdout)
        return told


async def applied(where: Credentials, bodies: Bodies) -> float:
    """Wall seconds."""
    async with _session(where) as client:
        await raw_client.connect(client, IN_FLIGHT)
        return await raw_client.apply(client, bodies, IN_FLIGHT)


def _session(where: Credentials) -> contextlib.AbstractAsyncContextManager[Any]:
    return raw_client.session(where.server, where.ca, where.certificate, where.key, token=where.token)


async def watched(where: Credentials, bodies: Bodies, watchers: int) -> float:
    """Wall seconds of the applies while so many watches are open; every one of them must see every object."""
    wanted = {path.rpartition("/")[2] for path, _ in bodies}
    folder = bodies[0][0].rpartition("/")[0]
    async with _session(where) as client, _session(where) as watching:
        await raw_client.connect(client, IN_FLIGHT)
        async with watching.get(folder) as answer:
            version = (await answer.json())["metadata"]["resourceVersion"]
        tasks = [
            asyncio.create_task(_seen(watching, f"{folder}?watch=1&resourceVersion={version}", wanted))
            for _ in range(watchers)
        ]
        await asyncio.sleep(1.0)  # all are open
        wall = await raw_client.apply(client, bodies, IN_FLIGHT)
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
    return wall


async def _seen(client: Any, path: str, wanted: set[str]) -> None:
    """Lines are counted as they come and read at the end: what is measured is the server, not this process's decoder."""
    parts: list[bytes] = []
    lines = 0
    async with client.get(path) as answer:
        async for part in answer.content.iter_any():
            parts.append(part)
            lines += part.count(b"\n")
            if lines >= len(wanted):
                break
    seen = {json.loads(line)["object"]["metadata"]["name"] for line in b"".join(parts).splitlines()}
    if seen != wanted:
        raise RuntimeError(f"a watch has shown {len(seen & wanted)} of {len(wanted)} objects")


def _made(where: Credentials, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    asyncio.run(applied(where, [(f"/api/v1/namespaces/{namespace}", json.dumps(body).encode())]))


def run(*, quick: bool = False) -> list[Ratio]:
    found = programs.find()
    if found is None or not found.complete:
        print("sandbox: skipped, there are no programs of a control plane: make control-plane builds them")
        return []
    rounds = 2 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        planes.start(f"{folder}/plane", ("bench",))
        try:
            sandbox = Sandbox(f"{folder}/home")
            with sandbox.running() as ours:
                theirs = kubeconfig.read(paths=[f"{folder}/plane/kubeconfig"])
                made = _rates(ours, theirs, rounds)
        finally:
            planes.stop(f"{folder}/plane")
        return [*made, memory(sandbox), start(sandbox, rounds)]


def _rates(ours: Credentials, theirs: Credentials, rounds: int) -> list[Ratio]:
    runs = itertools.count()
    for where in (ours, theirs):
        _made(where, "bench")

    def pairs(make: Any, count: int, watchers: int = 0) -> list[tuple[float, float]]:
        found = []
        for number in range(rounds + 1):
            bodies = make("bench", next(runs), count)
            walls = {}
            for where in (ours, theirs) if number % 2 == 0 else (theirs, ours):
                walls[where.server] = asyncio.run(watched(where, bodies, watchers) if watchers else applied(where, bodies))
                time.sleep(2.0)  # what controllers do afterwards is not the time of the next one
            if number:  # the first is for warming up
                found.append((walls[ours.server], walls[theirs.server]))
        return found

    def rated(name: str, make: Any, count: int, must: float | None, watchers: int = 0) -> Ratio:
        def one() -> Ratio:
            found = pairs(make, count, watchers)
            mine, real = (count / sorted(pair[side] for pair in found)[len(found) // 2] for side in (0, 1))
            return of_pairs(name, found, must=must, aim=0.29, note=f"{mine:.0f}/s, real server {real:.0f}/s")

        return best_of(3, one)

    return [
        rated("sandbox: applies of new ConfigMaps, time of a real server's", config_maps, 1000, 0.5),
        rated(f"the same with {WATCHERS} watches open", config_maps, 300, None, WATCHERS),
        rated("sandbox: applies of new Deployments, time of a real server's", deployments, 300, 0.5),
    ]


def memory(sandbox: Sandbox) -> Ratio:
    """With a ReplicaSet, a pod and events for every Deployment, each of them in the history of the watches."""
    with sandbox.running() as where:
        _made(where, "bench")
        asyncio.run(applied(where, deployments("bench", 0, 2000)))
        time.sleep(10)  # controllers end
        found = sandbox.resident()
    return Ratio(
        "memory with 2,000 Deployments, of 150 MiB",
        found / MEMORY,
        found / MEMORY,
        found / MEMORY,
        1.0,
        note=f"{found:.0f} MiB",
    )


def start(sandbox: Sandbox, rounds: int) -> Ratio:
    walls = []
    for _ in range(rounds):
        begun = time.perf_counter()
        with sandbox.running("--clusters", "3"):
            walls.append((time.perf_counter() - begun) / START)
    found = sorted(walls)
    middle = found[len(found) // 2]
    return Ratio("start of three clusters, of 2 s", middle, found[0], found[-1], 1.0, note=f"{middle * START:.2f} s")


if __name__ == "__main__":
    print(table(run(quick="--quick" in sys.argv)))
