"""spec.replicas from its author to an autoscaler and back, stopped before each line: a watch sees no other value (6.3)."""

from __future__ import annotations

import pytest
from fakes.crash import Crash
from fakes.stage import Part, Stage, deployment, hpa, ref

from appdelivery.model import marks

WEB = deployment("web")


def number(stage):
    return stage.live(WEB)["spec"]["replicas"]


def watched(stage):
    """Every value of replicas that a watch of the Deployment shows."""
    seen = []

    def listen(event):
        what, body = event
        if body["kind"] == "Deployment" and what == "seen":
            seen.append(body["spec"].get("replicas"))

    stage.fleet.world().listeners.append(listen)
    return seen


async def at_four(autoscaled):
    stage = Stage()
    if autoscaled:
        await stage.deliver(Part("web", [deployment("web"), hpa("web", 2, 6)]))
        stage.fleet.edit(ref(WEB), {"spec": {"replicas": 4}}, manager="kube-controller-manager", subresource="scale")
    else:
        await stage.deliver(Part("web", [deployment("web", replicas=4)]))
    return stage


TO = Part("web", [deployment("web"), hpa("web", 2, 6)])
BACK = Part("web", [deployment("web", replicas=5)])


async def test_to_the_autoscaler_the_number_stays():
    stage = await at_four(autoscaled=False)
    seen = watched(stage)
    ended = await stage.deliver(TO)
    assert ended.outcome == "succeeded"
    assert set(seen) == {4}
    assert marks.HANDOVER in stage.managers(WEB)


async def test_back_to_its_author_the_number_moves_once_and_the_handover_entry_is_gone():
    stage = await at_four(autoscaled=True)
    seen = watched(stage)
    ended = await stage.deliver(BACK)
    assert ended.outcome == "succeeded"
    assert sorted(set(seen)) == [4, 5]
    assert seen == sorted(seen)
    assert stage.managers(WEB) == [marks.manager_of(stage.app)]
    assert stage.live(hpa("web")) is None


async def test_back_while_the_handover_entry_is_still_there():
    stage = await at_four(autoscaled=False)
    await stage.deliver(TO)
    seen = watched(stage)
    await stage.deliver(BACK)
    assert set(seen) == {4, 5}
    assert stage.managers(WEB) == [marks.manager_of(stage.app)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("autoscaled", "wanted", "numbers"), [(False, TO, {4}), (True, BACK, {4, 5})])
async def test_stopped_anywhere_no_other_number_is_seen(autoscaled, wanted, numbers, after):
    stage = await at_four(autoscaled)
    stage.crash.revive()
    await stage.deliver(wanted)
    count = len(stage.crash.calls)
    for call in range(1, count + 1):
        stage = await at_four(autoscaled)
        seen = watched(stage)
        stage.crash.kill(call, after=after)
        try:
            await stage.deliver(wanted)
        except Crash:
            pass
        stage.crash.revive()
        await stage.resume()
        await stage.deliver(wanted)
        assert set(seen) <= numbers, f"call {call}"
        assert number(stage) == max(numbers)
        if autoscaled:
            assert marks.HANDOVER not in stage.managers(WEB)


async def test_somebody_who_scales_between_reading_and_holding_is_not_overwritten():
    stage = await at_four(autoscaled=False)
    raced = []

    async def race():
        if not raced:
            raced.append(stage.fleet.edit(ref(WEB), {"spec": {"replicas": 5}}, manager="kubectl", subresource="scale"))

    # the first apply under the handover manager is the write of line 2: the race comes right before it
    original = stage.fleet.apply

    async def apply(cluster, at, body, how):
        if how.manager == marks.HANDOVER:
            await race()
        return await original(cluster, at, body, how)

    stage.fleet.apply = apply
    seen = watched(stage)
    await stage.deliver(TO)
    assert number(stage) == 5
    assert set(seen) <= {4, 5}


async def test_an_object_created_with_the_least_number_keeps_what_the_autoscaler_made_of_it():
    stage = await at_four(autoscaled=True)
    seen = watched(stage)
    await stage.deliver(Part("web", [deployment("web", image="example/web:2"), hpa("web", 2, 6)]))
    assert set(seen) == {4}


async def test_an_autoscaler_that_never_scaled_does_not_make_the_first_update_fall_to_one():
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web"), hpa("web", 4, 6)]))
    seen = watched(stage)
    await stage.deliver(Part("web", [deployment("web", image="example/web:2"), hpa("web", 4, 6)]))
    assert set(seen) == {4}


async def test_a_number_that_equals_the_one_left_behind_is_taken_back_too():
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web"), hpa("web", 2, 6)]))
    stage.fleet.edit(ref(WEB), {"spec": {"replicas": 4}}, manager="kube-controller-manager", subresource="scale")
    await stage.deliver(Part("web", [deployment("web", replicas=2)]))
    assert number(stage) == 2
    assert (await stage.planned(Part("web", [deployment("web", replicas=2)])))[0].counts == {"unchanged": 1}
