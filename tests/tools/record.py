"""`make record`: everything that the sandbox and its tests keep of a real API server.

python tests/tools/record.py CONTEXT [KUBECONFIG]      without a kubeconfig: of a plane that is started for it
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import borrowed

TOOLS = os.path.dirname(os.path.abspath(__file__))
MODULES = f"{TOOLS}/../controlplane/go.mod"


def main(context: str, kubeconfig: str = "") -> int:
    if not kubeconfig:
        with borrowed.kubeconfig(context) as path:
            return main(context, path)
    for tool in ("record_schemas.py", "record_answers.py"):
        _run(tool, kubeconfig, context)
    of_types()
    return 0


def of_types() -> None:
    """What OpenAPI does not say, from the Go sources that the control plane was built of."""
    folder, version = _cache(), _version()
    api, machinery = f"{folder}/api@{version}", f"{folder}/apimachinery@{version}"
    if not folder or not all(map(os.path.isdir, (api, machinery))):
        print(
            f"kept as they are: shapes and protobuf; k8s.io/api and k8s.io/apimachinery {version} are not in the cache of Go "
            "modules (`make control-plane` brings them)"
        )
        return
    minor = f"1.{version.split('.')[1]}"
    _run("record_shapes.py", folder, minor)
    _run("record_protobuf.py", api, machinery, minor)


def _cache() -> str:
    """The folder k8s.io in the cache of Go modules; "" without Go."""
    go = shutil.which("go")
    if go is None:
        return ""
    found = subprocess.run([go, "env", "GOMODCACHE"], check=True, capture_output=True, text=True)
    return f"{found.stdout.strip()}/k8s.io"


def _version() -> str:
    """Of the modules that the control plane is built of, `v0.36.3`."""
    with open(MODULES) as file:
        found = re.search(r"k8s\.io/kubernetes v1(\.\d+\.\d+)", file.read())
    if found is None:
        raise SystemExit(f"{MODULES} does not name the version of k8s.io/kubernetes")
    return f"v0{found[1]}"


def _run(tool: str, *arguments: str) -> None:
    subprocess.run([sys.executable, f"{TOOLS}/{tool}", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
