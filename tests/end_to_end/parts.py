"""What end-to-end tests put applications together from, and how they run several commands at once."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import custom_kinds
import support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from laboratory import Laboratory

    Tree = dict[str, Any]

WEATHER = "test.appdelivery.dev/weather"


def application(lab: Laboratory, name: str, *components: Tree, policies: tuple[Tree, ...] = ()) -> str:
    """The path of an Application's file in the laboratory's home."""
    spec = {"components": list(components)} | ({"policies": list(policies)} if policies else {})
    tree = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": lab.namespace},
        "spec": spec,
    }
    return lab.write(f"{name}.yaml", tree)


def objects(*bodies: Tree, name: str = "own", **more: Any) -> Tree:
    return {"name": name, "type": "k8s-objects", "properties": {"objects": list(bodies)}, **more}


def component(type_: str, name: str = "web", traits: tuple[Tree, ...] = (), **properties: Any) -> Tree:
    return {"name": name, "type": type_, "properties": properties} | ({"traits": list(traits)} if traits else {})


def policy(type_: str, **properties: Any) -> Tree:
    return {"name": type_, "type": type_, "properties": properties}


def config_map(name: str, annotations: Tree | None = None, **data: str) -> Tree:
    metadata: Tree = {"name": name} | ({"annotations": annotations} if annotations else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(
    name: str = "web", *, replicas: int | None = 1, weather: str = "", labels: Tree | None = None, **container: Any
) -> Tree:
    """Its pods are ready at once unless the weather says otherwise."""
    chosen = labels or {"app": name}
    template: Tree = {
        "metadata": {"labels": chosen} | ({"annotations": {WEATHER: weather}} if weather else {}),
        "spec": {"containers": [{"name": "app", "image": "example/app:1", **container}]},
    }
    spec: Tree = {"selector": {"matchLabels": chosen}, "template": template}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def autoscaler(target: str, *, least: int, most: int) -> Tree:
    """Without metrics it changes nothing, as long as the number lies between its bounds."""
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": least,
        "maxReplicas": most,
    }
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": target}, "spec": spec}


def widget(group: str, name: str, **spec: Any) -> Tree:
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


@contextlib.contextmanager
def widgets(lab: Laboratory, group: str) -> Iterator[str]:
    """A custom kind whose status nobody but the test writes."""
    lab.kubectl("apply", "-f", "-", stdin=json.dumps(custom_kinds.crd(group, custom_kinds.version("v1", storage=True))))
    lab.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=30s")
    until(lambda: lab.kubectl("get", f"widgets.{group}") == "" or True)
    try:
        yield group
    finally:
        lab.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")


def set_status(lab: Laboratory, kind: str, name: str, **status: Any) -> None:
    patch = json.dumps({"status": status})
    lab.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


def ready(state: str = "True", reason: str = "Test", message: str = "") -> Tree:
    return {"conditions": [{"type": "Ready", "status": state, "reason": reason, "message": message}]}


def at(lab: Laboratory, context: str) -> Laboratory:
    """The same person under another context of the kubeconfig."""
    return replace(lab, context=context)


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """Every value by its path: what may not get lost."""
    if isinstance(tree, dict) and tree:
        return {k: v for key, value in tree.items() for k, v in leaves(value, (*path, key)).items()}
    if isinstance(tree, list) and tree:
        return {k: v for index, value in enumerate(tree) for k, v in leaves(value, (*path, index)).items()}
    return {path: tree}


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Waits on a state of the cluster or of a process: there is no event for it in a test's process."""
    deadline = time.monotonic() + seconds * support.SCALE
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


class Running:
    """An appctl that goes on while the test does something else."""

    def __init__(self, lab: Laboratory, *words: str) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": lab.home, "LANG": "C.UTF-8", "NO_COLOR": "1", **lab.env}
        self.words = words
        self.process = subprocess.Popen(
            [sys.executable, "-m", "appdelivery.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.out, self.err = "", ""
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in ("out", "err")]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        for line in stream:
            setattr(self, name, getattr(self, name) + line)

    def says(self, text: str, seconds: float = 30) -> None:
        """Waits for a text on stderr."""

        def said() -> bool:
            assert text in self.err or self.process.poll() is None, f"ended with {self.process.returncode}\n{self.err}"
            return text in self.err

        until(said, seconds)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self, code: int, seconds: float = 60) -> Running:
        try:
            self.process.wait(seconds * support.SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"appctl {' '.join(self.words)} did not end\n{self.out}\n{self.err}") from None
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        assert self.process.returncode == code, f"ended with {self.process.returncode}\n{self.out}\n{self.err}"
        return self
