"""apply-once, shared-resource, resource-update, labels and garbage-collect: what their rules do to objects (oam.md 4.2)."""

from __future__ import annotations

import copy

import pytest
from fakes.stage import Part, Stage, claim, config, deployment, hpa, job, policy, ref

from appdelivery import errors
from appdelivery.delivery import consent as consents
from appdelivery.delivery import diff, paths, plan, policies, sharing
from appdelivery.model import marks
from appdelivery.model.refs import AppKey

WEB = {"componentNames": ["web"]}
OTHERS = Part("others", [config(f"other-{number}") for number in range(4)])


def rule(policy_type, selector=None, **fields):
    return [policy(policy_type, rules=[{"selector": selector or WEB, **fields}])]


def changes(made):
    return {change.subject.ref.name: (change.action, change.why.code) for change in made.changes}


async def planned(stage, *parts, **options):
    made, _, _ = await stage.planned(*parts, **options)
    return changes(made)


# --- apply-once ------------------------------------------------------------------------------------------------------
def once(affect="onUpdate", path="spec.replicas"):
    return rule("apply-once", strategy={"affect": affect, "path": [path]})


@pytest.mark.parametrize(("affect", "replicas"), [("onUpdate", 5), ("always", 5), ("", 5), ("onStateKeep", 2)])
async def test_a_field_sent_once_keeps_what_others_made_of_it(affect, replicas):
    """KubeVela's apply-once scenario: created with 2, scaled to 5 by hand, then another image."""
    stage, given = Stage(), once(affect)
    await stage.deliver(Part("web", [deployment("web", replicas=2)]), given=given)
    stage.fleet.edit(ref(deployment("web")), {"spec": {"replicas": 5}})
    ended = await stage.deliver(Part("web", [deployment("web", replicas=2, image="example/web:2")]), given=given)
    assert ended.outcome == "succeeded"
    live = stage.live(deployment("web"))
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "example/web:2"
    assert live["spec"]["replicas"] == replicas


async def test_a_field_sent_once_is_never_given_up():
    """Leaving it out of an apply would make the server take it away."""
    stage, given = Stage(), once(path="data.key")
    await stage.deliver(Part("web", [config("web", key="first", more="1")]), given=given)
    await stage.deliver(Part("web", [config("web", key="second", more="2")]), given=given)
    assert stage.live(config("web"))["data"] == {"key": "first", "more": "2"}


async def test_another_value_of_a_field_sent_once_is_no_change():
    stage, given = Stage(), once(path="data.key")
    await stage.deliver(Part("web", [config("web", key="first")]), given=given)
    assert await planned(stage, Part("web", [config("web", key="second")]), given=given) == {
        "web": ("unchanged", "digest-equal")
    }


async def test_an_object_sent_once_is_left_as_it_is():
    stage, given = Stage(), once(path="*")
    await stage.deliver(Part("web", [config("web", key="first")]), given=given)
    stage.fleet.edit(ref(config("web")), {"data": {"key": "by hand"}})
    ended = await stage.deliver(Part("web", [config("web", key="second", more="2")]), given=given)
    assert (ended.outcome, ended.counts) == ("succeeded", {"skip": 1})
    assert stage.live(config("web"))["data"] == {"key": "by hand"}
    assert await planned(stage, Part("web", [config("web")]), given=given) == {"web": ("skip", "ignored-path")}


async def test_an_object_sent_once_that_is_gone_is_created_again_by_a_release():
    stage, given = Stage(), once(path="*")
    await stage.deliver(Part("web", [config("web", key="first")]), given=given)
    stage.fleet.world().objects.pop(ref(config("web")).identity)
    assert await planned(stage, Part("web", [config("web")]), given=given) == {"web": ("create", "missing")}


async def test_apply_once_without_rules_means_the_whole_application():
    stage, given = Stage(), [policy("apply-once", enable=True)]
    await stage.deliver(Part("web", [config("web", key="first")]), given=given)
    assert await planned(stage, Part("web", [config("web", key="second")]), given=given) == {"web": ("skip", "ignored-path")}
    assert await planned(stage, Part("web", [config("web", key="x")]), given=[policy("apply-once", enable=False)]) == {
        "web": ("update", "desired-changed")
    }


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("spec.replicas", [("spec", "replicas")]),
        (
            "spec.template.spec.containers[0].image",
            [("spec", "template", "spec", "containers", (("name", "web"),), "image")],
        ),
        (
            "/spec/template/spec/containers/*/image",
            [("spec", "template", "spec", "containers", (("name", "web"),), "image")],
        ),
        ("spec.nothing", []),
        ("/**/image", [("spec", "template", "spec", "containers", (("name", "web"),), "image")]),
    ],
)
def test_paths_of_fields_are_found_in_every_spelling(written, found):
    assert paths.find(deployment("web", replicas=1), paths.written(written)) == found


def test_a_field_of_a_list_entry_is_taken_from_the_entry_of_that_name():
    ours = {"items": [{"name": "a", "value": 1}, {"name": "b", "value": 2}]}
    live = {"items": [{"name": "b", "value": 20}, {"name": "a", "value": 10}]}
    assert paths.as_live(ours, live, ["/items/[name=b]/value"]) == {
        "items": [{"name": "a", "value": 1}, {"name": "b", "value": 20}]
    }
    assert paths.as_live(ours, {"items": []}, ["/items/0/value"])["items"][0] == {"name": "a"}
    assert ours["items"][0] == {"name": "a", "value": 1}


# --- resource-update -------------------------------------------------------------------------------------------------
async def test_op_replace_removes_what_is_not_rendered():
    stage, given = Stage(), rule("resource-update", strategy={"op": "replace"})
    await stage.deliver(Part("web", [config("web", key="1")]), given=given)
    stage.fleet.edit(ref(config("web")), {"data": {"foreign": "x"}})
    await stage.deliver(Part("web", [config("web", key="2")]), given=given)
    assert stage.live(config("web"))["data"] == {"key": "2"}
    assert await planned(stage, Part("web", [config("web", key="2")]), given=given) == {"web": ("unchanged", "digest-equal")}


async def test_op_patch_leaves_what_is_not_rendered():
    stage, given = Stage(), rule("resource-update", strategy={"op": "patch"})
    await stage.deliver(Part("web", [config("web", key="1")]), given=given)
    stage.fleet.edit(ref(config("web")), {"data": {"foreign": "x"}})
    await stage.deliver(Part("web", [config("web", key="2")]), given=given)
    assert stage.live(config("web"))["data"] == {"key": "2", "foreign": "x"}


async def test_a_change_of_a_recreate_field_makes_a_new_object():
    stage, given = Stage(), rule("resource-update", strategy={"recreateFields": ["data.key"]})
    await stage.deliver(Part("web", [config("web", key="1", more="1")]), given=given)
    uid = stage.live(config("web"))["metadata"]["uid"]
    assert await planned(stage, Part("web", [config("web", key="1", more="2")]), given=given) == {
        "web": ("update", "desired-changed")
    }
    made, _, _ = await stage.planned(Part("web", [config("web", key="2", more="1")]), given=given)
    assert changes(made) == {"web": ("replace", "recreate-field")}
    assert made.changes[0].why.text == "data.key changes (is 1, wanted 2)"
    ended = await stage.deliver(Part("web", [config("web", key="2", more="1")]), given=given)
    assert ended.counts == {"replace": 1}
    live = stage.live(config("web"))
    assert (live["data"]["key"], live["metadata"]["uid"] == uid) == ("2", False)


async def test_a_recreate_field_allows_what_cannot_change():
    stage = Stage()
    old, new = deployment("web"), deployment("web")
    new["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    await stage.deliver(Part("web", [old]))
    refused, _, _ = await stage.planned(Part("web", [new]))
    if refused.changes[0].action == "skip":
        assert "resource-update" in refused.changes[0].why.detail["hint"]
    given = rule("resource-update", strategy={"recreateFields": ["spec.selector"]})
    assert await planned(stage, Part("web", [new]), given=given) == {"web": ("replace", "recreate-field")}


async def test_what_holds_data_is_recreated_only_by_name():
    given = rule("resource-update", strategy={"recreateFields": ["spec.accessModes"]})
    stage, old, new = Stage(), claim("files"), claim("files")
    new["spec"]["accessModes"] = ["ReadWriteMany"]
    await stage.deliver(Part("web", [old]), given=given, wait="applied")
    made, _, _ = await stage.planned(Part("web", [new]), given=given)
    assert changes(made) == {"files": ("skip", "needs-consent")}
    assert plan.blocked(made) is not None
    consent = consents.Consent(deletes=frozenset({"PersistentVolumeClaim/files"}))
    assert await planned(stage, Part("web", [new]), given=given, consent=consent) == {"files": ("replace", "recreate-field")}


# --- labels ----------------------------------------------------------------------------------------------------------
async def test_labels_and_annotations_are_added_to_selected_objects():
    stage = Stage()
    given = [
        policy("labels", labels={"team": "shop"}),
        policy("labels", labels={"team": "web"}, annotations={"note": "x"}, selector={"resourceTypes": ["Deployment"]}),
    ]
    await stage.deliver(Part("web", [deployment("web"), config("settings")]), given=given)
    web, settings = (stage.live(body)["metadata"] for body in (deployment("web"), config("settings")))
    assert (web["labels"]["team"], web["annotations"]["note"]) == ("web", "x")
    assert (settings["labels"]["team"], "note" in settings["annotations"]) == ("shop", False)
    assert "team" not in stage.live(deployment("web"))["spec"]["template"]["metadata"]["labels"]


async def test_labels_that_go_from_the_policy_go_from_the_objects():
    stage = Stage()
    await stage.deliver(Part("web", [config("web")]), given=[policy("labels", labels={"team": "shop"})])
    await stage.deliver(Part("web", [config("web")]))
    assert "team" not in stage.live(config("web"))["metadata"]["labels"]


async def test_an_annotation_of_the_policy_keeps_an_object():
    stage = Stage()
    given = [policy("labels", annotations={"appdelivery.dev/prune": "false"}, selector=WEB)]
    await stage.deliver(Part("web", [config("web")]), OTHERS, given=given)
    assert await planned(stage, OTHERS) == {"web": ("skip", "gc-never")} | {
        f"other-{n}": ("unchanged", "digest-equal") for n in range(4)
    }


# --- garbage-collect -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"selector": {"componentNames": ["web"]}, "strategy": "never"}], ("skip", "gc-never")),
        ([{"selector": {"componentNames": ["web"]}, "strategy": "onAppDelete"}], ("skip", "gc-on-app-delete")),
        ([{"selector": {"componentNames": ["web"]}, "strategy": "onAppUpdate"}], ("delete", "not-desired")),
        (
            [{"selector": {"resourceTypes": ["ConfigMap"], "resourceNames": ["we*"]}, "strategy": "never"}],
            ("skip", "gc-never"),
        ),
        ([{"selector": {"resourceTypes": ["Secret"]}, "strategy": "never"}], ("delete", "not-desired")),
        (
            [
                {"selector": {"componentNames": ["web"]}, "strategy": "onAppDelete"},
                {"selector": {"componentNames": ["web"]}, "strategy": "never"},
            ],
            ("skip", "gc-on-app-delete"),
        ),
    ],
)
@pytest.mark.parametrize("when", ["before", "with the removal"])
async def test_garbage_collect_rules_decide_about_what_is_wanted_no_more(rules, expected, when):
    """Also a rule that comes together with the removal; the first that matches wins."""
    stage, given = Stage(), [policy("garbage-collect", rules=rules)]
    await stage.deliver(Part("web", [config("web")]), OTHERS, given=given if when == "before" else ())
    found = await planned(stage, OTHERS, given=given if when != "before" else ())
    assert found["web"] == expected


async def test_an_orphaned_object_leaves_what_belongs_to_it():
    stage = Stage()
    given = [policy("garbage-collect", rules=[{"selector": WEB, "propagation": "orphan"}])]
    await stage.deliver(Part("web", [deployment("web")]), OTHERS)
    seen = []
    original = stage.fleet.delete

    async def delete(cluster, ref_, how):
        seen.append(how.propagation)
        return await original(cluster, ref_, how)

    stage.fleet.delete = delete
    await stage.deliver(OTHERS, given=given)
    assert seen == ["Orphan"]


# --- RuleSelector: KubeVela, apis/core.oam.dev/v1alpha1/garbagecollect_policy_types_test.go ---------------------------
async def first_rule(rules, *, labels=None, **options):
    stage = Stage()
    body = config("web")
    body["metadata"]["labels"] = labels or {}
    read = policies.read([policy("garbage-collect", rules=rules)])
    part = Part("comp-name", [config("first"), body], trait="a", type="comp", **options)
    items = await stage.desired([part], read)
    found = read.collects(items[1])
    return found.strategy if found else None


def of(strategy, **selector):
    return {"selector": selector, "strategy": strategy}


@pytest.mark.parametrize(
    ("case", "rules", "expected"),
    [
        ("trait type rule match", [of("never", traitTypes=["a"])], "never"),
        ("trait type rule mismatch", [of("never", traitTypes=["b"])], None),
        (
            "trait type rule multiple match",
            [of("onAppDelete", traitTypes=["a"]), of("never", traitTypes=["a"])],
            "onAppDelete",
        ),
        ("component type rule match", [of("never", componentTypes=["comp"])], "never"),
        (
            "rule match both component type and trait type, component type first",
            [of("never", componentTypes=["comp"]), of("onAppDelete", traitTypes=["a"])],
            "never",
        ),
        ("component name rule match", [of("never", componentNames=["comp-name"])], "never"),
        ("resource type rule match", [of("never", oamTypes=["TRAIT"])], "never"),
        ("given lists are joined", [of("never", componentNames=["comp-name"], traitTypes=["b"])], None),
        (
            "a star is anchored",
            [of("never", componentNames=["name*"]), of("onAppDelete", resourceNames=["w*b"])],
            "onAppDelete",
        ),
        ("a copy is meant by its component", [of("never", componentNames=["comp-name"])], "never"),
    ],
)
async def test_the_first_matching_rule_wins(case, rules, expected):
    assert await first_rule(rules, labels={marks.RESOURCE_TYPE: "TRAIT"}) == expected, case


async def test_rules_mean_the_copies_of_a_component_too():
    read = policies.read([policy("garbage-collect", rules=[of("never", componentNames=["web"])])])
    (item,) = await Stage().desired([Part("web@eu", [config("web-eu")])], read)
    assert item.gc == "never"
    assert item.body["metadata"]["labels"][marks.COMPONENT] == "web"


# --- shared-resource -------------------------------------------------------------------------------------------------
SHARE = rule("shared-resource", {"resourceNames": ["common"]})


def beside(stage, name):
    other = copy.copy(stage)
    other.app = AppKey("shop", name)
    return other


def owner(stage):
    return marks.owner_app(stage.live(config("common"))["metadata"]["annotations"][marks.OWNER])[1].name


def common(**data):
    return Part("web", [config("common", **data)])


async def test_the_first_application_writes_and_the_others_are_noted():
    first = Stage()
    second = beside(first, "api")
    await first.deliver(common(from_="web"), OTHERS, given=SHARE)
    made, _, _ = await second.planned(common(from_="api"), given=SHARE)
    assert changes(made) == {"common": ("update", "shared-not-owner")}
    assert made.changes[0].why.text == "application shop/web writes it; it is shared, which is noted on it"
    ended = await second.deliver(common(from_="api"), given=SHARE)
    assert ended.outcome == "succeeded"
    assert first.live(config("common"))["data"] == {"from_": "web"}
    assert sharing.sharers(first.live(config("common"))) == [AppKey("shop", "api")]
    assert await planned(second, common(from_="api"), given=SHARE) == {"common": ("skip", "shared-not-owner")}
    assert (await second.deliver(common(from_="api"), given=SHARE)).outcome == "succeeded"
    assert (await planned(first, common(from_="web"), OTHERS, given=SHARE))["common"] == ("unchanged", "digest-equal")
    assert {row.mode for row in first.rows.values() if row.ref.name == "common"} == {"shared-writer"}
    assert [row.mode for row in second.rows.values()] == ["shared-observer"]


async def test_without_the_policy_an_object_of_another_application_is_refused():
    first = Stage()
    await first.deliver(common(), given=SHARE)
    with pytest.raises(errors.Refused) as refusal:
        await beside(first, "api").deliver(common())
    assert "shared-resource" in refusal.value.hint


@pytest.mark.parametrize("way", ["the object leaves", "the application leaves"])
async def test_the_next_sharer_writes_when_the_writer_leaves(way):
    first = Stage()
    second = beside(first, "api")
    await first.deliver(common(from_="web", more="1"), OTHERS, given=SHARE)
    await second.deliver(common(from_="api"), given=SHARE)
    uid = first.live(config("common"))["metadata"]["uid"]
    if way == "the object leaves":
        made, _, _ = await first.planned(OTHERS, given=SHARE)
        assert [(c.action, c.why.text) for c in made.changes if c.subject.ref.name == "common"] == [
            ("skip", "it is handed over to application shop/api, which shares it")
        ]
        await first.deliver(OTHERS, given=SHARE)
    else:
        await first.delete(given=SHARE)
    assert "common" not in {row.ref.name for row in first.rows.values()}
    assert first.live(config("common"))["metadata"]["uid"] == uid
    assert owner(first) == "api"
    ended = await second.deliver(common(from_="api"), given=SHARE)
    assert ended.counts == {"update": 1}
    live = first.live(config("common"))
    assert live["metadata"]["uid"] == uid
    assert live["data"] == {"from_": "api", "more": "1"}  # as with every adoption, what we do not render stays
    assert [row.mode for row in second.rows.values()] == ["shared-writer"]
    assert sharing.sharers(live) == []
    assert await planned(second, common(from_="api"), given=SHARE) == {"common": ("unchanged", "digest-equal")}
    await second.delete(given=SHARE)
    assert first.live(config("common")) is None


async def test_who_only_shared_leaves_without_a_trace():
    first = Stage()
    second = beside(first, "api")
    await first.deliver(common(), given=SHARE)
    await second.deliver(common(), Part("own", [config("own")]), given=SHARE)
    await second.deliver(Part("own", [config("own")]), given=SHARE)
    assert sharing.sharers(first.live(config("common"))) == []
    assert [row.ref.name for row in second.rows.values()] == ["own"]
    assert owner(first) == "web"


async def test_of_several_sharers_nobody_overwrites_anothers_note():
    first = Stage()
    for name in ("api", "cart", "mail"):
        await first.deliver(common(), given=SHARE) if name == "api" else None
        await beside(first, name).deliver(common(), given=SHARE)
    assert [app.name for app in sharing.sharers(first.live(config("common")))] == ["api", "cart", "mail"]


async def test_a_job_is_not_shared_by_name_alone():
    """Only what the rule selects is shared."""
    first = Stage()
    await first.deliver(Part("web", [job("common")]), given=SHARE, wait="applied")
    given = rule("shared-resource", {"resourceNames": ["other"]})
    with pytest.raises(errors.Refused):
        await beside(first, "api").deliver(Part("web", [job("common")]), given=given)


# --- what a diff shows -----------------------------------------------------------------------------------------------
async def hunks(stage, *parts, **options):
    made, wanted, known = await stage.planned(*parts, **options)
    rows = stage.journal.inventory(stage.app)
    found = await diff.live(stage.fleet, made, wanted, key=stage.installation.digest_key, inventory=rows, known=known)
    return [([operation["path"] for operation in hunk["operations"]], hunk["notes"]) for hunk in found]


async def test_a_diff_shows_no_change_of_a_field_that_is_sent_once():
    stage, given = Stage(), once(path="data.key")
    await stage.deliver(Part("web", [config("web", key="first", more="1")]), given=given)
    assert await hunks(stage, Part("web", [config("web", key="second", more="2")]), given=given) == [(["/data/more"], [])]


async def test_a_diff_shows_what_a_replacement_removes():
    stage, given = Stage(), rule("resource-update", strategy={"op": "replace"})
    await stage.deliver(Part("web", [config("web", key="1")]), given=given)
    stage.fleet.edit(ref(config("web")), {"data": {"foreign": "x"}})
    ((found, _),) = await hunks(stage, Part("web", [config("web", key="2")]), given=given)
    assert sorted(found) == ["/data/foreign", "/data/key"]


async def test_a_diff_of_a_shared_object_says_that_only_a_note_is_written():
    first = Stage()
    await first.deliver(common(from_="web"), given=SHARE)
    found = await hunks(beside(first, "api"), common(from_="api"), given=SHARE)
    assert found == [([], ["application shop/web writes it; it is shared, which is noted on it"])]


# --- garbage-collect after a failure ---------------------------------------------------------------------------------
@pytest.mark.parametrize("goes_on", [False, True])
async def test_continue_on_failure_deletes_although_something_failed(goes_on):
    stage, given = Stage(), [policy("garbage-collect", continueOnFailure=goes_on)]
    await stage.deliver(Part("web", [config("web")]), OTHERS)
    stage.fleet.fault(lambda: errors.Rejected("no", fields=[("data", "bad")]), verb="apply", name="shop/new", times=-1)
    ended = await stage.deliver(OTHERS, Part("new", [config("new")]), given=given)
    assert ended.outcome == "failed"
    assert (stage.live(config("web")) is None) == goes_on


async def test_replicas_of_an_autoscaler_survive_a_replacement():
    stage, given = Stage(), rule("resource-update", strategy={"op": "replace"})
    part = [deployment("web", replicas=2), hpa("web")]
    await stage.deliver(Part("web", part), given=given)
    stage.fleet.world().edit(ref(part[0]), {"spec": {"replicas": 5}}, manager="kube-controller-manager", subresource="scale")
    await stage.deliver(Part("web", [deployment("web", replicas=2, image="example/web:2"), hpa("web")]), given=given)
    live = stage.live(deployment("web"))
    assert (live["spec"]["replicas"], live["spec"]["template"]["spec"]["containers"][0]["image"]) == (5, "example/web:2")
