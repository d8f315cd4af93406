"""The sandbox's folder in the user's data folder: who holds it, its credentials, its kubeconfig, where it listens.

Credentials, ports and the clusters' identities stay from run to run, so a kubeconfig that somebody has copied, and the
rows of the store about these clusters, stay true after a restart.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any

from appdelivery import errors, settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

LOOKS, MOMENT = 10, 0.02  # at a lock that somebody has, and seconds between them
USERS = ("admin", "nobody")  # nobody has no rights: for 403


class Home:
    def __init__(self, folder: str = "") -> None:
        self.folder = folder or f"{settings.folders(os.environ).data}/sandbox"
        self.kubeconfig = f"{self.folder}/kubeconfig"
        self.log = f"{self.folder}/log"
        self.authority = f"{self.folder}/authority.crt"
        self.certificate = f"{self.folder}/tls.crt"
        self.key = f"{self.folder}/tls.key"

    def make(self) -> None:
        """0700, whatever the umask, and so the data folder around it, where the store has not made that already."""
        data = os.path.dirname(self.folder)
        try:
            os.makedirs(os.path.dirname(data), exist_ok=True)
            for folder in (data, self.folder):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, 0o700)
            os.chmod(self.folder, 0o700)
        except OSError as error:
            raise errors.SourceError(f"make the sandbox's folder {self.folder}: {error.strerror}") from error

    # --- who runs ---

    def hold(self) -> IO[bytes]:
        """The lock of the running sandbox, for as long as the file is open; the system gives it back whatever happens."""
        try:
            made = open(f"{self.folder}/lock", "ab")  # noqa: SIM115 - held for the life of the process
        except OSError as error:
            raise errors.SourceError(f"open {self.folder}/lock: {error.strerror}") from error
        for _ in range(LOOKS):
            if _locked(made):
                return made
            time.sleep(MOMENT)  # whoever asks whether one runs has the lock for a moment
        made.close()
        raise self.runs_already()

    def running(self) -> dict[str, Any] | None:
        """What the running sandbox has told of itself; None when none runs."""
        try:
            with open(f"{self.folder}/lock", "rb") as file:
                if _locked(file):
                    return None
        except FileNotFoundError:
            return None
        return self._read("running.json") or {}

    def wanted(self) -> dict[str, Any]:
        """The same; NotFound when none runs."""
        found = self.running()
        if not found:
            raise errors.NotFound("no sandbox is running", code="sandbox.none", hint="appctl sandbox start")
        return found

    def runs_already(self) -> errors.Conflict:
        found = self._read("running.json") or {}
        names = ", ".join([f"{one['name']} at {one['server']}" for one in found.get("clusters", ())]) or "it is starting"
        return errors.Conflict(
            f"start a sandbox: one runs already as process {found.get('pid', '?')} ({names})",
            code="sandbox.running",
            hint=f"use it: export KUBECONFIG={self.kubeconfig}\nor end it: appctl sandbox stop",
        )

    def tell(self, running: Mapping[str, Any] | None) -> None:
        if running is not None:
            self._write("running.json", json.dumps(running, indent=2))
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.folder}/running.json")

    # --- what stays ---

    def identity(self, names: Sequence[str]) -> dict[str, Any]:
        """Tokens by user, uids and last ports by cluster."""
        known = self._read("identity.json") or {}
        uids, ports = known.get("uids", {}), known.get("ports", {})
        made = {
            "tokens": {user: known.get("tokens", {}).get(user) or secrets.token_urlsafe(24) for user in USERS},
            "uids": {**uids, **{name: uids.get(name) or str(uuid.uuid4()) for name in names}},
            "ports": ports,
        }
        self.keep(made)
        return made

    def token(self) -> str:
        """The administrator's."""
        return str((self._read("identity.json") or {}).get("tokens", {}).get("admin", ""))

    def keep(self, identity: Mapping[str, Any]) -> None:
        self._write("identity.json", json.dumps(identity, indent=2))

    def certificates(self) -> bytes:
        """The authority, PEM; made anew when it is missing or comes to its end."""
        from appdelivery.sandbox import certs

        try:
            kept = [_content(path) for path in (self.authority, self.certificate, self.key)]
        except OSError:
            kept = []
        if kept and certs.lasting(kept[1]):
            return kept[0]
        pair = certs.make()
        for path, content in ((self.authority, pair.authority), (self.certificate, pair.certificate), (self.key, pair.key)):
            self._write(os.path.basename(path), content.decode())
        return pair.authority

    def write_kubeconfig(self, clusters: Sequence[Mapping[str, Any]], authority: bytes, tokens: Mapping[str, str]) -> None:
        self._write("kubeconfig", kubeconfig(clusters, authority, tokens))

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads(_content(f"{self.folder}/{name}"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, name: str, text: str) -> None:
        """0600, and never half of it."""
        path = f"{self.folder}/{name}"
        try:
            with open(os.open(f"{path}.new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(f"{path}.new", path)
        except OSError as error:
            raise errors.SourceError(f"write {path}: {error.strerror}") from error


def kubeconfig(clusters: Sequence[Mapping[str, Any]], authority: bytes, tokens: Mapping[str, str]) -> str:
    """One context a cluster, the first is current; kubectl's `--user nobody` has no rights."""
    data = base64.b64encode(authority).decode()
    lines = ["apiVersion: v1", "kind: Config", f"current-context: {clusters[0]['name']}", "clusters:"]
    for one in clusters:
        lines += [f"- name: {one['name']}", "  cluster:", f"    server: {one['server']}"]
        lines += [f"    certificate-authority-data: {data}"]
    lines += ["users:"]
    for user, token in tokens.items():
        lines += [f"- name: {user}", "  user:", f"    token: {json.dumps(token)}"]
    lines += ["contexts:"]
    for one in clusters:
        lines += [f"- name: {one['name']}", "  context:", f"    cluster: {one['name']}", "    user: admin"]
    return "\n".join(lines) + "\n"


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _locked(file: IO[bytes]) -> bool:
    """Takes the lock, unless somebody has it."""
    try:
        import fcntl
    except ImportError as error:
        raise errors.UsageError("sandboxes need Linux or macOS: this system has no file locks as these have") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
