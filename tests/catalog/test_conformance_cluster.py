"""What the shipped definitions render is accepted by a real API server, in a dry run."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import support

from appdelivery.catalog import catalog
from appdelivery.language.text import yaml_in
from appdelivery.model import reading, secret
from appdelivery.render import facts, render

if TYPE_CHECKING:
    from typing import Any

    from plane_fixtures import Planes

GOLDEN = f"{support.ROOT}/tests/golden/render"
SHIPPED = catalog.Catalog(())


def applications() -> list[tuple[str, Any]]:
    """Every example of a definition, the seed scenario, and the golden cases that render."""
    found = [(f"example of {d.name}", example) for d in SHIPPED.all() for example in d.examples]
    files = [f"{support.ROOT}/examples/inference.yaml"]
    for case in sorted(os.listdir(GOLDEN)):
        strict = not os.path.exists(f"{GOLDEN}/{case}/context.yaml") or case == "jobs"
        if strict and os.path.exists(f"{GOLDEN}/{case}/manifests.yaml"):
            files.append(f"{GOLDEN}/{case}/app.yaml")
    for file in files:
        with open(file, "rb") as opened:
            found += [(file, tree) for tree in yaml_in.load(opened.read(), file)]
    return found


def objects() -> list[Any]:
    """All their objects, in the namespace that every cluster has."""
    bodies = []
    for name, tree in applications():
        document = reading.documents([(name, 0, tree)], namespace="default", lenient=False).applications[0]
        made = render.render(document, SHIPPED.resolve, facts.RenderContext(namespace="default"))
        bodies += [secret.shown(manifest.body) for manifest in made.manifests]
    return [body for body in bodies if body["metadata"].get("namespace", "default") == "default"]


@pytest.mark.cluster
@pytest.mark.binaries
@pytest.mark.xdist_group("catalog-plane")
def test_every_rendered_object_is_accepted_by_an_api_server(real_plane: Planes, kubectl_program: str) -> None:
    items = objects()
    words = [kubectl_program, "--kubeconfig", real_plane.kubeconfig, "--context", real_plane.contexts[0], "apply"]
    flags = ["--server-side", "--dry-run=server", "--field-manager=appctl-test", "--validate=strict", "-f", "-"]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = subprocess.run([*words, *flags], input=document, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(items)
