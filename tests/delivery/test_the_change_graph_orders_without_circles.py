"""The change graph: structure, references, explicit edges, circles, and its order (delivery.md section 5)."""

from __future__ import annotations

import pytest
import support
from fakes.stage import (
    Part,
    Stage,
    claim,
    config,
    crd,
    deployment,
    hpa,
    namespace,
    ports_facts,
    ref,
    rendered,
    secret,
    service,
    widget,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.delivery import desired, graph, policies
from appdelivery.model.change import Edge

STAGE = Stage()


def build(*parts, gone=None):
    facts = ports_facts(STAGE.fleet, "one")
    items = desired.desired(rendered(*parts), facts, STAGE.installation, policies.Policies())
    return graph.build(items, gone or {}, {part.name: part.depends_on for part in parts})


def edges(*parts):
    return {(e.waiter[1][3], e.other[1][3], e.until) for e in build(*parts)[0]}


def test_a_custom_resource_waits_until_its_definition_is_ready():
    assert ("a", "widgets.example.com", "ready") in edges(Part("w", [widget("a"), crd()]))


def test_everything_in_a_namespace_waits_for_it():
    assert edges(Part("w", [config("a"), namespace("shop")])) == {("a", "shop", "present")}


def test_quotas_come_before_what_they_limit():
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "shop"}, "spec": {}}
    assert edges(Part("w", [config("a"), quota])) == {("a", "q", "present")}


def test_pods_wait_for_the_config_they_name():
    body = deployment("web", env_from="settings")
    pod = body["spec"]["template"]["spec"]
    pod["serviceAccountName"] = "runner"
    pod["imagePullSecrets"] = [{"name": "pull"}]
    pod["containers"][0]["env"] = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "key", "key": "p"}}}]
    pod["volumes"] = [
        {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "b", "projected": {"sources": [{"configMap": {"name": "more"}}]}},
    ]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner", "namespace": "shop"}}
    others = [config("settings"), account, secret("pull"), secret("key"), claim("data"), config("more")]
    assert edges(Part("w", [body, *others])) == {("web", o["metadata"]["name"], "present") for o in others}


def test_autoscalers_wait_for_their_target_and_routes_for_their_service():
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "in", "namespace": "shop"},
        "spec": {"rules": [{"http": {"paths": [{"backend": {"service": {"name": "svc", "port": {"number": 80}}}}]}}]},
    }
    found = edges(Part("w", [deployment("web"), hpa("web"), service("svc"), ingress]))
    assert ("web", "web", "present") in found
    assert ("in", "svc", "present") in found


def test_classes_are_hard_and_config_is_soft():
    body = deployment("web", env_from="settings")
    body["spec"]["template"]["spec"]["priorityClassName"] = "high"
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1}
    found, _ = build(Part("w", [body, config("settings"), high]))
    assert {e.other[1][3]: e.hard for e in found} == {"high": True, "settings": False}


def test_a_webhook_waits_for_the_pods_behind_its_service():
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "hook"},
        "webhooks": [{"name": "a.b.c", "clientConfig": {"service": {"name": "web", "namespace": "shop"}}}],
    }
    found = edges(Part("w", [deployment("web"), service("web"), hook]))
    assert ("hook", "web", "ready") in found or ("hook", "web", "present") in found
    assert {(w, u) for w, _, u in found if w == "hook"} == {("hook", "ready"), ("hook", "present")}


def test_components_wait_as_a_whole_at_the_price_of_a_sum():
    a, b = Part("a", [config(f"a{n}") for n in range(30)]), Part("b", [config(f"b{n}") for n in range(30)], ("a",))
    found, _ = build(a, b)
    assert len(found) == 60
    assert {e.until for e in found} == {"ready"}


def test_stages_stand_around_the_workload():
    part = Part(
        "w",
        [deployment("web"), config("before"), config("after")],
        stages=("DefaultDispatch", "PreDispatch", "PostDispatch"),
    )
    assert {("web", "before", "ready"), ("after", "web", "ready")} <= edges(part)


def test_an_annotation_names_what_to_wait_for():
    body = config("web", annotations={graph.DEPENDS_ON: "apps/v1/Deployment/shop/db=ready, v1/Secret/shop/key=present"})
    assert edges(Part("w", [body, deployment("db"), secret("key")])) == {("web", "db", "ready"), ("web", "key", "present")}
    bad = config("web", annotations={graph.DEPENDS_ON: "db"})
    with pytest.raises(errors.SpecError) as refusal:
        build(Part("w", [bad]))
    assert "'db' is not understood" in refusal.value.problems[0].message


def test_a_soft_edge_gives_way_with_a_warning_and_a_hard_circle_is_printed():
    body = config("settings", annotations={graph.DEPENDS_ON: "apps/v1/Deployment/shop/web=ready"})
    found, warnings = build(Part("w", [deployment("web", env_from="settings"), body]))
    assert [(e.waiter[1][3], e.other[1][3]) for e in found] == [("settings", "web")]
    assert "Deployment shop/web does not wait for ConfigMap shop/settings" in warnings[0]
    one = config("a", annotations={graph.DEPENDS_ON: "v1/ConfigMap/shop/b=ready"})
    two = config("b", annotations={graph.DEPENDS_ON: "v1/ConfigMap/shop/a=ready"})
    with pytest.raises(errors.SpecError) as refusal:
        build(Part("w", [one, two]))
    assert "ConfigMap shop/a -> ConfigMap shop/b -> ConfigMap shop/a" in refusal.value.problems[0].message


def place(number):
    return ("one", ("", "ConfigMap", "shop", f"n{number:02d}"))


pairs = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()), max_size=40)


def acyclic(found):
    waits = {}
    for edge in found:
        waits.setdefault(edge.waiter, set()).add(edge.other)
        waits.setdefault(edge.other, set())
    while ready := [n for n, others in waits.items() if not others & waits.keys()]:
        for n in ready:
            del waits[n]
    return not waits


@settings(max_examples=support.examples(100))
@given(pairs)
def test_what_is_left_has_no_circle_and_hard_edges_stay(given_pairs):
    made = {(a, b): Edge(place(a), place(b), "present", hard) for a, b, hard in given_pairs if a != b}
    hard = [edge for edge in made.values() if edge.hard]
    try:
        kept, warnings = graph._acyclic(sorted(made.values(), key=str))
    except errors.SpecError:
        assert not acyclic(hard)
        return
    assert acyclic(kept)
    assert set(hard) <= set(kept)
    assert len(kept) + len(warnings) == len(made)


@settings(max_examples=support.examples(60))
@given(pairs, st.randoms())
def test_the_result_does_not_depend_on_the_order_of_what_is_given(given_pairs, random):
    parts = [
        Part(
            "w",
            [deployment("web", env_from="c1"), config("c1"), service("web"), hpa("web"), namespace("shop"), config("c2")],
        ),
        Part("x", [config("x1"), deployment("x", env_from="x1")], ("w",)),
    ]
    shuffled = list(parts)
    random.shuffle(shuffled)
    bodies = list(shuffled[0].bodies)
    assert sorted(map(str, build(*parts)[0])) == sorted(map(str, build(*shuffled)[0]))
    assert bodies


@settings(max_examples=support.examples(60))
@given(pairs)
def test_the_order_puts_everything_behind_what_it_waits_for(given_pairs):
    found = [Edge(place(max(a, b)), place(min(a, b)), "present") for a, b, _ in given_pairs if a != b]
    order = graph.order([place(n) for n in range(13)], found)
    assert len(order) == 13
    for edge in found:
        assert order.index(edge.other) < order.index(edge.waiter)


def test_deletes_run_backwards():
    parts = [
        Part("w", [deployment("web", env_from="c"), config("c"), hpa("web"), service("web")]),
        Part("db", [config("db")]),
    ]
    bodies = {("one", ref(body).identity): (part.name, body) for part in parts for body in part.bodies}
    upwards = {(e.waiter, e.other) for e in build(*parts)[0]}
    found, _ = graph.build([], bodies, {})
    assert {(e.other, e.waiter) for e in found} == upwards
    assert {e.until for e in found} == {"gone"}


def test_a_large_graph_is_built_in_no_time():
    import time

    parts = [
        Part(
            f"p{n}",
            [deployment(f"d{n}", env_from=f"c{n}"), config(f"c{n}"), service(f"s{n}"), hpa(f"d{n}")],
            (f"p{n - 1}",) if n else (),
        )
        for n in range(75)
    ]
    facts = ports_facts(STAGE.fleet, "one")
    items = desired.desired(rendered(*parts), facts, STAGE.installation, policies.Policies())
    started = time.process_time()
    graph.build(items, {}, {part.name: part.depends_on for part in parts})
    assert time.process_time() - started < 0.2
