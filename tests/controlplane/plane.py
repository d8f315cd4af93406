"""One control plane: etcd, API server, controller manager, scheduler, and kwok in place of kubelets.

Order: certificates, etcd, API server, everything else in parallel, then waiting for the default service account and for
nodes without the not-ready taint.  What had to be right is said beside each flag (testing.md section 4).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
from typing import TYPE_CHECKING, Any

import yaml
from controlplane import flags, pki

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controlplane.programs import Programs

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 60 * float(os.environ.get("APPCTL_TEST_TIME_SCALE", "1"))
TEAM = "team"


class Plane:
    def __init__(self, name: str, folder: str, programs: Programs) -> None:
        self.name, self.folder, self.programs = name, folder, programs
        self.users: dict[str, dict[str, str]] = {}
        self.ca = b""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self._prepare()
        with _held_port() as self.port, _held_port() as self.kubelet_port:
            self._spawn("etcd", flags.etcd(self))
            self._spawn("kube-apiserver", flags.api_server(self))
            self._wait("the API server", lambda: self._send("GET", "/readyz")[0] == 200)
        self._populate()
        if self.programs.complete:
            for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
                self._spawn(name, flags.of(name, self))
            self._wait("the default service account", self._has_default_account)
            self._wait("nodes without taints", self._nodes_are_usable)

    def restart_api_server(self) -> None:
        """Ends the API server without warning and starts it again on the same data and address."""
        server = self._processes["kube-apiserver"]
        server.kill()
        server.wait()
        self._spawn("kube-apiserver", flags.api_server(self))
        self._wait("the API server after its restart", lambda: self._send("GET", "/readyz")[0] == 200)

    def forget(self) -> None:
        """Takes note of the end of our processes, when they are stopped in the process that started them."""
        for process in self._processes.values():
            process.wait(timeout=20)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        self.pki = f"{self.folder}/pki"
        for folder in (self.folder, self.pki):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        authority = pki.Authority(self.pki, "ca")
        self.ca = authority.certificate
        authority.server("apiserver", "localhost", "kubernetes", "kubernetes.default.svc", "127.0.0.1", "10.96.0.1")
        authority.server("kubelet", "localhost", "127.0.0.1")
        authority.client("kubelet-client", "apiserver-kubelet", "system:masters")
        # Certificates with these names need no RBAC step.
        self.parts = {
            part: authority.client(part, user, *groups)
            for part, user, groups in (
                ("kube-controller-manager", "system:kube-controller-manager", ()),
                ("kube-scheduler", "system:kube-scheduler", ()),
                ("kwok", "kwok", ("system:masters",)),
            )
        }
        pki.Authority(self.pki, "front-proxy-ca").client("front-proxy", "front-proxy-client")
        pki.signing_pair(self.pki, "service-accounts")
        admin = authority.client("admin", "admin", "system:masters")
        tokens = {suffix: secrets.token_hex(16) for suffix in ("token", "none", TEAM, "proxy")}
        groups = {"token": "system:masters", "none": "nothing", TEAM: "nothing", "proxy": "nothing"}
        rows = [f'{token},{suffix},{suffix},"{groups[suffix]}"\n' for suffix, token in tokens.items()]
        pki.write(f"{self.folder}/tokens.csv", "".join(rows).encode())
        self.users = {self.name: _certificate_user(admin)}
        self.users |= {f"{self.name}-{suffix}": {"token": token} for suffix, token in tokens.items()}
        self._token = tokens["token"]
        self._context = ssl.create_default_context(cadata=self.ca.decode())

    def part_kubeconfig(self, part: str) -> str:
        """The path of a kubeconfig by which one of our own processes speaks to the API server."""
        user = _certificate_user(self.parts[part])
        return _write_kubeconfig(f"{self.folder}/{part}.conf", [(self.name, self.url, self.ca, {self.name: user})])

    def _populate(self) -> None:
        objects = [*_team(), _storage_class()]
        if self.programs.complete:
            for file in sorted(os.listdir(f"{HERE}/nodes")):
                with open(f"{HERE}/nodes/{file}") as text:
                    objects += list(yaml.safe_load_all(text))
        for path, body in [(_collection(one), one) for one in objects]:
            status, answer = self._send("POST", path, body)
            if status not in (201, 409):
                raise RuntimeError(f"plane {self.name}: cannot create {path}: {status} {answer.decode()[:500]}")

    def _spawn(self, name: str, arguments: Sequence[str]) -> None:
        # Two threads each: several planes share a small computer.
        environment = {**os.environ, "GOMAXPROCS": os.environ.get("GOMAXPROCS", "2")}
        with open(f"{self.folder}/{name}.log", "ab") as log:
            process = subprocess.Popen(
                [self.programs[name], *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        self._processes[name] = process
        notes = [[one, p.pid, started(p.pid)] for one, p in self._processes.items()]
        pki.write(f"{self.folder}/pids.json", json.dumps(notes).encode())

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        last: object = ""
        while time.monotonic() < deadline:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"plane {self.name}: {name} ended with {process.returncode}:\n{self._log(name)}")
            try:
                if condition():
                    return
            except (OSError, http.client.HTTPException) as error:
                last = error
            time.sleep(0.02)
        logs = "\n".join(f"--- {name}\n{self._log(name)}" for name in self._processes)
        raise RuntimeError(f"plane {self.name}: {what} did not come within {PATIENCE:g} s; last: {last!r}\n{logs}")

    def _log(self, name: str) -> str:
        with open(f"{self.folder}/{name}.log", errors="replace") as file:
            return "".join(file.readlines()[-15:])

    def _send(self, verb: str, path: str, body: Any = None) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self._context, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            connection.request(verb, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _has_default_account(self) -> bool:
        return self._send("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200

    def _nodes_are_usable(self) -> bool:
        nodes = json.loads(self._send("GET", "/api/v1/nodes?resourceVersion=0")[1])["items"]
        return bool(nodes) and all(_ready(node) and not node["spec"].get("taints") for node in nodes)


def _ready(node: dict[str, Any]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", ()))


def write_kubeconfig(path: str, planes: Sequence[Plane]) -> str:
    return _write_kubeconfig(path, [(one.name, one.url, one.ca, one.users) for one in planes])


def stop(folder: str) -> None:
    """Ends the processes that a plane's folder names, in reverse order; a process id that was taken over is left alone."""
    for _, pid, since in reversed(_notes(folder)):
        if started(pid) != since or not lives(pid):
            continue
        for sign, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
            deadline = time.monotonic() + patience
            while lives(pid) and time.monotonic() < deadline:
                time.sleep(0.02)


def alive(folder: str) -> bool:
    return all(started(pid) == since and lives(pid) for _, pid, since in _notes(folder))


def lives(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def started(pid: int) -> str:
    """When a process began, to tell it from a later one with the same id."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[19]
    except FileNotFoundError:
        return ""


def _notes(folder: str) -> list[tuple[str, int, str]]:
    try:
        with open(f"{folder}/pids.json") as file:
            return json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextlib.contextmanager
def _held_port():
    """A free port that nobody else gets between choosing and use: the server shares it (SO_REUSEPORT)."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _certificate_user(pair: pki.Pair) -> dict[str, str]:
    return {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}


def _write_kubeconfig(path: str, clusters: Sequence[tuple[str, str, bytes, dict[str, dict[str, str]]]]) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": clusters[0][0],
        "clusters": [
            {"name": name, "cluster": {"server": url, "certificate-authority-data": _base64(ca)}}
            for name, url, ca, _ in clusters
        ],
        "users": [{"name": user, "user": data} for *_, users in clusters for user, data in users.items()],
        "contexts": [
            {"name": user, "context": {"cluster": name, "user": user}} for name, _, _, users in clusters for user in users
        ],
    }
    return pki.write(path, json.dumps(document, indent=1).encode())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PLURALS = {"Namespace": "namespaces", "Node": "nodes", "RoleBinding": "rolebindings", "ClusterRole": "clusterroles"}
PLURALS |= {"ClusterRoleBinding": "clusterrolebindings", "StorageClass": "storageclasses"}


def _collection(body: dict[str, Any]) -> str:
    version, namespace = body["apiVersion"], body["metadata"].get("namespace")
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{base}/namespaces/{namespace}/{PLURALS[body['kind']]}" if namespace else f"{base}/{PLURALS[body['kind']]}"


def _team() -> list[dict[str, Any]]:
    """Rights of the two limited identities."""
    rbac = "rbac.authorization.k8s.io"
    user = {"apiGroup": rbac, "kind": "User"}
    impersonate = {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": [TEAM]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TEAM}},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": TEAM, "namespace": TEAM},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{**user, "name": TEAM}],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "impersonate-team"},
            "rules": [impersonate],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "impersonate-team"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "impersonate-team"},
            "subjects": [{**user, "name": "proxy"}],
        },
    ]


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/host-path",
    }
