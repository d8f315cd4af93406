"""Rendering beside helm, kubectl kustomize and plain Jinja2 + PyYAML, on the seed scenario (examples/inference.yaml).

Whole processes at 20, 200 and 2,000 objects; in process against helm's marginal cost (the slope between 20 and 2,000
objects, which leaves out the start of its process).
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import yaml
from side_by_side import APPCTL, ROOT, Ratio, best_of, compare, peak_memory, process

if TYPE_CHECKING:
    from collections.abc import Callable

CHART = f"{ROOT}/benchmarks/peers/chart"
EXAMPLE = f"{ROOT}/examples/inference.yaml"


def application(stacks: int) -> dict[str, Any]:
    """The seed, `stacks` times under other names, as one application."""
    with open(EXAMPLE, encoding="utf-8") as file:
        seed = yaml.safe_load(file)
    if stacks == 1:
        return seed
    components = [_renamed(c, f"-{i}" if i else "") for i in range(stacks) for c in seed["spec"]["components"]]
    return {**seed, "spec": {"components": components}}


NAMES = (
    "frontend",
    "api",
    "cache",
    "db",
    "settings",
    "web-config",
    "features",
    "api-config",
    "model-config",
    "logging",
    "db-auth",
    "api-key",
    "signing",
    "session",
    "webhook",
)


def _renamed(tree: Any, suffix: str, key: str = "") -> Any:
    """Names and references get the suffix; everything else is as it was."""
    if isinstance(tree, dict):
        return {
            (k + suffix if k in NAMES and key in ("configMaps", "secrets") else k): _renamed(v, suffix, k)
            for k, v in tree.items()
        }
    if isinstance(tree, list):
        return [_renamed(v, suffix, key) for v in tree]
    if isinstance(tree, str) and suffix:
        if tree in NAMES and key in ("name", "dependsOn", "envFrom", "secret"):
            return tree + suffix
        for before, after in (
            ("http://api:", f"http://api{suffix}:"),
            ("redis://cache:", f"redis://cache{suffix}:"),
            ("api:8000", f"api{suffix}:8000"),
            ("components.db.", f"components['db{suffix}']."),
        ):
            if tree.startswith(before) or (before in tree and before.startswith("components")):
                return tree.replace(before, after)
    return tree


class Lab:
    """Files of one run, and an environment whose caches are warm after the first call."""

    def __init__(self, folder: str) -> None:
        import kube_binaries  # in tests/tools, which side_by_side puts on the path

        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8"}
        self.helm, self.kubectl = kube_binaries.helm(), kube_binaries.kubectl()
        shutil.copy(EXAMPLE, self.app(1))
        for stacks in (10, 100):
            with open(self.app(stacks), "w", encoding="utf-8") as file:
                file.write(yaml.safe_dump(application(stacks), sort_keys=False))
        for stacks in (1, 10):
            os.makedirs(self.kustomization(stacks))
            with open(f"{self.kustomization(stacks)}/kustomization.yaml", "w") as file:
                file.write("resources: [all.yaml]\ncommonLabels: {team: ml}\nimages: [{name: redis, newTag: '7.4'}]\n")
            with open(f"{self.kustomization(stacks)}/all.yaml", "w") as file:
                file.write(self.helm_text(stacks))

    def app(self, stacks: int) -> str:
        return f"{self.folder}/app-{stacks}.yaml"

    def kustomization(self, stacks: int) -> str:
        return f"{self.folder}/kustomize-{stacks}"

    def helm_words(self, stacks: int) -> list[str]:
        return [self.helm, "template", "inference", CHART, "-n", "ai", "--set", f"stacks={stacks}"]

    def helm_text(self, stacks: int) -> str:
        import subprocess

        return subprocess.run(self.helm_words(stacks), env=self.env, capture_output=True, text=True, check=True).stdout

    def ours(self, stacks: int) -> float:
        return process([APPCTL, "render", self.app(stacks)], env=self.env)

    def theirs(self, stacks: int) -> float:
        return process(self.helm_words(stacks), env=self.env)

    def kustomize(self, stacks: int) -> float:
        return process([self.kubectl, "kustomize", self.kustomization(stacks)], env=self.env)

    def cold(self) -> float:
        with tempfile.TemporaryDirectory() as empty:
            return process([APPCTL, "render", self.app(1)], env={**self.env, "HOME": empty})


def run(*, quick: bool = False) -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        rounds = 5 if quick else 11
        ratios = [
            best_of(
                3,
                lambda: compare(
                    "render 20 objects, process, of helm template",
                    lambda: lab.ours(1),
                    lambda: lab.theirs(1),
                    rounds=rounds,
                    must=1.0,
                    aim=0.75,
                ),
            ),
            best_of(
                3,
                lambda: compare(
                    "render 200 objects, process, of helm template",
                    lambda: lab.ours(10),
                    lambda: lab.theirs(10),
                    rounds=rounds,
                    must=0.5,
                    aim=0.35,
                ),
            ),
            best_of(
                3,
                lambda: compare(
                    "render 2,000 objects, process, of helm template",
                    lambda: lab.ours(100),
                    lambda: lab.theirs(100),
                    rounds=5,
                    must=0.3,
                    aim=0.2,
                ),
            ),
            best_of(
                3,
                lambda: compare(
                    "render 20 objects, process, of kubectl kustomize",
                    lambda: lab.ours(1),
                    lambda: lab.kustomize(1),
                    rounds=rounds,
                    must=0.8,
                    aim=0.6,
                ),
            ),
            best_of(
                3,
                lambda: compare(
                    "render 200 objects, process, of kubectl kustomize",
                    lambda: lab.ours(10),
                    lambda: lab.kustomize(10),
                    rounds=5,
                    must=0.2,
                    aim=0.13,
                ),
            ),
            best_of(
                3,
                lambda: compare(
                    "first render, empty cache, of helm template",
                    lab.cold,
                    lambda: lab.theirs(1),
                    rounds=rounds,
                    must=3.0,
                    aim=2.0,
                ),
            ),
        ]
        ratios += in_process(lab, rounds)
        for stacks, limit in ((1, 45), (100, 200)):
            size = peak_memory([APPCTL, "render", lab.app(stacks)], lab.env)
            ratios.append(
                Ratio(
                    f"memory of render, {20 * stacks:,} objects, of {limit} MiB",
                    size / limit,
                    size / limit,
                    size / limit,
                    1.0,
                    None,
                    f"{size} MiB",
                )
            )
        return ratios


def in_process(lab: Lab, rounds: int) -> list[Ratio]:
    """Cheaper means a ratio below 1/40 and so on: ours per 20 objects over helm's marginal cost of 20 objects."""
    few, many = min(lab.theirs(1) for _ in range(rounds)), min(lab.theirs(100) for _ in range(3))
    marginal = (many - few) / 99
    work = _work()
    out = []
    for name, call, must, aim in (
        ("check and render 20 objects in process, of helm's marginal cost", work["render"], 1 / 40, 1 / 60),
        ("JSON in to hashed objects, of helm's marginal cost", work["json"], 1 / 30, 1 / 45),
        ("YAML in to YAML out, of helm's marginal cost", work["yaml"], 1 / 5, 1 / 10),
    ):
        cost = _seconds(call)
        out.append(
            Ratio(name, cost / marginal, cost / marginal, cost / marginal, must, aim, f"{marginal / cost:.0f} times cheaper")
        )
    naive_render, naive_yaml = _naive(lab)
    for name, call, peer, must, aim in (
        ("check and render 20 objects in process, of Jinja2 + PyYAML", work["render"], naive_render, 1 / 25, 1 / 40),
        ("YAML in to YAML out, of Jinja2 + PyYAML", work["yaml"], naive_yaml, 1 / 5, 1 / 10),
    ):
        out.append(
            compare(name, lambda c=call: _seconds(c, 20), lambda c=peer: _seconds(c, 3), rounds=rounds, must=must, aim=aim)
        )
    return out


def _seconds(call: Callable[[], object], times: int = 50) -> float:
    """Best of a few averages: other work on the computer only ever adds."""
    gc.collect()
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            call()
        best = min(best, (time.perf_counter() - start) / times)
    return best


def _work() -> dict[str, Callable[[], object]]:
    from appdelivery.catalog.catalog import Catalog
    from appdelivery.language.text import yaml_in, yaml_out
    from appdelivery.model import canonical, reading
    from appdelivery.render.render import RenderContext, render

    catalog, context = Catalog(), RenderContext(identify=False)  # hashes of components and revisions are for who keeps them
    with open(EXAMPLE, "rb") as file:
        text = file.read()
    tree = yaml_in.load(text, EXAMPLE)[0]
    app = reading.application(tree, EXAMPLE, 0)
    as_json = json.dumps(tree).encode()

    def hashed() -> list[str]:
        read = reading.application(json.loads(as_json), EXAMPLE, 0)
        return [canonical.digest(m.body) for m in render(read, catalog.resolve, context).manifests]

    def texts() -> str:
        read = reading.application(yaml_in.load(text, EXAMPLE)[0], EXAMPLE, 0)
        return yaml_out.dump_all([m.body for m in render(read, catalog.resolve, context).manifests])

    return {"render": lambda: render(app, catalog.resolve, context), "json": hashed, "yaml": texts}


def _naive(lab: Lab) -> tuple[Callable[[], object], Callable[[], object]]:
    """What one would write by hand: text templates for the same objects, parsed by PyYAML's C loader."""
    import jinja2

    with open(EXAMPLE, "rb") as file:
        text = file.read()
    template = jinja2.Environment().from_string(_as_template(lab.helm_text(1)))
    loader, dumper = yaml.CSafeLoader, yaml.CSafeDumper
    values = {"team": "ml", "tag": "1.4.2", "namespace": "ai"}

    def render() -> object:
        return list(yaml.load_all(template.render(**values), Loader=loader))

    def texts() -> str:
        yaml.load(text, Loader=loader)
        return yaml.dump_all(render(), Dumper=dumper, sort_keys=False)

    return render, texts


def _as_template(text: str) -> str:
    return (
        text.replace("team: ml", "team: {{ team }}")
        .replace("namespace: ai", "namespace: {{ namespace }}")
        .replace("1.4.2", "{{ tag }}")
    )


if __name__ == "__main__":
    from side_by_side import table

    print(table(run(quick="--quick" in sys.argv)))
