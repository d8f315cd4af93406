"""Equal inputs give byte-equal output, inputs are never changed, hashes move only with what they are about."""

from __future__ import annotations

import builtins
import copy
import os
import random
import socket
import subprocess
import sys
import time

import apps
import pytest
import support
from hypothesis import given
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language.text import yaml_in, yaml_out
from appdelivery.model import canonical, reading
from appdelivery.render import render

SEED = f"{support.ROOT}/examples/inference.yaml"
WEB = """
- name: web
  type: webservice
  properties: {image: "example/web:1.0.0", ports: [{port: 80, expose: true}]%s}
  traits: [{type: %s}]
"""
OBJECTS = """
- name: all
  type: k8s-objects
  properties:
    objects:
      - apiVersion: apps/v1
        kind: Deployment
        metadata: {name: a, labels: {x: y}}
        spec: {template: {spec: {containers: [{name: all, image: "x:1"}]}}}
  traits: [{type: labels, properties: {q: r}}, {type: scaler, properties: {replicas: 2}}]
"""


def seed():
    with open(SEED, "rb") as file:
        return yaml_in.load(file.read(), SEED)[0]


def written(made):
    return yaml_out.dump_all([m.body for m in made.manifests])


def test_the_seed_renders_to_twenty_objects():
    made = render.render(reading.application(seed(), SEED, 0), apps.shipped().resolve)
    kinds = [m.ref.kind for m in made.manifests]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "Deployment": 3, "StatefulSet": 1, "Service": 4, "Ingress": 1, "ConfigMap": 5, "Secret": 5, "HorizontalPodAutoscaler": 1,
    }  # fmt: skip
    assert next(c for c in made.components if c.name == "api").depends_on == ("cache", "db")


def test_two_renders_are_byte_equal_in_other_processes_with_other_hash_seeds():
    program = (
        "import sys; sys.path.insert(0, 'tests/render'); import apps;"
        "from appdelivery.model import reading; from appdelivery.language.text import yaml_in, yaml_out;"
        "from appdelivery.render import render;"
        "tree = yaml_in.load(open('examples/inference.yaml', 'rb').read(), 'x')[0];"
        "made = render.render(reading.application(tree, 'x', 0), apps.shipped().resolve);"
        "print(made.key, yaml_out.dump_all([m.body for m in made.manifests]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=support.ROOT, env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True, check=True, text=True,
        ).stdout
        for number in ("1", "77")
    }  # fmt: skip
    assert len(outputs) == 1
    assert "inference" in outputs.pop()


def test_a_render_touches_no_file_clock_network_or_environment(monkeypatch):
    app = reading.application(seed(), SEED, 0)
    expected = written(render.render(app, apps.shipped().resolve))

    def forbidden(*_: object, **__: object) -> object:
        raise AssertionError("a render looked outside")

    for where, name in (
        (builtins, "open"), (os, "open"), (os, "stat"), (socket, "socket"), (time, "time"), (time, "monotonic"),
        (time, "time_ns"), (random, "random"), (os, "urandom"), (os, "getenv"),
    ):  # fmt: skip
        monkeypatch.setattr(where, name, forbidden)
    made = written(render.render(app, apps.shipped().resolve))
    monkeypatch.undo()
    assert made == expected


@pytest.mark.parametrize(
    "components",
    [
        WEB % ("", "gateway, properties: {http: {/: 80}, domain: a.example.com}"),
        WEB % (", labels: {a: b}, annotations: {c: d}", "sidecar, properties: {name: s, image: 'x:1', share: {v: /v}}"),
        WEB % ("", "labels, properties: {a: b}"),
        WEB % ("", "annotations, properties: {a: b}"),
        WEB % ("", "env, properties: {env: {A: b}}"),
        WEB % ("", "storage, properties: {configMap: [{name: c, mountPath: /c, data: {k: v}}]}"),
        OBJECTS,
    ],
)  # fmt: skip
def test_neither_the_document_nor_an_earlier_result_is_changed(components):
    app = apps.application(apps.text(components))
    before = copy.deepcopy(app.document)
    first = render.render(app, apps.shipped().resolve)
    texts = [canonical.text(m.body) for m in first.manifests]
    second = render.render(app, apps.shipped().resolve)
    assert app.document == before
    assert [canonical.text(m.body) for m in first.manifests] == texts
    assert [canonical.text(m.body) for m in second.manifests] == texts


def test_untouched_parts_of_the_document_are_shared_and_not_copied():
    app = apps.application(
        apps.text(
            "- name: a\n  type: k8s-objects\n  properties: {objects: [{apiVersion: v1, kind: ConfigMap, data: {k: v}}]}"
        )
    )
    made = render.render(app, apps.shipped().resolve)
    assert made.manifests[0].body["data"] is app.components[0].properties["objects"][0]["data"]


# --- hashes ---

PAIR = """
- {name: a, type: worker, properties: {image: "x:1"}}
- {name: b, type: worker, properties: {image: "y:1"}}
"""


def hashes(made):
    return {c.name: c.hash for c in made.components}


def test_the_key_is_of_content_and_not_of_spelling_time_or_numbers():
    made = apps.rendered(PAIR)
    same = apps.rendered(
        PAIR.replace(
            'name: a, type: worker, properties: {image: "x:1"}', "properties: {image: 'x:1'}, type: worker, name: a"
        )
    )
    later = apps.rendered(PAIR, revision=7, component_revisions=lambda name, digest: 3)
    assert made.key == same.key == later.key
    assert hashes(made) == hashes(same) == hashes(later)
    assert later.components[0].revision == "a-v3"


@pytest.mark.parametrize(
    ("change", "head"),
    [
        (PAIR.replace("x:1", "x:2"), apps.HEAD),
        (PAIR.replace("name: b", "name: b, dependsOn: [a]"), apps.HEAD),
        (PAIR.replace("name: b", "name: b, outputs: [{name: o, valueFrom: output.x}]"), apps.HEAD),
        (PAIR, apps.HEAD.replace("}", ", labels: {team: a}}", 1)),
        (PAIR, apps.HEAD.replace("name: shop", "name: store")),
        (PAIR.replace("- {name: b", "- {name: c"), apps.HEAD),
    ],
)  # fmt: skip
def test_the_key_moves_with(change, head):
    assert apps.rendered(change, head=head).key != apps.rendered(PAIR).key


def test_an_instruction_to_us_is_not_content():
    head = apps.HEAD.replace("}", ", annotations: {app.oam.dev/autoUpdate: 'true'}}", 1)
    assert apps.rendered(PAIR, head=head).key == apps.rendered(PAIR).key


def test_a_components_hash_moves_only_with_its_own_inputs():
    before, after = hashes(apps.rendered(PAIR)), hashes(apps.rendered(PAIR.replace("y:1", "y:2")))
    assert before["a"] == after["a"]
    assert before["b"] != after["b"]


def test_a_hash_moves_with_the_context_that_a_definition_reads_and_no_other(tmp_path):
    reads = "outputs: {a: {apiVersion: v1, kind: ConfigMap, data: {c: '${{ context.cluster }}'}}}"
    known = apps.with_definitions(tmp_path, reads=apps.component("reads", reads))
    components = "- {name: a, type: reads}\n- {name: b, type: worker, properties: {image: 'x:1'}}"
    one, two = [hashes(apps.rendered(components, known, cluster=name)) for name in ("eu-1", "eu-2")]
    assert one["a"] != two["a"]
    assert one["b"] == two["b"]


def test_a_hash_moves_with_the_definition(tmp_path):
    made = []
    for value in ("one", "two"):
        folder = tmp_path / value
        folder.mkdir()
        body = f"outputs: {{a: {{apiVersion: v1, kind: ConfigMap, data: {{k: {value}}}}}}}"
        known = apps.with_definitions(folder, own=apps.component("own", body))
        made.append(apps.rendered("- {name: a, type: own}", known))
    assert made[0].key != made[1].key
    assert made[0].definitions[0][:2] == ("ComponentDefinition", "own@0.0.0")


def test_without_identify_the_objects_are_the_same_and_nothing_is_hashed():
    made, bare = apps.rendered(PAIR), apps.rendered(PAIR, identify=False)
    assert written(made) == written(bare)
    assert (bare.key, set(hashes(bare).values())) == ("", {""})


# --- whatever the document says, the answer is an application or problems with places ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70_000) | st.text("ab$}{ .", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["port", "name", "a", "$generate", "value"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
PROPERTIES = st.dictionaries(
    st.sampled_from(["image", "ports", "env", "envFrom", "cpu", "labels", "replicas", "volumeMounts", "livenessProbe", "cmd", "zzz"]),
    JSON,
    max_size=5,
)  # fmt: skip


@given(PROPERTIES, st.sampled_from(["webservice", "worker", "statefulset", "k8s-objects", "config"]), st.booleans())
def test_any_properties_give_objects_or_located_problems(properties, kind, lenient):
    document = {
        "apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "shop"},
        "spec": {"components": [{"name": "web", "type": kind, "properties": properties}]},
    }  # fmt: skip
    before = copy.deepcopy(document)
    app = reading.application(document, "app.yaml", 0)
    problems, refs = (), ()
    try:
        refs = [m.ref for m in render.render(app, apps.shipped().resolve, render.RenderContext(lenient=lenient)).manifests]
    except errors.SpecError as error:
        problems = error.problems
    assert refs or problems
    assert all(ref.name and ref.kind for ref in refs)
    assert all(p.message and p.file for p in problems)
    assert document == before
