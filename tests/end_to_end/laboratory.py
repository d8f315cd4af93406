"""One person's computer with a real cluster: a private home, a namespace of its own, the command line and kubectl."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from typing import Any

import yaml
from support import ROOT

sys.path.insert(0, f"{ROOT}/tests/cli")
import running

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Laboratory:
    home: str
    kubeconfig: str
    context: str
    kubectl_program: str
    namespace: str = field(default_factory=lambda: f"e2e-{uuid.uuid4().hex[:8]}")
    started: list[Any] = field(default_factory=list, repr=False)  # commands that still run; stopped with the laboratory

    @property
    def env(self) -> dict[str, str]:
        return {"KUBECONFIG": self.kubeconfig, "APPCTL_CLUSTER": self.context, "APPCTL_NAMESPACE": self.namespace}

    def appctl(self, *words: str, code: int | None = 0, stdin: str = "", timeout: float = 180) -> running.Done:
        done = running.appctl(*words, home=self.home, env=self.env, stdin=stdin, timeout=timeout)
        assert code is None or done.code == code, f"appctl {' '.join(words)} ended with {done.code}\n{done.out}\n{done.err}"
        return done

    def kubectl(self, *words: str, stdin: str = "") -> str:
        command = [
            self.kubectl_program,
            "--kubeconfig",
            self.kubeconfig,
            "--context",
            self.context,
            "-n",
            self.namespace,
            *words,
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": self.home}
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def names(self, kinds: str) -> list[str]:
        return sorted(self.kubectl("get", kinds, "-o", "name").split())

    def write(self, name: str, document: Any) -> str:
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False))
        return path

    def example(self) -> str:
        """examples/inference.yaml in this laboratory's namespace."""
        with open(f"{ROOT}/examples/inference.yaml", encoding="utf-8") as file:
            return self.write("inference.yaml", file.read().replace("namespace: ai", f"namespace: {self.namespace}"))


def requests(err: str) -> list[tuple[str, str]]:
    """(verb, path with query) of every request that --debug printed."""
    return re.findall(r"^  (GET|POST|PUT|PATCH|DELETE) (\S+) \d+ \d+ms$", err, re.MULTILINE)
