"""The desired set of delivery.md section 2: what is removed, refused, marked, and what a digest says."""

from __future__ import annotations

import base64

import pytest
import support
from fakes.stage import SHOP, Part, Stage, config, crd, deployment, policy, ref, rendered, secret, service, widget
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.delivery import desired, policies
from appdelivery.model import marks
from appdelivery.model import secret as secrets
from appdelivery.model.secret import Secret, SecretRef

STAGE = Stage()


def made(*parts, given=()):
    from fakes.stage import ports_facts

    facts = ports_facts(STAGE.fleet, "one")
    return desired.desired(rendered(*parts), facts, STAGE.installation, policies.read(given))


def one(body, **options):
    (item,) = made(Part("web", [body]), **options)
    return item


def problems(*bodies):
    return [p.message for p in desired.check(rendered(Part("web", list(bodies)))).problems]


def test_what_belongs_to_the_server_is_removed():
    body = config("web")
    body["status"] = {"x": 1}
    body["metadata"] |= {"uid": "u", "resourceVersion": "1", "generation": 2, "managedFields": [], "creationTimestamp": None}
    item = one(body)
    assert set(item.body["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert "status" not in item.body


def test_string_data_is_folded_into_data_and_wrapped():
    item = one(secret("s", password="correct horse"))
    assert "stringData" not in item.body
    assert isinstance(item.body["data"]["password"], Secret)
    assert "horse" not in repr(item)
    assert secrets.opened(item.body)["data"]["password"] == base64.b64encode(b"correct horse").decode()


def test_data_that_is_given_encoded_is_wrapped_and_written_as_it_was():
    body = secret("s")
    body["data"] = {"a": base64.b64encode(b"plain").decode(), "b": base64.b64encode(b"\xff\xfe").decode()}
    item = one(body)
    assert secrets.opened(item.body)["data"] == body["data"]
    assert all(isinstance(value, Secret) for value in item.body["data"].values())


def test_data_that_is_no_base64_is_refused():
    body = secret("s")
    body["data"] = {"a": "not base64!"}
    assert "data.a is not base64" in problems(body)[0]


def test_referenced_secrets_stay_references():
    body = secret("s")
    reference = Secret(ref=SecretRef("installation", "", "db", 3))
    body["stringData"] = {"password": reference}
    item = one(body)
    assert item.body["data"]["password"].ref == reference.ref
    assert item.body["data"]["password"].encoded


def test_rules_of_an_aggregated_role_are_left_out_with_a_notice():
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "all"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
        "rules": [{"verbs": ["get"]}],
    }
    checked = desired.check(rendered(Part("web", [body])))
    assert "rules" not in checked.prepared[0].body
    assert "aggregation controller" in checked.warnings[0]


def test_lists_are_flattened():
    body = {"apiVersion": "v1", "kind": "List", "metadata": {"name": "l"}, "items": [config("a"), config("b")]}
    assert [item.subject.ref.name for item in made(Part("web", [body]))] == ["a", "b"]


def test_generated_names_are_refused():
    body = config("x")
    body["metadata"] = {"generateName": "x-", "namespace": "shop", "name": ""}
    assert "generateName" in problems(body)[0]


def test_a_key_given_twice_in_a_list_is_refused_before_the_server_does():
    body = deployment("web")
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    container["ports"] = [
        {"containerPort": 80},
        {"containerPort": 80, "protocol": "TCP"},
        {"containerPort": 80, "protocol": "UDP"},
    ]
    found = problems(body)
    assert len(found) == 2
    assert "env has name 'A' twice" in found[0]
    assert "containerPort 80, protocol 'TCP' twice" in found[1]
    assert all(message.startswith("component web") for message in found)


def test_two_ports_of_a_service_with_one_number_are_refused_and_with_two_protocols_are_not():
    body = service("web")
    body["spec"]["ports"] = [{"name": "a", "port": 80, "protocol": "TCP"}, {"name": "b", "port": 80, "protocol": "UDP"}]
    assert problems(body) == []
    body["spec"]["ports"][1]["protocol"] = "TCP"
    assert "twice" in problems(body)[0]


def test_an_object_from_two_components_is_refused_naming_both():
    with pytest.raises(errors.SpecError) as refusal:
        made(Part("a", [config("web")]), Part("b", [config("web")]))
    assert "component a and by component b" in refusal.value.problems[0].message


def test_two_objects_that_differ_only_by_an_unwritten_namespace_are_one():
    other = config("web")
    del other["metadata"]["namespace"]
    with pytest.raises(errors.SpecError):
        made(Part("a", [config("web")]), Part("b", [other]))


def test_namespaces_follow_the_clusters_discovery():
    body = config("web")
    del body["metadata"]["namespace"]
    assert one(body).subject.ref.namespace == SHOP.namespace
    scoped = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "p", "namespace": "x"},
        "value": 1,
    }
    item = one(scoped)
    assert item.subject.ref.namespace == ""
    assert "namespace" not in item.body["metadata"]


def test_scope_of_a_kind_that_the_application_brings_is_its_definitions():
    definition = crd()
    definition["spec"]["scope"] = "Cluster"
    items = made(Part("w", [definition, widget("a")]))
    assert items[1].subject.ref.namespace == ""


def test_every_object_says_whose_it_is():
    item = one(config("web"))
    metadata = item.body["metadata"]
    assert metadata["labels"][marks.INSTANCE] == STAGE.installation.label
    assert metadata["labels"][marks.NAME] == "web"
    assert marks.is_self(metadata["annotations"][marks.OWNER], item.subject.ref)
    assert marks.owner_app(metadata["annotations"][marks.OWNER]) == (STAGE.installation.label, SHOP)


def test_pod_templates_are_never_marked():
    item = one(deployment("web"))
    assert item.body["spec"]["template"] == deployment("web")["spec"]["template"]


def test_the_digest_ignores_bookkeeping_and_nothing_else():
    plain, marked, other = config("web"), config("web"), config("web", key="2")
    marked["metadata"]["labels"] = {marks.APP_REVISION: "web-v9"}
    marked["metadata"]["annotations"] = {marks.FENCE: "9.9", marks.LAST_APPLIED[0]: "{}"}
    assert one(plain).digest == one(marked).digest != one(other).digest


def test_a_changed_secret_changes_the_digest_and_does_not_show_in_it():
    first, second = one(secret("s", password="correct horse")), one(secret("s", password="battery"))
    assert first.digest != second.digest
    assert first.digest == one(secret("s", password="correct horse")).digest


def test_masked_text_is_never_applied():
    assert "masked" in problems(config("web", key="<redacted:7f3a91c0>"))[0]


def test_deep_nesting_is_refused():
    body = config("web")
    tree = body["data"]
    for _ in range(150):
        tree["x"] = {}
        tree = tree["x"]
    assert "levels deep" in problems(body)[0]


def test_what_no_api_server_takes_is_refused_with_its_size():
    with pytest.raises(errors.SpecError) as refusal:
        one(config("web", big="x" * 1_500_000))
    assert "1.5 MB" in refusal.value.problems[0].message
    assert "data" in refusal.value.problems[0].hint


def test_more_objects_than_one_application_may_have_are_refused():
    body = {"apiVersion": "v1", "kind": "List", "metadata": {"name": "l"}, "items": [config(f"c{n}") for n in range(5001)]}
    assert "5001 objects" in problems(body)[0]


def test_components_that_wait_for_each_other_are_refused_with_the_circle():
    found = desired.check(rendered(Part("a", [config("a")], ("b",)), Part("b", [config("b")], ("a",)))).problems
    assert "a -> b -> a" in found[0].message


def test_a_dependency_on_nobody_is_refused_with_a_suggestion():
    found = desired.check(rendered(Part("web", [config("a")], ("dbb",)), Part("db", [config("b")]))).problems
    assert "did you mean 'db'" in found[0].message


def test_all_problems_come_together():
    bad, worse = config("web", key="<redacted>"), secret("s")
    worse["data"] = {"a": "!"}
    assert len(problems(bad, worse)) == 2


def test_policies_choose_by_component_kind_name_and_trait():
    rules = [
        {"selector": {"componentNames": ["w*"], "resourceTypes": ["ConfigMap"]}, "strategy": "never"},
        {"selector": {"traitTypes": ["gateway"]}, "strategy": "onAppDelete"},
    ]
    items = made(
        Part("web", [deployment("web"), config("a"), service("s")], trait="gateway"),
        Part("other", [config("b")]),
        given=[policy("garbage-collect", rules=rules)],
    )
    assert {item.subject.ref.name: item.gc for item in items} == {
        "web": "onAppUpdate",
        "a": "never",
        "s": "onAppDelete",
        "b": "onAppUpdate",
    }


@settings(max_examples=support.examples(40))
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.text(max_size=5), max_size=4), st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_keys(data, random):
    body, shuffled = config("web"), config("web")
    keys = list(data)
    random.shuffle(keys)
    body["data"], shuffled["data"] = data, {key: data[key] for key in keys}
    assert one(body).digest == one(shuffled).digest


def test_reading_an_object_needs_no_reference():
    assert ref(config("web")).identity == ("", "ConfigMap", "shop", "web")
