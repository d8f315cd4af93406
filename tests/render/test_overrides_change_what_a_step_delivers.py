"""Policy override (oam.md 4.3): KubeVela's tables with its case names, our rules beside them, and places of what is wrong."""

from __future__ import annotations

import apps
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language.text import source
from appdelivery.model.application import Application, Component, Policy, Trait
from appdelivery.model.refs import AppKey
from appdelivery.render import overrides, render


def part(name, type="webservice", traits=(), **properties):
    made = [Trait(kind, values, ("spec", "components", 0, "traits", 0), label) for kind, label, values in traits]
    return Component(name, type, properties, ("spec", "components", 0), tuple(made))


def application(*components):
    placed = [
        Component(c.name, c.type, c.properties, ("spec", "components", i), tuple(
            Trait(t.type, t.properties, ("spec", "components", i, "traits", j), t.name) for j, t in enumerate(c.traits)
        ))
        for i, c in enumerate(components)
    ]  # fmt: skip
    return Application(AppKey("prod", "shop"), tuple(placed), {}, {}, {})


def policy(*entries, index=0, **more):
    return Policy("override-policy", "override", {"components": list(entries), **more}, ("spec", "policies", index))


def overridden(app, *policies):
    return overrides.override(app, policies)


def shown(app, *policies):
    """Components as plain values."""
    return [
        (c.name, c.type, c.properties, [(t.type, t.properties) for t in c.traits])
        for c in overridden(app, *policies).app.components
    ]


def only(app, *policies):
    with pytest.raises(errors.SpecError) as caught:
        overridden(app, *policies)
    (problem,) = caught.value.problems
    return problem


# --- KubeVela: pkg/policy/envbinding/patch_test.go -------------------------------------------------------------------
INGRESS = ("ingress-1-20", "", {"domain": "testsvc.example.com", "http": {"/": 8000}})
BASE = part("express-server", traits=[INGRESS], image="crccheck/hello-world", port=8000)
SERVER = {"name": "express-server", "type": "webservice"}
NEW = {"name": "new-server", "type": "worker", "properties": {"image": "busybox"}}
UNCHANGED = ("express-server", "webservice", {"image": "crccheck/hello-world", "port": 8000}, [(INGRESS[0], INGRESS[2])])
KUBEVELA = {
    "normal-test": (
        policy({
            **SERVER, "properties": {"image": "busybox"},
            "traits": [{"type": "ingress-1-20", "properties": {"domain": "newTestsvc.example.com"}}],
        }),
        [("express-server", "webservice", {"image": "busybox", "port": 8000},
          [("ingress-1-20", {"domain": "newTestsvc.example.com", "http": {"/": 8000}})])],
    ),
    "add-component": (
        policy({**SERVER, "traits": [{"type": "labels", "properties": {"test": "label"}}]},
               {**NEW, "traits": [{"type": "labels", "properties": {"test": "label"}}]}),
        [(*UNCHANGED[:3], [*UNCHANGED[3], ("labels", {"test": "label"})]),
         ("new-server", "worker", {"image": "busybox"}, [("labels", {"test": "label"})])],
    ),
    "disable-trait": (
        policy({**SERVER, "traits": [{"type": "ingress-1-20", "disable": True}]}),
        [(*UNCHANGED[:3], [])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KUBEVELA)
def test_kubevela_patch_table(case):
    given_, expected = KUBEVELA[case]
    assert shown(application(BASE), given_) == expected


def test_kubevela_patch_table_component_selector():
    """Differs: the others stay readable, and are not delivered."""
    made = overridden(application(BASE), policy(NEW, selector=["new-server"]))
    assert made.selected == ("new-server",)


def test_kubevela_patch_table_empty_component_selector():
    assert overridden(application(BASE), policy(NEW, selector=[])).selected == ()


def test_kubevela_patch_table_patch_external_revision():
    """Differs: refused, as in a component."""
    text = (
        apps.text("- {name: web, type: webservice}\n")
        + "  policies:\n    - {name: o, type: override, properties: {components: [{name: web, externalRevision: r}]}}\n"
    )
    with pytest.raises(errors.SpecError) as caught:
        apps.application(text)
    assert any("externalRevision" in p.message for p in caught.value.problems)


# --- KubeVela: pkg/workflow/providers/multicluster/deploy_test.go, TestOverrideConfiguration -------------------------
def test_kubevela_override_configuration_normal():
    assert shown(application(part("comp", x=1)), policy({"name": "comp", "properties": {"x": 5}})) == [
        ("comp", "webservice", {"x": 5}, [])
    ]


def test_kubevela_override_configuration_empty_policy():
    """Differs: one that says nothing changes nothing (there: "empty properties")."""
    app = application(part("comp", x=1))
    assert overridden(app, Policy("o", "override", {}, ())).app == app


def test_kubevela_override_configuration_invalid_policies():
    text = apps.text("- {name: web, type: webservice}\n") + "  policies:\n    - {name: o, type: override, properties: bad}\n"
    with pytest.raises(errors.SpecError) as caught:
        apps.application(text)
    assert "expected a map" in caught.value.problems[0].message


# --- KubeVela: pkg/policy/override_test.go, TestParseOverridePolicyRelatedDefinitions --------------------------------
def rendered(override, components="- {name: web, type: webservice, properties: {image: a}}\n"):
    app = apps.application(apps.text(components))
    made = overrides.override(app, [override])
    return render.render(made.app, apps.shipped().resolve)


@pytest.mark.parametrize(
    ("case", "entry", "message"),
    [
        ("comp-def-not-found", {"name": "new", "type": "comp-404"}, "unknown component type 'comp-404'"),
        ("trait-def-not-found", {"name": "web", "traits": [{"type": "trait-404"}]}, "unknown trait type 'trait-404'"),
    ],
)
def test_kubevela_definitions_of_overrides_must_exist(case, entry, message):
    with pytest.raises(errors.SpecError) as caught:
        rendered(policy(entry))
    assert message in caught.value.problems[0].message, case
    assert caught.value.problems[0].path[:2] == ("spec", "policies")


def test_kubevela_definitions_of_overrides_normal():
    made = rendered(policy({"type": "webservice", "traits": [{"type": "scaler", "properties": {"replicas": 4}}]}))
    assert apps.body(made, "Deployment")["spec"]["replicas"] == 4


# --- rule 1: which components ----------------------------------------------------------------------------------------
def names_changed(pattern, *names, **entry):
    app = application(*[part(name) for name in names])
    made = overridden(app, policy({"name": pattern, "properties": {"x": 1}, **entry})).app
    return [c.name for c in made.components if c.properties]


def test_a_plain_name_means_that_component_alone():
    """KubeVela reads an unanchored regular expression: there `web` also changes `webserver`."""
    assert names_changed("web", "web", "webserver", "my-web") == ["web"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("web*", ["web", "webserver"]),
        ("*web", ["web", "my-web"]),
        ("*web*", ["web", "webserver", "my-web"]),
        ("w*b", ["web"]),
        ("*", ["web", "webserver", "my-web"]),
        ("we*eb*", []),
    ],
)
def test_a_name_with_a_star_is_anchored(pattern, expected):
    assert names_changed(pattern, "web", "webserver", "my-web", optional=True) == expected


def test_without_a_name_all_of_a_type_are_meant_or_all():
    app = application(part("a"), part("b", "worker"), part("c"))
    of_type = shown(app, policy({"type": "webservice", "properties": {"x": 1}}))
    assert [properties for _, _, properties, _ in of_type] == [{"x": 1}, {}, {"x": 1}]
    everyone = shown(app, policy({"properties": {"x": 1}}))
    assert [properties for _, _, properties, _ in everyone] == [{"x": 1}] * 3


# --- rule 2: type ----------------------------------------------------------------------------------------------------
def test_another_type_replaces_the_component_with_its_traits_and_keeps_its_place_in_the_order():
    app = application(part("web", traits=[("scaler", "", {"replicas": 1})], image="a", port=1), part("z"))
    app = Application(
        app.key,
        tuple(
            Component(c.name, c.type, c.properties, c.path, c.traits, ("z",) if c.name == "web" else ())
            for c in app.components
        ),
        {},
        {},
        {},
    )
    made = overridden(app, policy({"name": "web", "type": "worker", "properties": {"image": "b"}})).app
    assert [(c.name, c.type, c.properties, c.traits, c.depends_on) for c in made.components] == [
        ("web", "worker", {"image": "b"}, (), ("z",)),
        ("z", "webservice", {}, (), ()),
    ]


def test_a_star_replaces_each_match_under_its_own_name():
    app = application(part("web-a"), part("web-b"))
    made = shown(app, policy({"name": "web-*", "type": "worker", "properties": {"image": "b"}}))
    assert [(name, kind) for name, kind, _, _ in made] == [("web-a", "worker"), ("web-b", "worker")]


def test_another_version_is_not_another_type():
    made = overridden(
        application(part("web", x=1)), policy({"name": "web", "type": "webservice@1.0.0", "properties": {"y": 2}})
    ).app
    assert (made.components[0].type, made.components[0].properties) == ("webservice@1.0.0", {"x": 1, "y": 2})
    pinned = overridden(application(part("web", "webservice@1.0.0", x=1)), policy({"name": "web", "type": "webservice"})).app
    assert pinned.components[0].type == "webservice@1.0.0"


# --- rule 3: no match ------------------------------------------------------------------------------------------------
def test_a_name_without_a_match_and_without_a_type_is_refused_with_a_suggestion():
    problem = only(application(part("web"), part("db")), policy({"name": "wbe", "properties": {"x": 1}}))
    assert problem.message == "the override matches no component 'wbe', did you mean 'web'?"
    assert problem.hint == "known: web, db; if that is fine: optional: true; to add a component give its type"
    assert problem.path == ("spec", "policies", 0, "properties", "components", 0, "name")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "x*"}, "the override matches no component 'x*'"),
        ({"type": "wroker"}, "the override matches no component of type 'wroker'"),
    ],
)
def test_a_pattern_or_a_type_without_a_match_is_refused_unless_it_is_optional(entry, message):
    app = application(part("web"), part("w", "worker"))
    assert only(app, policy(entry)).message.startswith(message)
    assert overridden(app, policy({**entry, "optional": True})).app == app


def test_an_added_component_is_there_for_later_entries_and_policies():
    app = application(part("web"))
    entry = {"name": "new", "type": "worker", "properties": {"a": 1, "gone": None}}
    made = shown(
        app, policy(entry, {"name": "new", "properties": {"b": 2}}), policy({"name": "new", "properties": {"a": 3}})
    )
    assert made[1] == ("new", "worker", {"a": 3, "b": 2}, [])


# --- rule 4: merge ---------------------------------------------------------------------------------------------------
def merged(base, change):
    return overrides.merge(base, change, (), source=(), moved=[])


@pytest.mark.parametrize(
    ("base", "change", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"b": 1}}, {"a": {"b": None}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({}, {"a": None}, {}),
        ({"n": 5}, {"n": 0}, {"n": 0}),
        ({"f": True}, {"f": False}, {"f": False}),
        ({"t": "x"}, {"t": ""}, {"t": ""}),
        ({"l": [1]}, {"l": []}, {"l": []}),
        ({"l": [1]}, {"l": [None]}, {"l": [None]}),
    ],
)
def test_properties_are_merged(base, change, expected):
    """0, false and '' override: KubeVela's merge library takes them for absent."""
    assert merged(base, change) == expected


def test_a_null_in_a_document_reaches_the_merge():
    text = apps.text("- {name: web, type: webservice, properties: {image: a, cmd: [x]}}\n") + (
        "  policies:\n    - {name: o, type: override, properties: {components: [{name: web, properties: {cmd: null}}]}}\n"
    )
    from appdelivery.language.text import yaml_in
    from appdelivery.model import reading_fields, reading_policies

    reader = reading_fields.Reader("a.yaml", 0, lenient=False)
    properties = yaml_in.load(text.encode(), "a.yaml")[0]["spec"]["policies"][0]["properties"]
    read = reading_policies.read(reader, ("spec", "policies", 0), "o", "override", properties)
    assert reader.problems == []
    assert read.properties["components"][0]["properties"] == {"cmd": None}


tree = st.recursive(
    st.integers(0, 2) | st.sampled_from(["", "x"]) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
maps = st.dictionaries(st.sampled_from("abc"), tree, max_size=3)


@settings(max_examples=support.examples(80))
@given(maps, maps)
def test_a_merge_changes_neither_side_and_says_what_the_override_says(base, change):
    import copy

    before = copy.deepcopy((base, change))
    out = merged(base, change)
    assert (base, change) == before
    assert merged(out, change) == out  # once is enough
    for key, value in change.items():
        assert out[key] == (value if not isinstance(value, dict) or not isinstance(base.get(key), dict) else out[key])
    assert all(out[key] == value for key, value in base.items() if key not in change)


@settings(max_examples=support.examples(60))
@given(st.lists(maps, max_size=3))
def test_an_override_of_nothing_is_the_application_itself(properties):
    app = application(*[part(f"c{index}", **values) for index, values in enumerate(properties)])
    assert overridden(app).app == app
    assert overridden(app, policy()).app == app
    assert overridden(app, Policy("t", "topology", {}, ())).app == app
    if properties:
        assert overridden(app, policy({"properties": {}})).app == app


# --- rule 5: traits --------------------------------------------------------------------------------------------------
TWO = part("web", traits=[("gateway", "one", {"domain": "a", "port": 1}), ("gateway", "two", {"domain": "b"})])


def test_a_trait_used_twice_is_changed_by_name():
    """In KubeVela both become copies of the last."""
    made = shown(
        application(TWO),
        policy({"name": "web", "traits": [{"type": "gateway", "name": "one", "properties": {"domain": "x"}}]}),
    )
    assert made[0][3] == [("gateway", {"domain": "x", "port": 1}), ("gateway", {"domain": "b"})]


def test_a_trait_used_twice_needs_a_name():
    problem = only(application(TWO), policy({"name": "web", "traits": [{"type": "gateway", "properties": {"domain": "x"}}]}))
    assert problem.message == "component 'web' has 2 traits of type 'gateway': say by name which one is meant"
    assert problem.hint == "known: one, two"
    assert problem.path == ("spec", "policies", 0, "properties", "components", 0, "traits", 0)


def test_traits_used_twice_without_names_ask_for_names():
    app = application(part("web", traits=[("gateway", "", {}), ("gateway", "", {})]))
    assert (
        only(app, policy({"name": "web", "traits": [{"type": "gateway"}]})).hint
        == "give the traits of component 'web' names first"
    )


def test_another_name_of_the_type_adds_a_trait_at_the_end():
    made = overridden(
        application(TWO),
        policy({"name": "web", "traits": [{"type": "gateway", "name": "three", "properties": {"domain": "c"}}]}),
    ).app
    assert [(t.name, t.properties["domain"]) for t in made.components[0].traits] == [
        ("one", "a"),
        ("two", "b"),
        ("three", "c"),
    ]


def test_one_of_several_is_disabled_by_name():
    made = overridden(
        application(TWO), policy({"name": "web", "traits": [{"type": "gateway", "name": "one", "disable": True}]})
    ).app
    assert [t.name for t in made.components[0].traits] == ["two"]


def test_disabling_what_no_matched_component_has_is_refused_unless_optional():
    app = application(part("web", traits=[("scaler", "", {})]), part("db"))
    problem = only(app, policy({"name": "web", "traits": [{"type": "scalr", "disable": True}]}))
    assert problem.message == "no trait 'scalr' to disable on 'web', did you mean 'scaler'?"
    assert problem.path[-2:] == ("traits", 0)
    assert shown(app, policy({"traits": [{"type": "scaler", "disable": True}]}))[0][3] == []  # one of them has it
    entry = {"name": "db", "optional": True, "traits": [{"type": "scaler", "disable": True}]}
    assert overridden(app, policy(entry)).app == app


# --- rule 6: selector ------------------------------------------------------------------------------------------------
def test_several_selectors_leave_what_all_of_them_name():
    app = application(part("a"), part("b"), part("c"))
    made = overridden(app, policy(selector=["c", "a"]), policy(selector=["a", "b", "c"], index=1))
    assert made.selected == ("a", "c")
    assert overridden(app, policy()).selected is None


def test_a_selector_that_names_nothing_is_refused():
    problem = only(application(part("web")), policy(selector=["web", "wbe"]))
    assert problem.message == "there is no component 'wbe', did you mean 'web'?"
    assert problem.path == ("spec", "policies", 0, "properties", "selector", 1)


def test_what_is_not_selected_is_rendered_to_be_read_from_and_not_delivered():
    app = apps.application(apps.text("""
        - {name: db, type: webservice, properties: {image: a, ports: [{port: 80, expose: true}]}}
        - name: web
          type: webservice
          properties: {image: a, env: [{name: DB, value: "${{ components.db.name }}"}]}
    """))  # fmt: skip
    made = overrides.override(app, [policy(selector=["web"])])
    whole = render.render(made.app, apps.shipped().resolve)
    step = overrides.only(whole, made.selected)
    assert [(c.name, c.depends_on) for c in step.components] == [("web", ())]
    assert overrides.only(whole, None) is whole


# --- places ----------------------------------------------------------------------------------------------------------
COMPONENTS = """\
- name: web
  type: webservice
  properties: {image: example/web:1, ports: [{port: 80}]}
  traits:
    - {type: scaler, properties: {replicas: 2}}
"""
POLICIES = """\
  policies:
    - name: staging
      type: override
      properties:
        components:
          - name: web
            properties:
%s
            traits:
              - {type: scaler, properties: {replicas: %s}}
"""


def located(properties, replicas="3"):
    """The problems of a render after the override, as the user sees them."""
    from appdelivery.language.text import yaml_in

    whole = apps.text(COMPONENTS) + POLICIES % ("\n".join(f"              {row}" for row in properties), replicas)
    written = yaml_in.load(whole.encode(), apps.FILE)[0]["spec"]["policies"][0]["properties"]
    app = apps.application(apps.text(COMPONENTS))
    made = overrides.override(app, [Policy("staging", "override", written, ("spec", "policies", 0))])
    try:
        return render.render(made.app, apps.shipped().resolve)
    except errors.SpecError as error:
        found = source.locate(error.problems, {apps.FILE: whole.encode()})
        return whole, found


def test_a_wrong_value_is_shown_where_the_override_writes_it():
    whole, (problem,) = located(["image: [not, a, text]"])
    assert problem.message.startswith("components[web].properties.image: ")
    assert problem.line == apps.line(whole, "image: [not")


def test_an_unknown_property_is_shown_where_the_override_writes_it():
    whole, (problem,) = located(["imgae: example/web:2"])
    assert problem.line == apps.line(whole, "imgae")
    assert "did you mean" in problem.message + problem.hint


def test_what_is_missing_is_shown_where_the_override_removes_it():
    whole, (problem,) = located(["image: null"])
    assert "image" in problem.message
    assert problem.line == apps.line(whole, "image: null")


def test_a_wrong_value_of_a_trait_is_shown_where_the_override_writes_it():
    whole, (problem,) = located(["image: example/web:2"], "many")
    assert problem.line == apps.line(whole, "replicas: many")
    assert problem.message.startswith("components[web].traits[0].properties.replicas: ")


def test_what_the_override_does_not_touch_is_shown_where_the_component_writes_it():
    app = apps.application(apps.text(COMPONENTS.replace("port: 80", "port: eighty")))
    made = overrides.override(app, [policy({"name": "web", "properties": {"image": "b"}})])
    with pytest.raises(errors.SpecError) as caught:
        render.render(made.app, apps.shipped().resolve)
    assert caught.value.problems[0].path == ("spec", "components", 0, "properties", "ports", 0, "port")


def test_an_added_component_is_named_and_placed_where_the_override_writes_it():
    entry = {"name": "new", "type": "worker", "properties": {"imgae": "b"}}
    app = apps.application(apps.text(COMPONENTS))
    with pytest.raises(errors.SpecError) as caught:
        render.render(overrides.override(app, [policy(entry)]).app, apps.shipped().resolve)
    problem = caught.value.problems[0]
    assert problem.path[:5] == ("spec", "policies", 0, "properties", "components")
    assert "components[new]" in problem.message


def test_the_last_override_of_a_place_is_the_one_that_is_shown():
    app = apps.application(apps.text(COMPONENTS))
    good, bad = {"name": "web", "properties": {"image": "b"}}, {"name": "web", "properties": {"image": []}}
    with pytest.raises(errors.SpecError) as caught:
        render.render(overrides.override(app, [policy(good), policy(bad, index=1)]).app, apps.shipped().resolve)
    assert caught.value.problems[0].path[:3] == ("spec", "policies", 1)
