"""Custom resources on a real API server: list and map types, several versions, versions that go, schemas that move."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import custom_kinds
import pytest
from custom_kinds import crd, install, spec, version

from appdelivery import errors
from appdelivery.clusters import ownership
from appdelivery.model.refs import ref_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fleet_lab import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("plane")]


@pytest.fixture
async def group(real_lab: Lab) -> AsyncIterator[str]:
    name = f"{real_lab.namespace}.example.org"
    yield name
    await real_lab.kube.delete(crd(name))


def widget(lab: Lab, group: str, name: str = "web", at: str = "v1", **changes: Any) -> dict[str, Any]:
    return lab.object(f"{group}/{at}", "Widget", name, spec=spec() | changes)


CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any], bool]] = [
    ("an entry of a list map changed", lambda s: s["parts"][0].update(weight=9), True),
    ("an entry of a list map removed", lambda s: s["parts"].pop(1), True),
    ("a member of a set removed", lambda s: s["tags"].remove("t1"), True),
    ("an atomic list extended", lambda s: s["args"].append("-q"), True),
    ("an atomic list reversed", lambda s: s["args"].reverse(), True),
    ("an atomic map extended", lambda s: s["selector"].update(tier="db"), True),
    ("deep inside unknown fields", lambda s: s["free"]["deep"]["list"][0].update(v=2), True),
    ("a set reversed", lambda s: s["tags"].reverse(), True),
    ("a list map reversed", lambda s: s["parts"].reverse(), True),
    ("a small number", lambda s: s.update(ratio=2e-07), True),
    ("a default changed", lambda s: s.update(size=9), False),
    ("a default inside a map we left empty", lambda s: s["nested"].update(mode="x"), False),
    ("another key of a map", lambda s: s["limits"].update(memory="1"), False),
    ("a foreign entry of a list map", lambda s: s["parts"].append({"name": "theirs"}), False),
    ("a foreign member of a set", lambda s: s["tags"].append("theirs"), False),
]


async def test_every_list_and_map_type_is_seen_by_its_own_rule(real_lab: Lab, group: str) -> None:
    lab = real_lab
    await install(lab.kube, crd(group, version("v1", storage=True)), "v1")
    for index, (title, change, noticed) in enumerate(CHANGES):
        body = widget(lab, group, f"w{index}")
        applied = await lab.apply(body)
        live = (await lab.live(body)).body
        assert ownership.own_digest(live, lab.manager, applied.bare) == applied.own_digest, title
        await lab.kube.edit(body, lambda live, change=change: change(live["spec"]))
        live = (await lab.live(body)).body
        assert (ownership.own_digest(live, lab.manager, applied.bare) != applied.own_digest) is noticed, title
        again = await lab.apply(body, force=True)
        assert again.own_digest == applied.own_digest, title
    body = widget(lab, group, "status")
    applied = await lab.apply(body)
    await lab.kube.merge(body, {"status": {"phase": "Ready"}}, sub="status")
    live = (await lab.live(body)).body
    assert ownership.own_digest(live, lab.manager, applied.bare) == applied.own_digest


async def test_an_autoscaler_is_compared_in_the_version_it_was_applied_in(real_lab: Lab) -> None:
    """3.1 j."""
    lab = real_lab
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nobody"}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    body = lab.object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "web",
        spec={"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, "metrics": [metric]},
    )
    applied = await lab.apply(body)
    assert await lab.own_digest(body) == applied.own_digest
    older = {**body, "apiVersion": "autoscaling/v1"}
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(older))
    assert (fact.ref.version, fact.entry_version) == ("v1", "autoscaling/v2")
    await lab.kube.merge(body, {"spec": {"maxReplicas": 4}}, version="autoscaling/v1")
    assert await lab.own_digest(body) != applied.own_digest
    assert (await lab.apply(body, force=True)).own_digest == applied.own_digest


async def test_a_version_that_is_no_longer_served_needs_nothing(real_lab: Lab, group: str) -> None:
    lab = real_lab
    definition = crd(group, version("v1", storage=True), version("v1beta1"))
    await install(lab.kube, definition, "v1beta1")
    beta = widget(lab, group, at="v1beta1")
    applied = await lab.apply(beta)
    definition["spec"]["versions"][1]["served"] = False
    await install(lab.kube, definition, "v1")
    stable = {**beta, "apiVersion": f"{group}/v1"}
    await lab.fleet.facts(lab.cluster, refresh=True)
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(stable))
    assert fact.entry_version == f"{group}/v1beta1"
    moved = await lab.apply(stable)
    assert (moved.requests, moved.own_digest) == (1, applied.own_digest)


async def test_an_entry_of_a_removed_version_is_rewritten_and_applied_once_more(real_lab: Lab, group: str) -> None:
    lab = real_lab
    definition = crd(group, version("v1", storage=True), version("v1beta1"))
    await install(lab.kube, definition, "v1beta1")
    beta = widget(lab, group, at="v1beta1")
    applied = await lab.apply(beta)
    del definition["spec"]["versions"][1]
    await install(lab.kube, definition, "v1")
    stable = {**beta, "apiVersion": f"{group}/v1"}

    async def moved() -> Any:
        """Until the API server has taken the change in, our entry's version still converts."""
        while True:
            answer = await lab.apply(stable)
            if answer.requests > 1:
                return answer
            await lab.kube.json_patch(
                stable, [{"op": "replace", "path": "/metadata/managedFields/0/apiVersion", "value": f"{group}/v1beta1"}]
            )

    answer = await moved()
    assert answer.requests == 4  # refused, read, rewritten, applied
    assert answer.own_digest == applied.own_digest
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(stable))
    assert fact.entry_version == f"{group}/v1"
    fewer = copy.deepcopy(stable)
    del fewer["spec"]["color"]
    assert "color" not in (await lab.apply(fewer)).body["spec"]


async def test_a_default_that_a_schema_gains_is_no_write(real_lab: Lab, group: str) -> None:
    """3.1 e: the digest differs at the same version, and with equal tree and generation, so nobody wrote."""
    lab = real_lab
    item = custom_kinds.structure(name=custom_kinds.STRING)
    inner = custom_kinds.structure(atomic={"type": "array", "items": item})
    definition = crd(group, version("v1", storage=True, of=custom_kinds.structure(spec=inner)))
    await install(lab.kube, definition, "v1")
    body = lab.object(f"{group}/v1", "Widget", "web", spec={"atomic": [{"name": "n"}]})
    applied = await lab.apply(body)
    item["properties"]["fresh"] = {"type": "string", "default": "f"}
    await install(lab.kube, definition, "v1")
    await lab.kube.until(body, lambda live: "fresh" in str(live["spec"]))
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(body))
    assert fact.own_digest != applied.own_digest
    assert (fact.version, fact.generation, fact.tree_digest) == (applied.version, applied.generation, applied.tree_digest)
    again = await lab.apply(body, known_version=applied.version)
    assert again.own_digest == await lab.own_digest(body)


async def test_a_field_that_a_schema_loses_is_refused_and_not_retried(real_lab: Lab, group: str) -> None:
    """3.1 f: an apply body with an undeclared field is a 500 of the server, and our document's fault."""
    lab = real_lab
    inner = custom_kinds.structure(a=custom_kinds.STRING, old=custom_kinds.STRING)
    definition = crd(group, version("v1", storage=True, of=custom_kinds.structure(spec=inner)))
    await install(lab.kube, definition, "v1")
    body = lab.object(f"{group}/v1", "Widget", "web", spec={"a": "1", "old": "1"})
    await lab.apply(body)
    del inner["properties"]["old"]
    await install(lab.kube, definition, "v1")
    await lab.kube.until(body, lambda live: "old" not in live["spec"])
    before = len(lab.sent)
    with pytest.raises(errors.Rejected, match="old") as caught:
        await lab.apply(body)
    assert not caught.value.retryable
    assert len(lab.sent) == before + 1


async def test_a_kind_is_found_as_soon_as_its_definition_is_there(real_lab: Lab, group: str) -> None:
    lab, body = real_lab, widget(real_lab, group)
    with pytest.raises(errors.NotServed):
        await lab.apply(body)
    await install(lab.kube, crd(group, version("v1", storage=True)), "v1")
    facts = await lab.fleet.facts(lab.cluster, refresh=True)
    assert facts.find(group, "Widget").namespaced
    assert (await lab.apply(body)).result == "created"
    assert ref_of(body) in await lab.fleet.read(lab.cluster, [ref_of(body)])
