"""Golden cases of `appctl render`: an application, and exactly what is printed for it.

A case is a folder of tests/golden/render: app.yaml, optionally context.yaml (app: another file of the checkout,
kubeVersion, lenient), and manifests.yaml or error.txt as expected.  `--update` rewrites those.
"""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

import pytest
import support
import yaml

from appdelivery import cli

if TYPE_CHECKING:
    from typing import Any

FOLDER = f"{support.ROOT}/tests/golden/render"
CASES = sorted(os.listdir(FOLDER))


def words(case: str) -> list[str]:
    context: dict[str, Any] = {}
    if os.path.exists(f"{FOLDER}/{case}/context.yaml"):
        with open(f"{FOLDER}/{case}/context.yaml", encoding="utf-8") as file:
            context = yaml.safe_load(file)
    app = f"{support.ROOT}/{context['app']}" if "app" in context else "app.yaml"
    more = ["--lenient"] if context.get("lenient") else []
    return ["render", app, *more, *(["--kube-version", context["kubeVersion"]] if "kubeVersion" in context else [])]


@pytest.mark.parametrize("case", CASES)
def test_render_prints_exactly_this(
    case: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(f"{FOLDER}/{case}")
    code = cli.main(words(case))
    printed = capsys.readouterr()
    name, made = ("manifests.yaml", printed.out) if code == 0 else ("error.txt", f"exit {code}\n{printed.err}")
    path = f"{FOLDER}/{case}/{name}"
    expected = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            expected = file.read()
    changes = "".join(difflib.unified_diff(expected.splitlines(True), made.splitlines(True), "expected", "made"))
    if request.config.getoption("--update") and changes:
        with open(path, "w", encoding="utf-8") as file:
            file.write(made)
        print(f"{case}/{name} is rewritten:\n{changes}")
        return
    if name == "manifests.yaml":
        assert list(yaml.safe_load_all(made)) == list(yaml.safe_load_all(expected)), f"other objects:\n{changes}"
    assert not changes, f"the same objects, printed otherwise:\n{changes}" if name == "manifests.yaml" else changes
