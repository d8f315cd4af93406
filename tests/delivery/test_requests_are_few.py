"""Request counts are the gate (delivery.md section 16): what is unchanged costs one list per kind and no write."""

from __future__ import annotations

from fakes.stage import Part, Stage, config, deployment, ref, secret, service

BIG = [Part(f"c{n}", [config(f"c{n}-{i}") for i in range(10)] + [service(f"c{n}")]) for n in range(5)]


def counts(stage):
    found = {}
    for request in stage.fleet.requests:
        if request.verb != "facts":
            found[request.verb] = found.get(request.verb, 0) + 1
    return found


async def test_an_install_costs_one_write_an_object_and_one_list_a_kind():
    stage = Stage()
    await stage.deliver(*BIG)
    assert counts(stage) == {"list": 2, "get": 1, "apply": 55}  # the GET: does the namespace exist


async def test_a_second_run_writes_nothing_and_lists_each_kind_once():
    stage = Stage()
    await stage.deliver(*BIG)
    stage.fleet.requests.clear()
    ended = await stage.deliver(*BIG)
    assert ended.outcome == "succeeded"
    assert counts(stage) == {"list": 2}


async def test_one_changed_object_is_one_write():
    stage = Stage()
    await stage.deliver(*BIG)
    stage.fleet.requests.clear()
    changed = [Part("c0", [config("c0-0", key="new"), *BIG[0].bodies[1:]]), *BIG[1:]]
    await stage.deliver(*changed)
    assert counts(stage) == {"list": 2, "apply": 1}


async def test_a_new_revision_alone_writes_nothing():
    stage = Stage()
    await stage.deliver(Part("web", [config("web")]))
    stage.fleet.requests.clear()
    await stage.deliver(Part("web", [config("web")], type="another"))
    assert stage.fleet.writes == []


async def test_removal_is_one_delete_an_object_and_one_list_a_kind():
    stage = Stage()
    await stage.deliver(*BIG)
    stage.fleet.requests.clear()
    ended = await stage.delete(*BIG)
    assert ended.outcome == "succeeded"
    assert counts(stage) == {"list": 2, "delete": 55}
    assert stage.owned() == set()
    assert not stage.rows


async def test_a_small_application_is_within_its_budget():
    stage = Stage()
    small = Part("web", [deployment("web"), service("web"), secret("web", password="correct horse")])
    await stage.deliver(small)
    found = counts(stage)
    assert (
        found.get("get", 0) + found.get("list", 0) <= 3 + 1
    )  # the one: a missing namespace is said before anything is sent
    assert found["apply"] == 3
    assert found["watch"] == 1  # a list and a stream


async def test_objects_that_need_no_watch_get_none():
    stage = Stage()
    await stage.deliver(Part("web", [config("web"), service("web")]))
    assert not stage.fleet.log("watch")


async def test_a_workload_of_the_same_kind_is_watched_once():
    stage = Stage()
    await stage.deliver(*[Part(f"w{n}", [deployment(f"w{n}")], depends_on=(f"w{n - 1}",) if n else ()) for n in range(4)])
    assert len(stage.fleet.log("watch")) == 1


async def test_the_second_run_reads_nothing_one_by_one():
    stage = Stage()
    await stage.deliver(*BIG)
    stage.fleet.requests.clear()
    await stage.deliver(*BIG)
    assert not stage.fleet.log("get")
    assert stage.live(ref_body := config("c0-0")) is not None
    assert ref(ref_body).name == "c0-0"
