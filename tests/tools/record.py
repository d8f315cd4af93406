"""`make record`: everything that the sandbox and its tests keep of a real API server.

python tests/tools/record.py CONTEXT [KUBECONFIG]      without a kubeconfig: of a plane that is started for it
"""

from __future__ import annotations

import os
import subprocess
import sys

import borrowed

TOOLS = os.path.dirname(os.path.abspath(__file__))


def main(context: str, kubeconfig: str = "") -> int:
    if not kubeconfig:
        with borrowed.kubeconfig(context) as path:
            return main(context, path)
    for tool in ("record_schemas.py", "record_answers.py"):
        subprocess.run([sys.executable, f"{TOOLS}/{tool}", kubeconfig, context], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
