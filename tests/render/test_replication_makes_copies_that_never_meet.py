"""Policy replication (oam.md 4.2): KubeVela's tables with its case names, and copies that share neither names nor pods."""

from __future__ import annotations

import apps
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.model import marks
from appdelivery.model.application import Application, Component, Policy
from appdelivery.model.refs import AppKey
from appdelivery.render import render, replication

KEYED = """
outputs:
  output:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: "${{ context.name }}-in-${{ context.replicaKey or 'all' }}"}
    spec:
      selector: {matchLabels: "${{ context.selector }}"}
      template:
        metadata: {labels: "${{ context.labels }}"}
        spec: {containers: [{name: "${{ context.name }}", image: x}]}
  extra:
    apiVersion: v1
    kind: ConfigMap
    data: {key: "${{ context.replicaKey }}"}
"""


def policy(selector, keys, name="test-policy", index=0):
    return Policy(name, "replication", {"keys": keys, "selector": selector}, ("spec", "policies", index))


def plain(*names, **depends):
    parts = [
        Component(n, "webservice", {}, ("spec", "components", i), depends_on=depends.get(n, ())) for i, n in enumerate(names)
    ]
    return Application(AppKey("prod", "shop"), tuple(parts), {}, {}, {})


def shown(app):
    return [(replication.base(c), c.replica_key) for c in app.components]


def only(app, *policies):
    with pytest.raises(errors.SpecError) as caught:
        replication.replicate(app, policies)
    (problem,) = caught.value.problems
    return problem


def rendered(components, *policies, known=None):
    app = apps.application(apps.text(components))
    return render.render(replication.replicate(app, policies), (known or apps.shipped()).resolve)


def names(made, kind):
    return [m.ref.name for m in made.manifests if m.ref.kind == kind]


def walk(node):
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(inner)


# --- KubeVela: pkg/policy/replication_test.go ------------------------------------------------------------------------
def test_kubevela_no_replication_policy_all_components_remain_unchanged():
    app = plain("comp1", "comp2")
    assert replication.replicate(app, [Policy("test-policy", "foo", {}, ())]) is app


def test_kubevela_one_replication_policy_replicate_those_components():
    """Differs: copies stand in the place of their component (there: at the end)."""
    made = replication.replicate(plain("comp1", "comp2"), [policy(["comp1"], ["replica-1", "replica-2"])])
    assert shown(made) == [("comp1", "replica-1"), ("comp1", "replica-2"), ("comp2", "")]
    assert [c.name for c in made.components] == ["comp1@replica-1", "comp1@replica-2", "comp2"]


def test_kubevela_select_all_replicate_all():
    made = replication.replicate(plain("comp1", "comp2"), [policy(["comp1", "comp2"], ["a"])])
    assert shown(made) == [("comp1", "a"), ("comp2", "a")]


@pytest.mark.parametrize("case", ["replicate non-exist component", "part invalid selector", "no component selected"])
def test_kubevela_a_selector_must_name_components(case):
    """Differs: an unknown name is refused also beside known ones (there it is passed over)."""
    selector = ["comp1", "comp3"] if case == "part invalid selector" else ["comp3"]
    problem = only(plain("comp1", "comp2"), policy(selector, ["a"]))
    assert problem.message.startswith("there is no component 'comp3' to replicate, did you mean 'comp")
    assert problem.path == ("spec", "policies", 0, "properties", "selector", selector.index("comp3"))


@pytest.mark.parametrize(
    ("case", "properties", "message"),
    [
        ("nil selector, don't replicate", "{keys: [a]}", "missing 'selector'"),
        ("invalid-override-policy", "bad", "expected a map"),
        ("no keys", "{selector: [web]}", "missing 'keys'"),
        ("a key that no name can hold", "{keys: [Eu_1], selector: [web]}", "'Eu_1' is not a name"),
    ],
)
def test_kubevela_a_policy_that_says_too_little_is_refused(case, properties, message):
    text = (
        apps.text("- {name: web, type: webservice}\n")
        + f"  policies: [{{name: r, type: replication, properties: {properties}}}]\n"
    )
    with pytest.raises(errors.SpecError) as caught:
        apps.application(text)
    assert any(message in p.message for p in caught.value.problems), case


# --- order -----------------------------------------------------------------------------------------------------------
def test_a_copy_waits_for_the_copy_with_its_key_and_others_wait_for_all():
    app = plain("db", "web", "front", web=("db",), front=("web",))
    made = replication.replicate(app, [policy(["db", "web"], ["eu", "us"])])
    assert {c.name: c.depends_on for c in made.components} == {
        "db@eu": (), "db@us": (), "web@eu": ("db@eu",), "web@us": ("db@us",), "front": ("web@eu", "web@us"),
    }  # fmt: skip


def test_two_policies_of_one_component_add_their_keys():
    made = replication.replicate(plain("web"), [policy(["web"], ["a", "b"]), policy(["web"], ["b", "c"], "other", 1)])
    assert [c.replica_key for c in made.components] == ["a", "b", "c"]


# --- names -----------------------------------------------------------------------------------------------------------
WEB = """
- name: web
  type: webservice
  properties:
    image: example/web:1
    ports: [{port: 80, expose: true}]
  traits:
    - {type: hpa, properties: {min: 1, max: 3}}
    - {type: gateway, properties: {domain: a.example.com, http: {"/": 80}}}
    - {type: storage, properties: {configMap: [{name: settings, mountPath: /etc/app, data: {a: b}}], pvc: [{name: files, mountPath: /data}]}}
"""


def test_objects_of_a_definition_that_ignores_the_key_get_it_appended():
    made = rendered(WEB, policy(["web"], ["eu", "us"]))
    assert names(made, "Deployment") == ["web-eu", "web-us"]
    assert names(made, "ConfigMap") == ["settings-eu", "settings-us"]
    assert names(made, "PersistentVolumeClaim") == ["files-eu", "files-us"]
    assert len({m.ref.identity for m in made.manifests}) == len(made.manifests)


def test_objects_of_a_copy_find_each_other_under_the_new_names():
    made = rendered(WEB, policy(["web"], ["eu", "us"]))
    (of,) = [c for c in made.components if c.name == "web@eu"]
    bodies = {m.ref.kind: m.body for m in of.manifests}
    assert bodies["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "web-eu"
    volumes = bodies["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert [v["configMap"]["name"] for v in volumes if "configMap" in v] == ["settings-eu"]
    assert [v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v] == ["files-eu"]
    services = {m.ref.name for m in of.manifests if m.ref.kind == "Service"}
    backends = [node["service"]["name"] for node in walk(bodies["Ingress"]) if isinstance(node, dict) and "service" in node]
    assert backends
    assert set(backends) <= services
    assert all(name.endswith("-eu") for name in services)


def test_copies_share_no_pods():
    made = rendered(WEB, policy(["web"], ["eu", "us"]))
    for key in ("eu", "us"):
        (of,) = [c for c in made.components if c.name == f"web@{key}"]
        wanted = {marks.COMPONENT: "web", marks.REPLICA_KEY: key}
        deployment = next(m.body for m in of.manifests if m.ref.kind == "Deployment")
        assert deployment["spec"]["selector"]["matchLabels"] == wanted
        assert wanted.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        for manifest in of.manifests:
            assert wanted.items() <= manifest.body["metadata"]["labels"].items()
            if manifest.ref.kind == "Service":
                assert manifest.body["spec"]["selector"] == wanted


def test_selectors_that_a_definition_writes_by_hand_get_the_key_too(tmp_path):
    known = apps.with_definitions(tmp_path, byhand=apps.component("byhand", """
        outputs:
          output:
            apiVersion: apps/v1
            kind: Deployment
            metadata: {labels: {app.oam.dev/component: "${{ context.name }}"}}
            spec:
              selector: {matchLabels: {app.oam.dev/component: "${{ context.name }}"}}
              template:
                metadata: {labels: {app.oam.dev/component: "${{ context.name }}"}}
                spec: {containers: [{name: main, image: x}]}
    """))  # fmt: skip
    made = rendered("- {name: web, type: byhand}\n", policy(["web"], ["eu", "us"]), known=known)
    selectors = [m.body["spec"]["selector"]["matchLabels"] for m in made.manifests]
    assert selectors == [{marks.COMPONENT: "web", marks.REPLICA_KEY: key} for key in ("eu", "us")]
    assert [m.body["spec"]["template"]["metadata"]["labels"] for m in made.manifests] == selectors


def test_a_definition_that_reads_the_key_names_its_objects_itself(tmp_path):
    known = apps.with_definitions(tmp_path, keyed=apps.component("keyed", KEYED))
    made = rendered(
        "- {name: web, type: keyed, traits: [{type: hpa, properties: {min: 1, max: 2}}]}\n",
        policy(["web"], ["eu", "us"]),
        known=known,
    )
    assert names(made, "Deployment") == ["web-in-eu", "web-in-us"]
    assert names(made, "ConfigMap") == ["web-eu", "web-us"]  # it left this name to the engine
    targets = [m.body["spec"]["scaleTargetRef"]["name"] for m in made.manifests if m.ref.kind == "HorizontalPodAutoscaler"]
    assert targets == ["web-in-eu", "web-in-us"]
    assert [m.body["data"]["key"] for m in made.manifests if m.ref.kind == "ConfigMap"] == ["eu", "us"]


def test_without_replication_the_key_is_null(tmp_path):
    known = apps.with_definitions(tmp_path, keyed=apps.component("keyed", KEYED))
    made = rendered("- {name: web, type: keyed}\n", known=known)
    assert names(made, "Deployment") == ["web-in-all"]
    assert marks.REPLICA_KEY not in made.manifests[0].body["metadata"]["labels"]


def test_copies_with_one_key_find_each_others_objects():
    made = rendered("""
        - {name: settings, type: config, properties: {configMaps: {settings: {a: b}}}}
        - {name: web, type: webservice, properties: {image: x, envFrom: [{configMap: settings}]}}
    """, policy(["settings", "web"], ["eu", "us"]))  # fmt: skip
    froms = [
        m.body["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
        for m in made.manifests if m.ref.kind == "Deployment"
    ]  # fmt: skip
    assert froms == names(made, "ConfigMap") == ["settings-eu", "settings-us"]


def test_a_copy_reads_an_object_that_is_there_once_under_its_own_name():
    made = rendered("""
        - {name: settings, type: config, properties: {configMaps: {settings: {a: b}}}}
        - {name: web, type: webservice, properties: {image: x, envFrom: [{configMap: settings}]}}
    """, policy(["web"], ["eu"]))  # fmt: skip
    (web,) = [m.body for m in made.manifests if m.ref.kind == "Deployment"]
    assert web["spec"]["template"]["spec"]["containers"][0]["envFrom"] == [{"configMapRef": {"name": "settings"}}]


def test_revisions_and_hashes_are_counted_for_each_copy():
    made = rendered("- {name: web, type: webservice, properties: {image: x}}\n", policy(["web"], ["eu", "us"]))
    assert [c.revision for c in made.components] == ["web-eu-v1", "web-us-v1"]
    assert len({c.hash for c in made.components}) == 2


# --- names that would meet -------------------------------------------------------------------------------------------
def test_a_copy_may_not_be_called_as_another_component():
    problem = only(plain("web", "web-eu"), policy(["web"], ["us", "eu"]))
    assert problem.message == "copy 'eu' of component 'web' would be called web-eu, as is component 'web-eu'"
    assert problem.path == ("spec", "policies", 0, "properties", "keys", 1)


def test_two_copies_may_not_be_called_alike():
    problem = only(plain("web", "web-a"), policy(["web"], ["a-b"]), policy(["web-a"], ["b"], index=1))
    assert "would be called web-a-b, as is copy 'a-b' of component 'web'" in problem.message


def test_a_key_given_twice_is_refused():
    assert only(plain("web"), policy(["web"], ["eu", "eu"])).path == ("spec", "policies", 0, "properties", "keys", 1)


labels = st.from_regex(r"[a-z]([a-z-]{0,6}[a-z])?", fullmatch=True)


@settings(max_examples=support.examples(100))
@given(
    st.lists(labels, min_size=1, max_size=4, unique=True), st.lists(labels, min_size=1, max_size=4, unique=True), st.data()
)
def test_names_of_copies_never_meet(components, keys, data):
    selected = data.draw(st.lists(st.sampled_from(components), min_size=1, unique=True))
    app, given_ = plain(*components), [policy(selected, keys)]
    wanted = [f"{name}-{key}" for name in selected for key in keys] + [name for name in components if name not in selected]
    if len(set(wanted)) < len(wanted):
        with pytest.raises(errors.SpecError) as caught:
            replication.replicate(app, given_)
        assert {p.code for p in caught.value.problems} == {"replication.name"}
        return
    made = replication.replicate(app, given_)
    called = [replication.label(c) for c in made.components]
    assert len(set(called)) == len(called) == len(components) - len(selected) + len(selected) * len(keys)
    assert all(len(name) <= 63 for name in called)


@settings(max_examples=support.examples(15), deadline=None)
@given(st.lists(labels, min_size=2, max_size=3, unique=True))
def test_objects_of_copies_never_meet(keys):
    made = rendered(WEB, policy(["web"], keys))
    identities = [m.ref.identity for m in made.manifests]
    assert len(set(identities)) == len(identities)


def test_long_names_are_cut_and_still_differ():
    name = "w" * 60
    made = replication.replicate(plain(name), [policy([name], ["europe", "america"])])
    called = [replication.label(c) for c in made.components]
    assert len(set(called)) == 2
    assert all(len(one) <= 63 for one in called)


# --- values ----------------------------------------------------------------------------------------------------------
FLOW = """
- name: db
  type: webservice
  properties: {image: x, ports: [{port: 80, expose: true}]}
  outputs: [{name: address, valueFrom: output.metadata.name}]
- name: web
  type: webservice
  properties:
    image: x
    env: [{name: DB, value: "${{ components.db.output.metadata.name }}"}, {name: NAME, value: "${{ components.db.name }}"}]
- name: reader
  type: webservice
  properties: {image: x, env: [{name: A, value: "${{ inputs.address }}"}]}
  inputs: [{from: address}]
"""


def env(made, component):
    (of,) = [c for c in made.components if c.name == component]
    return {e["name"]: e["value"] for e in of.manifests[0].body["spec"]["template"]["spec"]["containers"][0]["env"]}


def test_a_copy_takes_values_from_the_copy_with_its_key():
    live = {f"db@{key}": {"output": {"metadata": {"name": f"live-{key}"}}, "outputs": {}} for key in ("eu", "us")}
    app = replication.replicate(apps.application(apps.text(FLOW)), [policy(["db", "web", "reader"], ["eu", "us"])])
    made = render.render(app, apps.shipped().resolve, render.RenderContext(live=live))
    for key in ("eu", "us"):
        assert env(made, f"web@{key}") == {"DB": f"db-{key}", "NAME": f"db-{key}"}
        assert env(made, f"reader@{key}") == {"A": f"live-{key}"}
    order = {c.name: c.depends_on for c in made.components}
    assert (order["web@eu"], order["reader@us"]) == (("db@eu",), ("db@us",))


def test_until_the_value_is_known_the_copy_waits_for_its_own():
    app = replication.replicate(apps.application(apps.text(FLOW)), [policy(["db", "web", "reader"], ["eu", "us"])])
    made = render.render(app, apps.shipped().resolve)
    (of,) = [c for c in made.components if c.name == "reader@eu"]
    assert [(w.component, w.target, w.ref.name) for w in of.waits_for] == [("reader@eu", "db@eu", "db-eu")]


def test_a_copy_reads_what_is_there_once():
    app = replication.replicate(apps.application(apps.text(FLOW)), [policy(["web"], ["eu", "us"])])
    made = render.render(app, apps.shipped().resolve)
    assert env(made, "web@us") == {"DB": "db", "NAME": "db"}


def test_what_is_there_once_cannot_read_from_one_of_many():
    app = replication.replicate(apps.application(apps.text(FLOW)), [policy(["db"], ["eu", "us"])])
    with pytest.raises(errors.SpecError) as caught:
        render.render(app, apps.shipped().resolve)
    assert any("there is no component 'db', did you mean 'db@" in p.message for p in caught.value.problems)
    assert any("nobody writes 'address', did you mean 'address@" in p.message for p in caught.value.problems)


def test_problems_of_copies_stand_at_the_component():
    app = replication.replicate(
        apps.application(apps.text("- {name: web, type: webservice, properties: {imgae: x}}\n")),
        [policy(["web"], ["eu", "us"])],
    )
    with pytest.raises(errors.SpecError) as caught:
        render.render(app, apps.shipped().resolve)
    assert all(p.path[:3] == ("spec", "components", 0) for p in caught.value.problems)
    assert caught.value.problems[0].message.startswith("components[web].properties")
    assert len(caught.value.problems) == len(set(caught.value.problems))  # said once, not once for each copy
