"""Random foreign writes on real objects: our digest says "changed" exactly when the server's own dry run would write.

The seed is printed with a failure; APPCTL_TEST_SEED sets it, APPCTL_TEST_PROFILE=deep runs thousands of writes.
"""

from __future__ import annotations

import copy
import os
import random
from typing import TYPE_CHECKING, Any

import custom_kinds
import pytest
from custom_kinds import crd, install, version

from appdelivery import errors
from appdelivery.clusters import ownership

if TYPE_CHECKING:
    from fleet_lab import Lab

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("plane"),
]
WRITES = 2_000 if os.environ.get("APPCTL_TEST_PROFILE") == "deep" else 30
SHORT = {"resourceVersion", "generation", "managedFields", "creationTimestamp", "uid"}


def objects(lab: Lab, group: str) -> list[dict[str, Any]]:
    deployment = lab.deployment(volumes=[{"name": "tmp", "emptyDir": {}}], securityContext={}, tolerations=[])
    deployment["spec"]["template"]["spec"]["containers"][0]["env"] += [
        {"name": "B", "value": ""},
        {"name": "C", "value": "3"},
    ]
    ports = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
    spec = {"selector": {"app": "web"}, "ports": ports, "sessionAffinity": "None"}
    return [
        lab.config(a="1", b="", c="3"),
        deployment,
        lab.object("v1", "Service", "web", spec=spec),
        lab.object(f"{group}/v1", "Widget", "web", spec=custom_kinds.spec()),
    ]


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place below spec, data, labels and annotations."""
    found = [path] if path else []
    if isinstance(tree, dict):
        for name, value in tree.items():
            found += places(value, (*path, name))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += places(value, (*path, index))
    return found


def disturb(live: dict[str, Any], choice: random.Random) -> str:
    """One random change in place; gives what was done."""
    metadata = {key: live["metadata"].setdefault(key, {}) for key in ("labels", "annotations")}
    roots = {**metadata, **{key: live[key] for key in ("spec", "data") if key in live}}
    where = choice.choice([path for path in places(roots) if len(path) > 1])
    at = roots
    for step in where[:-1]:
        at = at[step]
    value, what = at[where[-1]], choice.random()
    if isinstance(value, list) and len(value) > 1 and what < 0.5:
        choice.shuffle(value)
        return f"shuffled {where}"
    if isinstance(value, list) and value and what < 0.8:
        added = copy.deepcopy(value[0])
        if isinstance(added, dict) and "name" in added:
            added["name"] = f"x{choice.randrange(100)}"
        value.append(added if isinstance(added, dict) else f"x{choice.randrange(100)}")
        return f"added to {where}"
    if what < 0.3:
        at.pop(where[-1])
        return f"removed {where}"
    if isinstance(value, dict):
        value[f"x{choice.randrange(10)}"] = "theirs"
        return f"added into {where}"
    if isinstance(value, bool):
        at[where[-1]] = not value
    elif isinstance(value, int | float):
        at[where[-1]] = value + choice.choice([-1, 1, 7])
    elif isinstance(value, str):
        at[where[-1]] = choice.choice(["", "x", value + "x", value])
    return f"changed {where}"


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """An object without what every write moves; managedFields without their times."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in SHORT}
    managed = [{key: value for key, value in one.items() if key != "time"} for one in body["metadata"]["managedFields"]]
    managed.sort(key=lambda one: (one["manager"], one["operation"], one.get("subresource", "")))
    return {**body, "metadata": {**metadata, "managedFields": managed}, "status": None}


async def write(lab: Lab, body: dict[str, Any], choice: random.Random) -> str:
    """A random write of somebody else: an edit, an apply of a part, or an edit under our own name."""
    manager = choice.choice(["kubectl-edit", "argocd-controller", lab.manager])
    done: list[str] = []
    if choice.random() < 0.25 and manager != lab.manager:
        live = await lab.kube.get(body)
        part = copy.deepcopy(body)
        done.append("apply: " + disturb(part, choice))
        content = {key: part[key] for key in ("spec", "data") if key in part}
        await lab.foreign(body, manager, **content)
        assert live
    else:
        await lab.kube.edit(body, lambda live: done.append(f"edit as {manager}: " + disturb(live, choice)), manager)
    return done[-1]


async def judged(lab: Lab, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A live object and whether the server would change it for us; again while a controller writes in between."""
    while True:
        live = (await lab.live(body)).body
        try:
            would = await lab.apply(body, force=True, dry_run=True)
            says = shown(would.body) != shown(live)
        except errors.Rejected:
            says = True  # a foreign entry stands in the way: the repair of 3.1 g
        if (await lab.live(body)).body["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]:
            return live, says


async def test_digest_and_dry_run_agree(real_lab: Lab) -> None:
    seed = int(os.environ.get("APPCTL_TEST_SEED") or random.randrange(1 << 30))
    choice, lab = random.Random(seed), real_lab
    group = f"{lab.namespace}.example.org"
    await install(lab.kube, crd(group, version("v1", storage=True)), "v1")
    changed = silent = refused = 0
    try:
        for body in objects(lab, group):
            applied = await lab.apply(body, force=True)
            for number in range(WRITES):
                try:
                    what = await write(lab, body, choice)
                except (errors.Rejected, errors.ClusterError):
                    refused += 1
                    continue
                live, says = await judged(lab, body)
                sees = ownership.own_digest(live, lab.manager, applied.bare) != applied.own_digest
                assert sees is says, f"seed {seed}, {body['kind']}, write {number}: {what}"
                changed, silent = changed + sees, silent + (not sees)
                if sees and choice.random() < 0.7:
                    again = await lab.apply(body, force=True)
                    assert again.own_digest == applied.own_digest, f"seed {seed}, {body['kind']}, write {number}: {what}"
    finally:
        await lab.kube.delete(crd(group))
    assert changed > WRITES / 4, (changed, silent, refused)
    assert silent > WRITES / 4, (changed, silent, refused)
