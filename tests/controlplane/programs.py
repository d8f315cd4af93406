"""Where the programs of a control plane come from, in the order of `testing.md` section 3.

Read at import time, because tests replace HOME.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("APPCTL_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "appctl-test"
)
NEEDED = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")


@dataclass(frozen=True)
class Programs:
    """Paths by program name; without the controllers a plane is an API server alone (envtest's folder)."""

    paths: dict[str, str]

    @property
    def complete(self) -> bool:
        return all(name in self.paths for name in NEEDED + CONTROLLERS)

    def __getitem__(self, name: str) -> str:
        return self.paths[name]

    def __contains__(self, name: str) -> bool:
        return name in self.paths


def built() -> str:
    """The folder that build.sh fills for the present go.mod, go.sum and flags."""
    content = hashlib.sha256()
    for name in ("go.mod", "go.sum", "build.sh"):
        with open(f"{HERE}/{name}", "rb") as file:
            content.update(file.read())
    return f"{CACHE}/controlplane/{content.hexdigest()[:16]}"


def find() -> Programs | None:
    """The first source that has at least etcd and an API server."""
    given = {
        "etcd": os.environ.get("TEST_ASSET_ETCD", ""),
        "kube-apiserver": os.environ.get("TEST_ASSET_KUBE_APISERVER", ""),
    }
    for folder in (os.environ.get("KUBEBUILDER_ASSETS", ""), built(), ""):
        paths = {name: _program(folder, name, given.get(name, "")) for name in NEEDED + CONTROLLERS}
        found = {name: path for name, path in paths.items() if path}
        if all(name in found for name in NEEDED):
            return Programs(found)
    return None


def _program(folder: str, name: str, given: str) -> str:
    path = given or (os.path.join(folder, name) if folder else shutil.which(name) or "")
    return path if path and os.access(path, os.X_OK) else ""
