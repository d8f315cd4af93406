"""Policies are checked in full, whether this version carries them out or says that it does not."""

from __future__ import annotations

import pytest

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model import reading, reading_policies

HEAD = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: webservice}]
  policies:
"""


def read(*policies, **options):
    text = HEAD + "".join(f"  - {policy}\n" for policy in policies).replace("SELECTOR", SELECTOR)
    trees = yaml_in.load(text.encode(), "app.yaml")
    return reading.documents([("app.yaml", index, tree) for index, tree in enumerate(trees)], **options)


def problems(*policies, **options):
    with pytest.raises(errors.SpecError) as caught:
        read(*policies, **options)
    return caught.value.problems


def only(*policies, **options):
    found = problems(*policies, **options)
    assert len(found) == 1, [problem.message for problem in found]
    return found[0]


SELECTOR = "selector: {componentNames: [web]}"


@pytest.mark.parametrize(
    "policy",
    [
        "{name: h, type: health, properties: {deadline: 15m, noActivity: 4m, errorBudget: 1, rules: [{SELECTOR, healthy: '${{ output.status.ok }}', message: x, wait: optional}]}}",
        "{name: c, type: conflict, properties: {rules: [{SELECTOR, paths: [/spec/replicas], managers: ['vpa-*'], do: yield}]}}",
        "{name: d, type: drift, properties: {mode: observe, rules: [{selector: {resourceTypes: [ConfigMap]}, paths: ['/spec/x/*'], mode: off}]}}",
        "{name: t, type: take-over, properties: {rules: [{SELECTOR}]}}",
        "{name: r, type: read-only, properties: {rules: [{selector: {resourceNames: ['db-*'], oamTypes: [TRAIT]}}]}}",
        "{name: g, type: garbage-collect, properties: {applicationRevisionLimit: 3, keepLegacyResource: true, continueOnFailure: false, order: dependency, rules: [{SELECTOR, strategy: never, propagation: orphan}]}}",
        "{name: p, type: apply-once, properties: {enable: true, rules: [{strategy: {affect: onUpdate, path: [spec.replicas]}}]}}",
        "{name: p, type: shared-resource, properties: {rules: [{SELECTOR}]}}",
        "{name: p, type: resource-update, properties: {rules: [{SELECTOR, strategy: {op: replace, recreateFields: [spec.selector]}}]}}",
        "{name: p, type: labels, properties: {labels: {a: b}, annotations: {c: d}, SELECTOR}}",
        "{name: p, type: topology, properties: {clusters: [a, b], namespace: prod}}",
        "{name: p, type: override, properties: {components: [{name: web, type: worker, properties: {a: 1}, traits: [{type: scaler, disable: true}], optional: true}], selector: [web]}}",
        "{name: p, type: replication, properties: {keys: [a, b], selector: [web]}}",
        "{name: x, type: debug}",
        "{type: health}",
    ],
)  # fmt: skip
def test_what_is_carried_out_is_read(policy):
    found = read(policy).applications[0].policies
    assert len(found) == 1
    assert found[0].path == ("spec", "policies", 0)


EXAMPLES = {
    "env-binding": "{envs: [{name: prod, placement: {clusterSelector: {name: a}}, selector: {components: [web]}, patch: {}}]}",
    "placement": "{mode: cheapest, clusterLabelSelector: {a: b}, minClusters: 1, maxClusters: 3, spread: [{key: region, maxSkew: 1}], regions: {allowed: [eu], preferred: [eu]}, tolerations: [{key: a, value: b}], gpu: {models: [A100], minMemory: 40Gi, avoidScarce: true}, collocateWith: [db], exclusive: true, weights: {a: 1.5}, overflow: [c], priority: 10, sticky: hard, datasets: [d], headroom: 10%, failover: true, rebalance: false, onReturn: keep, components: [web]}",
    "replicas": "{total: 10, split: {weights: {a: 1}}, minPerCluster: 1, overflow: [a], components: [web]}",
    "rollout": "{waves: [{name: pilot, clusters: {names: [eu-1]}, mandatory: true, soak: 1h}, {name: rest, clusters: {all: true}, maxConcurrency: 25%, approval: {approvers: [a]}}], maxFailures: 1, progressDeadline: 30m, pool: true, onFailure: halt}",
    "window": "{windows: [{kind: deny, schedule: '0 9 * * *', duration: 2h, timezone: Europe/Berlin, applies: [release, drift]}], overrun: suspend}",
    "analysis": "{args: [{name: a, value: 1}], provider: {prometheus: {}}, query: 'sum(x{a=\"${{ canary.service }}\"})', interval: 1m, count: 5, successCondition: 'result[0] < 1', failureLimit: -1, noData: hold, minRequests: 200}",
    "rollback": "{on: [healthFailed, analysisFailed, deadline], to: last-succeeded, limit: 1}",
    "trigger": "{on: [{cron: {schedule: '30 2 * * mon-fri', timezone: Europe/Berlin}}, {webhook: {name: a, secretRef: b}}], do: restart-workflow, overlap: skip, missed: last, debounce: 30s}",
}  # fmt: skip


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_is_not_carried_out_yet_is_checked_and_refused_with_a_sentence(kind):
    problem = only(f"{{name: p, type: {kind}, properties: {EXAMPLES[kind]}}}")
    assert problem.message == f"policy type '{kind}' is not carried out yet by this version"
    assert problem.path == ("spec", "policies", 0, "type")
    assert "carried out are" in problem.hint


def test_every_type_of_the_design_is_known():
    assert set(EXAMPLES) | set(reading_policies.CARRIED_OUT) == set(reading_policies.SHAPES)


def test_an_unknown_type_is_refused_with_a_suggestion():
    problem = only("{name: p, type: topolgy, properties: {}}")
    assert problem.message == "unknown policy type 'topolgy', did you mean 'topology'?"


@pytest.mark.parametrize("policy", ["{name: d, type: drift}", "{name: d, type: drift, properties: {mode: heal}}"])
def test_healing_is_refused(policy):
    problem = only(policy)
    assert "'heal'" in problem.message
    assert "not carried out yet" in problem.message
    assert problem.hint == "write mode: observe, or mode: off"
    rule = only("{name: d, type: drift, properties: {mode: off, rules: [{selector: {resourceTypes: [A]}, mode: heal}]}}")
    assert rule.path == ("spec", "policies", 0, "properties", "rules", 0, "mode")


@pytest.mark.parametrize(
    ("policy", "path", "message"),
    [
        ("{name: h, type: health, properties: {deadline: 5 minutes}}", ("deadline",), "'5 minutes' is not a duration; use 90s, 15m, 1h30m"),
        ("{name: h, type: health, properties: {deadlin: 5m}}", ("deadlin",), "unknown field 'deadlin', did you mean 'deadline'?"),
        ("{name: h, type: health, properties: {errorBudget: -1}}", ("errorBudget",), "-1 is not between 0"),
        ("{name: h, type: health, properties: {rules: [{healthy: x}]}}", ("rules", 0), "missing 'selector'"),
        ("{name: h, type: health, properties: {rules: [{SELECTOR, wait: maybe}]}}", ("rules", 0, "wait"), "expected one of required, optional, none"),
        ("{name: h, type: health, properties: {rules: [{selector: {componentName: [a]}}]}}", ("rules", 0, "selector", "componentName"), "did you mean 'componentNames'?"),
        ("{name: t, type: take-over, properties: {rules: [{selector: {}}]}}", ("rules", 0, "selector"), "an empty selector selects nothing"),
        ("{name: t, type: take-over, properties: {rules: [{selector: {componentNames: []}}]}}", ("rules", 0, "selector"), "an empty selector selects nothing"),
        ("{name: t, type: take-over, properties: {rules: []}}", ("rules",), "at least 1 rule must be given"),
        ("{name: t, type: take-over}", (), "missing 'rules'"),
        ("{name: t, type: read-only, properties: {rules: [{selector: {oamTypes: [POLICY]}}]}}", ("rules", 0, "selector", "oamTypes", 0), "expected one of WORKLOAD, TRAIT"),
        ("{name: c, type: conflict, properties: {rules: [{do: win}]}}", ("rules", 0, "do"), "expected one of yield, force, fail"),
        ("{name: c, type: conflict, properties: {rules: [{do: force, paths: [spec]}]}}", ("rules", 0, "paths", 0), "'spec' is not a path of a field"),
        ("{name: g, type: garbage-collect, properties: {keepLegacyResource: 'true'}}", ("keepLegacyResource",), "expected true or false"),
        ("{name: g, type: garbage-collect, properties: {rules: [{SELECTOR, strategy: sometimes}]}}", ("rules", 0, "strategy"), "expected one of onAppUpdate"),
        ("{name: d, type: drift, properties: {mode: '${{ x }}'}}", ("mode",), "expected one of off, observe, heal"),
        ("{name: p, type: topology, properties: {clusters: ['${{ x }}']}}", ("clusters", 0), "'${{' is not evaluated here"),
        ("{name: p, type: topology, properties: {clusters: [a], clusterLabelSelector: {a: b}}}", ("clusterLabelSelector",), "give clusters or clusterLabelSelector, not both"),
        ("{name: p, type: rollout, properties: {waves: [{name: a, clusters: {all: true}, maxConcurrency: 300%}]}}", ("waves", 0, "maxConcurrency"), "a count or a percentage"),
        ("{name: p, type: trigger, properties: {on: [{cron: {schedule: x}, webhook: {name: y}}]}}", ("on", 0), "expected one of cron, webhook"),
        ("{name: p, type: analysis, properties: {interval: 1m}}", (), "give one of query and compare"),
        ("{name: a, type: apply-once, properties: {rules: [{strategy: {path: ['spec[x']}}]}}", ("rules", 0, "strategy", "path", 0), "'spec[x' is not a path of a field"),
        ("{name: u, type: resource-update, properties: {rules: [{SELECTOR, strategy: {op: patchy}}]}}", ("rules", 0, "strategy", "op"), "expected one of patch, replace"),
        ("{name: l, type: labels, properties: {labels: {app.oam.dev/name: x}}}", ("labels", "app.oam.dev/name"), "the label app.oam.dev/name is the engine's"),
        ("{name: r, type: replication, properties: {keys: [A_B], selector: [web]}}", ("keys", 0), "'A_B' is not a name"),
        ("{name: r, type: replication, properties: {keys: [a]}}", (), "missing 'selector'"),
        ("{name: o, type: override, properties: {components: [{name: -x}]}}", ("components", 0, "name"), "'-x' is not a name"),
        ("{name: e, type: env-binding, properties: {envs: [{name: a, placement: {namespaceSelector: {labels: {a: b}}}}]}}", ("envs", 0, "placement", "namespaceSelector", "labels"), "namespaces are chosen by name"),
    ],
)  # fmt: skip
def test_parameters_are_checked_at_their_place(policy, path, message):
    found = [p for p in problems(policy) if p.code != "application.not-yet"]
    assert len(found) == 1
    assert found[0].path == ("spec", "policies", 0, "properties", *path)
    assert message in found[0].message


def test_lenient_reading_leaves_unknown_parameters_out_and_says_so():
    policy = "{name: t, type: take-over, properties: {extra: 1, rules: [{selector: {}, more: 2}]}}"
    found = read(policy, lenient=True)
    assert found.applications[0].policies[0].properties == {"rules": [{"selector": {}}]}
    assert [warning.path[3:] for warning in found.warnings] == [
        ("properties", "extra"),
        ("properties", "rules", 0, "selector"),
        ("properties", "rules", 0, "more"),
    ]
    assert len(problems(policy)) == 3


def test_lenient_reading_changes_nothing_else():
    assert problems("{name: t, type: placement}", lenient=True)
    assert problems("{name: t, type: debug, propertys: {}}", lenient=True)


@pytest.mark.parametrize("kind", ["drift", "conflict", "garbage-collect", "window", "rollback", "apply-once"])
def test_a_steering_policy_stands_once(kind):
    properties = {"drift": "{mode: off}", "conflict": "{rules: [{do: force}]}"}.get(kind, EXAMPLES.get(kind, "{}"))
    found = problems(
        f"{{name: a, type: {kind}, properties: {properties}}}", f"{{name: b, type: {kind}, properties: {properties}}}"
    )
    assert [p.message for p in found if "at most one" in p.message] == [
        f"'a' is a {kind} policy already; an application has at most one"
    ]


def test_several_rules_policies_of_one_type_are_fine():
    assert len(read("{name: a, type: health}", "{name: b, type: health}").applications[0].policies) == 2


def test_dividing_policies_concern_different_components():
    found = problems("{name: a, type: replicas}", "{name: b, type: replicas}")
    assert any("are both replicas policies of the same components" in p.message for p in found)
    apart = problems(
        "{name: a, type: replicas, properties: {components: [x]}}",
        "{name: b, type: replicas, properties: {components: [y]}}",
    )
    assert all(p.code == "application.not-yet" for p in apart)


def test_a_name_may_be_left_out_when_the_type_stands_once():
    assert read("{type: debug}").applications[0].policies[0].name == "debug"
    assert any("each needs a name" in p.message for p in problems("{type: debug}", "{type: debug}"))


SHARED = """---
apiVersion: core.oam.dev/v1alpha1
kind: Policy
metadata: {name: careful%s}
type: drift
properties: {mode: observe}
"""


def documents(text, **options):
    trees = yaml_in.load(text.encode(), "app.yaml")
    return reading.documents([("app.yaml", index, tree) for index, tree in enumerate(trees)], **options)


def test_a_policy_without_a_type_refers_to_a_policy_document():
    found = documents(HEAD + "  - {name: careful}\n" + SHARED % "")
    policy = found.applications[0].policies[0]
    assert (policy.name, policy.type, policy.properties) == ("careful", "drift", {"mode": "observe"})
    assert policy.path == ("spec", "policies", 0)
    assert set(found.policies) == {("default", "careful")}


def test_a_reference_to_nothing_is_refused_with_a_suggestion():
    with pytest.raises(errors.SpecError, match="no Policy document of that name, did you mean 'careful'"):
        documents(HEAD + "  - {name: carefull}\n" + SHARED % "")
    with pytest.raises(errors.SpecError, match="no Policy document of that name"):
        documents(HEAD + "  - {name: careful}\n" + SHARED % ", namespace: other")


def test_policy_documents_are_checked_and_unique():
    with pytest.raises(errors.SpecError) as caught:
        documents(SHARED % "" + SHARED % "" + SHARED.replace("observe", "watch") % "2")
    assert [p.path for p in caught.value.problems] == [("metadata", "name"), ("properties", "mode")]
