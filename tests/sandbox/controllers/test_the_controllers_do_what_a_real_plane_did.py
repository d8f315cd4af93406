"""The same stories as on a real control plane (record.py) end the same way, by the same conditions, with the same events."""

from __future__ import annotations

import json
import os

import pytest
import yaml
from scenarios import KINDS, OWN, STORIES, told
from small_world import World

from appdelivery.sandbox.controllers import presets

BETWEEN = ("NewReplicaSetCreated", "ReplicaSetUpdated")
HERE = os.path.dirname(os.path.abspath(__file__))
NODES = os.path.join(HERE, "..", "..", "controlplane", "nodes")
with open(os.path.join(HERE, "recorded.json")) as _file:
    RECORDED = json.load(_file)["stories"]


def nodes():
    found = []
    for name in sorted(os.listdir(NODES)):
        with open(os.path.join(NODES, name)) as file:
            found += list(yaml.safe_load_all(file))
    return presets.checked(found)


def tell(steps):
    world = World(nodes())
    world.make({"kind": "Namespace", "metadata": {"name": "story"}})
    world.heard.clear()
    for step in steps:
        if isinstance(step, int):
            world.after(step)
        elif isinstance(step, dict):
            world.make({**step, "metadata": {**step["metadata"], "namespace": "story"}})
        else:
            world.change(*step, form="strategic", namespace="story")
    seen = {}
    for event in world.heard:
        body = event.item.body
        if body["kind"] in OWN and event.type != "DELETED":
            seen.setdefault(f"{body['kind']}/{body['metadata']['name']}", []).append(body)
    bodies = [body for kind in [*KINDS, "ControllerRevision"] for body in world.all(kind, namespace="story")]
    return told(bodies, seen)


@pytest.mark.parametrize("story", list(STORIES))
def test_a_story_ends_as_on_a_real_plane(story):
    assert story in RECORDED, "record it: python record.py KUBECONFIG CONTEXT " + story
    found, wanted = tell(STORIES[story]), RECORDED[story]
    assert found["objects"] == wanted["objects"]
    assert found["events"] == wanted["events"]
    # A busy controller may leave out what lies between two states, so the record may lack it.
    shown = {
        name: [one for one in listed if one[2] not in BETWEEN or one in wanted["conditions"].get(name, ())]
        for name, listed in found["conditions"].items()
    }
    assert shown == wanted["conditions"]
