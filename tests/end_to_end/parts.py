"""What end-to-end tests put applications together from, and how they run several commands at once."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import custom_kinds
import support
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


def make_ready(lab: Laboratory) -> None:
    """Pods that the weather keeps from being ready become ready."""
    pods = until(lambda: lab.kubectl("get", "pods", "-o", "name").split())
    conditions = [{"type": type_, "status": "True"} for type_ in ("Ready", "ContainersReady")]
    patch = json.dumps({"status": {"conditions": conditions}})
    for pod in pods:
        lab.kubectl("patch", pod, "--subresource=status", "-p", patch)


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
    """A state of the cluster, or of a process beside the test: there is no event for it here."""
    return support.until(condition, seconds)


def answered(done: Any, code: int, *texts: str) -> str:
    """An answer in the house's shape: the exit code, what has to be said, nothing of Python.  Gives stderr."""
    assert done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
    for text in texts:
        assert text in done.err, done.err
    for text in ("Traceback", "NoneType", "KeyError", "object at 0x", "appdelivery/", "this is a bug"):
        assert text not in done.err + done.out, done.err
    return str(done.err)


def together(lab: Laboratory, *commands: Sequence[str], stdin: str = "") -> list[Any]:
    """Commands that have nothing to do with each other, side by side; their answers in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda words: lab.appctl(*words, code=None, stdin=stdin), commands))


def kubeconfig(lab: Laboratory, name: str, change: Callable[[Tree, Tree], Any]) -> str:
    """A copy of the kubeconfig whose current cluster and user are changed: (cluster, user), in place."""
    with open(lab.kubeconfig, encoding="utf-8") as file:
        tree = yaml.safe_load(file)
    context = next(one["context"] for one in tree["contexts"] if one["name"] == lab.context)
    cluster = next(one["cluster"] for one in tree["clusters"] if one["name"] == context["cluster"])
    user = next(one["user"] for one in tree["users"] if one["name"] == context["user"])
    change(cluster, user)
    path = lab.write(f"{name}.kubeconfig", json.dumps(tree))
    os.chmod(path, 0o600)
    return path


class Line:
    """A line to the API server that can be cut, held and mended."""

    def __init__(self, address: str) -> None:
        host, _, port = urlsplit(address).netloc.rpartition(":")
        self._far = host, int(port)
        self._open: list[socket.socket] = []
        self._held = False
        self._listen(0)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Nobody listens any more, and what was connected ends."""
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # closing alone would not wake the threads that wait on it
            one.close()
        self._acceptor.join()
        self._open.clear()

    def mend(self) -> None:
        self._listen(self.port)

    def hold(self) -> None:
        """Who connects is accepted and hears nothing."""
        self._held = True

    @property
    def waiting(self) -> int:
        """How many have connected."""
        return len(self._open)

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                self._open.append(near)
                if self._held:
                    continue
                far = socket.create_connection(self._far)
                self._open.append(far)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def server(address: str) -> Callable[[Tree, Tree], Any]:
    return lambda cluster, _user: cluster.update(server=address)


@contextlib.contextmanager
def line_to(lab: Laboratory) -> Iterator[tuple[Line, str]]:
    """A line to the plane, and the kubeconfig that leads over it."""
    with open(lab.kubeconfig, encoding="utf-8") as file:
        tree = yaml.safe_load(file)
    name = next(one["context"]["cluster"] for one in tree["contexts"] if one["name"] == lab.context)
    line = Line(next(one["cluster"]["server"] for one in tree["clusters"] if one["name"] == name))
    try:
        yield line, kubeconfig(lab, "line", server(line.address))
    finally:
        line.cut()


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
        lab.started.append(self)
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

    def stop(self) -> None:
        """Ends it, if it goes on, and hears the rest."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def ended(self, code: int, seconds: float = 60) -> Running:
        try:
            self.process.wait(seconds * support.SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"appctl {' '.join(self.words)} did not end\n{self.out}\n{self.err}") from None
        self.stop()
        assert self.process.returncode == code, f"ended with {self.process.returncode}\n{self.out}\n{self.err}"
        return self
