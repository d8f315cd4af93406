"""The seed scenario beside a Helm chart of the same scenario: 20 of 20 objects are equal (language.md 23, gate 1).

benchmarks/peers/chart is what a careful person would write for helm; examples/inference.yaml is what they write here.
The mapping below is the whole difference: who signs an object with which labels.  Everything else must be equal.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import support
import yaml

from appdelivery import cli

if TYPE_CHECKING:
    from typing import Any

    Objects = dict[tuple[str, str], dict[str, Any]]

pytestmark = [pytest.mark.binaries, pytest.mark.slow]

CHART = f"{support.ROOT}/benchmarks/peers/chart"
EXAMPLE = f"{support.ROOT}/examples/inference.yaml"

# Labels by which either side marks what it made; left out on both.
SIGNATURES = {
    "helm": ("helm.sh/chart", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"),
    "ours": (
        "app.oam.dev/name",
        "app.oam.dev/namespace",
        "app.oam.dev/appRevision",
        "app.oam.dev/resourceType",
        "workload.oam.dev/type",
        "trait.oam.dev/type",
        "trait.oam.dev/resource",
    ),
}
# The label by which Services find pods, on both sides; it decides what runs behind what, so it is compared.
SELECTORS = {"helm": "app.kubernetes.io/name", "ours": "app.oam.dev/component"}
# Pods restart when a ConfigMap of theirs changes: this chart does without.
ANNOTATION = "appdelivery.dev/config"
# Helm charts repeat the common labels in pod templates; ours keep them out, so that a new label restarts nothing.
COMMON = {"team": "ml"}


def by_name(text: str) -> Objects:
    return {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(text) if d}


def of_helm(program: str) -> Objects:
    words = [program, "template", "inference", CHART, "-n", "ai"]
    done = subprocess.run(words, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=True)
    return {name: mapped(one, "helm") for name, one in by_name(done.stdout).items()}


def of_ours(capsys: pytest.CaptureFixture[str]) -> Objects:
    assert cli.main(["render", EXAMPLE]) == 0
    return {name: mapped(one, "ours") for name, one in by_name(capsys.readouterr().out).items()}


def mapped(body: dict[str, Any], side: str) -> dict[str, Any]:
    """The same object in neither side's spelling."""
    out = relabelled(body, side)
    template = out.get("spec", {}).get("template", {}).get("metadata", {})
    if side == "ours" and ANNOTATION in template.get("annotations", {}):
        template["annotations"].pop(ANNOTATION)
        template.pop("annotations") if not template["annotations"] else None
    for name, value in COMMON.items() if side == "helm" else ():
        assert template.get("labels", {}).pop(name, value) == value
    if out["kind"] == "Secret":  # values are generated on our side: the keys count
        out["keys"] = sorted([*out.pop("data", {}), *out.pop("stringData", {})])
    if out["kind"] in ("Secret", "ConfigMap"):  # they have no pods; on helm's side each carries its own name there
        out["metadata"]["labels"].pop("selector", None)
    return out


def relabelled(tree: Any, side: str) -> Any:
    if isinstance(tree, list):
        return [relabelled(item, side) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        "selector" if key == SELECTORS[side] else key: relabelled(value, side)
        for key, value in tree.items()
        if key not in SIGNATURES[side]
    }


def test_the_twenty_objects_of_the_example_are_those_of_the_chart(
    helm_program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs, ours = of_helm(helm_program), of_ours(capsys)
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == 20
    different = {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
    assert not different


def test_the_mapping_hides_no_more_than_labels(capsys: pytest.CaptureFixture[str]) -> None:
    """Each name of the mapping is in use: one that no longer is must go, or it could hide a difference later."""
    assert cli.main(["render", EXAMPLE]) == 0
    text = capsys.readouterr().out
    unused = [name for name in (*SIGNATURES["ours"], SELECTORS["ours"], ANNOTATION) if f"{name}:" not in text]
    assert not unused
