"""diff and drift: hunks from dry runs, ownership told from values, order from content, and no secret in any output."""

from __future__ import annotations

import base64

from fakes.stage import Part, Stage, config, deployment, hpa, policy, ref, secret

from appdelivery import errors
from appdelivery.delivery import compare, diff, drift, policies
from appdelivery.model.record import changed

WEB = Part("web", [config("web")])


async def hunks(stage, *parts, **options):
    made, wanted, known = await stage.planned(*parts, **options)
    rows = stage.journal.inventory(stage.app)
    return await diff.live(stage.fleet, made, wanted, key=stage.installation.digest_key, inventory=rows, known=known)


async def drifted(stage, *parts, given=()):
    _, wanted, known = await stage.planned(*parts)
    rows = stage.journal.inventory(stage.app)
    return await drift.observe(
        stage.fleet, rows, wanted, known=known, given=policies.read(given), key=stage.installation.digest_key
    )


async def test_a_changed_value_is_one_operation_with_old_and_new():
    stage = Stage()
    await stage.deliver(WEB)
    (hunk,) = await hunks(stage, Part("web", [config("web", key="new")]))
    assert hunk["operations"] == [{"op": "replace", "path": "/data/key", "old": "value", "new": "new"}]
    assert hunk["code"] == "desired-changed"


async def test_nothing_is_written_by_a_diff():
    stage = Stage()
    await stage.deliver(WEB, Part("old", [config("old")]))
    before = stage.fleet.world().version
    found = await hunks(stage, Part("web", [config("web", key="new"), config("more")]))
    assert [(h["action"], h["object"]) for h in found] == [
        ("update", "ConfigMap shop/web"),
        ("create", "ConfigMap shop/more"),
        ("delete", "ConfigMap shop/old"),
    ]
    assert stage.fleet.world().version == before


async def test_unchanged_objects_are_not_asked_about():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.requests.clear()
    assert await hunks(stage, WEB) == []
    assert {r.verb for r in stage.fleet.requests} <= {"facts", "list"}


async def test_secret_values_never_show_and_a_change_shows_as_a_change():
    stage = Stage()
    leaky = deployment("web")
    leaky["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "URL", "value": "db://u:correct horse@db"}]
    await stage.deliver(Part("web", [secret("s", password="correct horse"), leaky]))
    other = deployment("web", image="example/web:2")
    other["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "URL", "value": "db://u:battery staple@db"}]
    found = await hunks(stage, Part("web", [secret("s", password="battery staple"), other]))
    text = str(found)
    for value in (
        "battery staple",
        "correct horse",
        base64.b64encode(b"correct horse").decode(),
        base64.b64encode(b"battery staple").decode(),
    ):
        assert value not in text
    (operation,) = found[0]["operations"]
    assert operation["path"] == "/data/password"
    assert operation["old"] != operation["new"]
    assert operation["new"].startswith("<redacted:")


async def test_fields_left_to_others_are_named_and_not_shown_as_differences():
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web", replicas=3)]))
    stage.fleet.edit(ref(deployment("web")), {"spec": {"replicas": 7}}, manager="kubectl", subresource="scale")
    (hunk,) = await hunks(stage, Part("web", [deployment("web", replicas=3, image="example/web:2")]))
    assert [operation["path"] for operation in hunk["operations"]] == ["/spec/template/spec/containers/0/image"]
    assert ".spec.replicas is left to kubectl" in hunk["notes"]


async def test_a_field_that_would_be_taken_is_named_with_its_owner():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.edit(ref(config("web")), {"data": {"key": "theirs"}})
    (hunk,) = await hunks(stage, Part("web", [config("web", key="new")]))
    assert ".data.key is taken from kubectl-edit" in hunk["notes"]


async def test_what_the_server_would_refuse_is_said():
    stage = Stage()
    stage.fleet.fault(lambda: errors.Rejected("the field is wrong"), verb="apply", times=-1)
    (hunk,) = await hunks(stage, WEB)
    assert "the server would refuse it: the field is wrong" in hunk["notes"]


async def test_objects_of_a_namespace_that_comes_with_the_plan_are_marked():
    from fakes.stage import namespace

    stage = Stage(namespaces=("default",))
    found = await hunks(stage, Part("web", [namespace("shop"), config("web")]))
    assert "not tried on the server" in found[1]["notes"][0]


def test_entries_of_keyed_lists_are_matched_by_their_key():
    before, after = deployment("web"), deployment("web")
    after["spec"]["template"]["spec"]["containers"].insert(0, {"name": "side", "image": "s:1"})
    found = compare.operations(before, after)
    assert [(op["op"], op["path"]) for op in found] == [("add", "/spec/template/spec/containers/0")]


def test_another_order_alone_is_a_move():
    before, after = deployment("web"), deployment("web")
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    before["spec"]["template"]["spec"]["containers"][0]["env"] = env
    after["spec"]["template"]["spec"]["containers"][0]["env"] = env[::-1]
    found = compare.changes(ref(before).of, before, after)
    assert compare.only_order(found)


def test_two_revisions_are_compared_without_a_cluster():
    found = diff.between({"a": config("a"), "b": config("b")}, {"a": config("a", key="2"), "c": config("c")})
    assert [(h["object"], h["action"]) for h in found] == [("a", "update"), ("c", "create"), ("b", "delete")]


def test_pointers_are_escaped():
    found = compare.operations(config("a", **{"x/y~z": "1"}), config("a", **{"x/y~z": "2"}))
    assert found[0]["path"] == "/data/x~1y~0z"


# --- drift ----------------------------------------------------------------------------------------------------------
async def test_without_a_foreign_write_there_is_no_drift_and_no_request():
    stage = Stage()
    parts = [Part("web", [deployment("web"), hpa("web"), config("c")])]
    await stage.deliver(*parts)
    stage.fleet.requests.clear()
    assert await drifted(stage, *parts) == []
    assert {r.verb for r in stage.fleet.requests} <= {"facts", "list"}


async def test_a_changed_value_is_drift_with_the_difference_and_the_manager():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.edit(ref(config("web")), {"data": {"key": "theirs"}})
    (found,) = await drifted(stage, WEB)
    assert (found.kind, found.managers, found.mode) == ("changed", ("kubectl-edit",), "observe")
    assert found.operations == ({"op": "replace", "path": "/data/key", "old": "theirs", "new": "value"},)
    assert stage.live(config("web"))["data"] == {"key": "theirs"}


async def test_owned_zero_values_that_vanish_are_drift():
    stage = Stage()
    body = deployment("web")
    body["spec"]["minReadySeconds"] = 0
    body["spec"]["template"]["spec"]["hostNetwork"] = False
    part = Part("web", [body])
    await stage.deliver(part)
    stage.fleet.edit(ref(body), {"spec": {"template": {"spec": {"hostNetwork": True}}}})
    (found,) = await drifted(stage, part)
    assert found.kind == "changed"


async def test_changed_and_changed_back_is_ownership_only():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.edit(ref(config("web")), {"data": {"key": "theirs"}})
    stage.fleet.edit(ref(config("web")), {"data": {"key": "value"}})
    (found,) = await drifted(stage, WEB)
    assert found.kind == "ownership"


async def test_a_changed_secret_is_drift_without_its_value():
    stage = Stage()
    part = Part("web", [secret("s", password="correct horse")])
    await stage.deliver(part)
    stage.fleet.edit(ref(part.bodies[0]), {"data": {"password": base64.b64encode(b"theirs, secretly").decode()}})
    (found,) = await drifted(stage, part)
    assert found.kind == "changed"
    assert "correct" not in str(found)
    assert "secretly" not in str(found)


async def test_another_order_is_told_from_another_value():
    stage = Stage()
    body = deployment("web")
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    body["spec"]["template"]["spec"]["containers"][0]["env"] = env
    part = Part("web", [body])
    await stage.deliver(part)
    container = {"name": "web", "image": "example/web:1", "env": env[::-1]}
    stage.fleet.edit(ref(body), {"spec": {"template": {"spec": {"containers": [container]}}}})
    (found,) = await drifted(stage, part)
    assert found.kind == "order"


async def test_a_wiped_entry_is_ownership():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.world().wipe(ref(config("web")))
    (found,) = await drifted(stage, WEB)
    assert found.kind == "ownership"


async def test_a_deleted_object_is_missing():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.world()._remove(ref(config("web")).identity, stage.live(config("web"))["metadata"]["uid"], "Background")
    (found,) = await drifted(stage, WEB)
    assert found.kind == "missing"


async def test_a_yielded_field_is_no_drift():
    stage = Stage()
    part = Part("web", [deployment("web"), hpa("web")])
    await stage.deliver(part)
    stage.fleet.edit(ref(part.bodies[0]), {"spec": {"replicas": 5}}, manager="kube-controller-manager", subresource="scale")
    found = await drifted(stage, part)
    assert [one.kind for one in found] in ([], ["ownership"])
    assert not any(one.kind == "changed" for one in found)


async def test_what_the_policy_turns_off_is_not_reported():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.edit(ref(config("web")), {"data": {"key": "theirs"}})
    rules = [{"selector": {"resourceTypes": ["ConfigMap"]}, "paths": ["/data/key"], "mode": "off"}]
    assert await drifted(stage, WEB, given=[policy("drift", mode="observe", rules=rules)]) == []
    rules = [{"selector": {"resourceTypes": ["ConfigMap"]}, "paths": ["/data/other"], "mode": "off"}]
    assert len(await drifted(stage, WEB, given=[policy("drift", mode="observe", rules=rules)])) == 1


async def test_no_verdict_while_our_own_write_is_under_way():
    stage = Stage()
    await stage.deliver(WEB)
    (row,) = stage.rows.values()
    _, _, known = await stage.planned(WEB)
    fact = changed(known.facts[row.identity], own_digest="another", version=row.resource_version + 1)
    assert drift.candidate(row, fact, 1) == "changed"
    assert drift.candidate(row, changed(fact, fence=f"{row.release}.{row.fence + 1}"), 1) == ""
    assert drift.candidate(changed(row, state="intended"), fact, 1) == ""
    assert drift.candidate(row, changed(fact, version=row.resource_version - 1), 1) == ""
    assert drift.candidate(row, fact, 2) == ""  # rows of another form of the digest are made anew, never drift


async def test_a_moved_schema_at_the_same_version_is_no_drift():
    stage = Stage()
    await stage.deliver(WEB)
    (row,) = stage.rows.values()
    _, _, known = await stage.planned(WEB)
    fact = changed(known.facts[row.identity], own_digest="another")
    assert drift.candidate(row, fact, 1) == ""


async def test_fresh_rows_say_what_is_missing_unhealthy_or_drifted():
    stage = Stage()
    parts = Part("web", [config("a"), config("b"), deployment("web")])
    await stage.deliver(parts)
    stage.fleet.edit(ref(config("a")), {"data": {"key": "theirs"}})
    stage.fleet.world()._remove(ref(config("b")).identity, stage.live(config("b"))["metadata"]["uid"], "Background")
    stage.fleet.settle(ref(deployment("web")), {"observedGeneration": 1})
    rows = await drift.rows(
        stage.fleet, stage.installation, stage.app, stage.journal.inventory(stage.app), clock=stage.clock.now
    )
    found = {row.ref.name: (row.health, row.health_reason) for row in rows}
    assert found["a"] == ("healthy", "Drifted (by kubectl-edit)")
    assert found["b"] == ("missing", "Missing")
    assert found["web"][0] == "progressing"
