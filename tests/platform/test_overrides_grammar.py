"""--set and its sisters: helm's grammar for paths and lists, values typed by the schema of the component."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.platform import overrides
from appdelivery.platform.overrides import Change

OPEN: dict[str, Any] = {}  # a schema that leaves everything open: values are typed as YAML does


def documents(properties: dict[str, Any] | None = None) -> list[tuple[str, int, Any]]:
    components = [
        {"name": "c", "type": "webservice", "properties": properties or {}},
        {"name": "other", "type": "webservice"},
    ]
    return [("app.yaml", 0, {"kind": "Application", "spec": {"components": components}})]


def changed(
    text: str, how: str = "typed", *, schema: dict[str, Any] | None = None, before: dict[str, Any] | None = None, **more: Any
) -> Any:
    lenient = more.pop("lenient", False)
    change = Change(how, text, **more)
    trees = overrides.apply(documents(before), [change], lambda _: schema or OPEN, lenient=lenient)
    return trees[0][2]["spec"]["components"][0]["properties"]


# The cases of helm's own parser (pkg/strvals), below one component.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c.name=value", {"name": "value"}),
        ("c.a=1st,c.b=2nd", {"a": "1st", "b": "2nd"}),
        ("c.a=x,c.b=y,", {"a": "x", "b": "y"}),
        ("c.a=,c.b=y", {"a": "", "b": "y"}),
        ("c.zero=0", {"zero": 0}),
        ("c.leading=00009", {"leading": "00009"}),
        ("c.long=1234567890", {"long": 1234567890}),
        ("c.negative=-7", {"negative": -7}),
        ("c.yes=true,c.no=false", {"yes": True, "no": False}),
        ("c.a=one\\,two,c.b=three\\,four", {"a": "one,two", "b": "three,four"}),
        ("c.a=one\\=two", {"a": "one=two"}),
        ("c.a=one=two=three", {"a": "one=two=three"}),
        ("c.a=one two three", {"a": "one two three"}),
        ("c.a= kept ", {"a": " kept "}),
        ("c.outer.inner=value", {"outer": {"inner": "value"}}),
        ("c.outer.middle.inner=value", {"outer": {"middle": {"inner": "value"}}}),
        ("c.o.a=v,c.o.m.b=w", {"o": {"a": "v", "m": {"b": "w"}}}),
        ("c.a={x,y}", {"a": ["x", "y"]}),
        ("c.a={x,y},c.b={z}", {"a": ["x", "y"], "b": ["z"]}),
        ("c.a={1021,902}", {"a": [1021, 902]}),
        ("c.a={}", {"a": []}),
        ("c.o.a={x,y}", {"o": {"a": ["x", "y"]}}),
        ("c.a={one\\,two,three}", {"a": ["one,two", "three"]}),
        ("c.a=\\{x", {"a": "{x"}),
        ("c.l[0].foo=bar", {"l": [{"foo": "bar"}]}),
        ("c.l[0].foo=bar,c.l[0].hello=world", {"l": [{"foo": "bar", "hello": "world"}]}),
        ("c.l[0]=foo,c.l[1]=bar", {"l": ["foo", "bar"]}),
        ("c.l[0].a.b[0].c=v", {"l": [{"a": {"b": [{"c": "v"}]}}]}),
        ("c.nested[0][0]=1", {"nested": [[1]]}),
        ("c.noval[0]=", {"noval": [""]}),
        ("c.labels.app\\.kubernetes\\.io/name=web", {"labels": {"app.kubernetes.io/name": "web"}}),
        ("c.a\\[0\\]=x", {"a[0]": "x"}),
        ("c.image=example/web:1.10@sha256:ab", {"image": "example/web:1.10@sha256:ab"}),
        ("c.url=https://example.com/?a=b&c=d", {"url": "https://example.com/?a=b&c=d"}),
        # what YAML would take for its own signs is text
        ("c.a=*x", {"a": "*x"}),
        ("c.a=!x", {"a": "!x"}),
        ("c.a=#x", {"a": "#x"}),
        ("c.a=a: b", {"a": "a: b"}),
        ("c.a='q'", {"a": "'q'"}),
        ("c.date=2024-01-01", {"date": "2024-01-01"}),
        ("c.yes=yes", {"yes": "yes"}),
        ("c.huge=99999999999999999999999999", {"huge": "99999999999999999999999999"}),
    ],
)
def test_paths_and_values_have_helms_grammar(text: str, expected: Any) -> None:
    assert changed(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "COMPONENT.path=value"),
        ("c", "COMPONENT.path=value"),
        ("c=v", "COMPONENT.path=value"),
        ("c.a", "COMPONENT.path=value"),
        ("c.a=x,,c.b=y", "COMPONENT.path=value"),
        ("c.a,c.b=x", "COMPONENT.path=value"),
        ("c.a.=x", "empty name"),
        ("c.=x", "empty name"),
        ("c..a=x", "empty name"),
        ("=x", "empty name"),
        ("c.a={1,2", "does not end with '}'"),
        ("c.a={x}y", "does not end with '}'"),
        ("c.l[0]name=x", "write a dot between ']' and 'name'"),
        ("c.l[0=x", "'[0' is not a list index"),
        ("c.l[-1]=x", "'[-1]' is not a list index"),
        ("c.l[x]=x", "'[x]' is not a list index"),
        ("c.l[²]=x", "'[²]' is not a list index"),
        ("c.l[]=x", "'[]' is not a list index"),
        ("c.l[99999999]=x", "is not a list index"),
        ("c.l[0]=a,c.l[3]=b", "index 3 leaves a gap"),
        ("d.a=x", "there is no component 'd'"),
        ("othr.a=x", "did you mean 'other'?"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_flag_and_the_text(text: str, says: str) -> None:
    with pytest.raises(errors.UsageError) as refused:
        changed(text)
    assert says in refused.value.message
    assert refused.value.message.startswith("--set ")


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("c.a=hunter2,c.b", "typed"),
        ("d.a=hunter2", "string"),
        ("c.l[9]=hunter2", "typed"),
        ("c.a={hunter2", "typed"),
        ('c.a={"hunter2": 1', "json"),
        ("c.x.nope=hunter2", "typed"),
    ],
)
def test_a_message_names_the_path_and_never_the_value(text: str, how: str) -> None:
    closed = {"properties": {"x": {"additionalProperties": False}, "l": {}, "a": {}}}
    with pytest.raises(errors.AppError) as refused:
        changed(text, how, schema=closed)
    assert "hunter2" not in f"{refused.value.message}{refused.value.hint}"


# --- typed by the schema --------------------------------------------------------------------------------------------
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string"},
        "port": {"type": "integer"},
        "ratio": {"type": "number"},
        "public": {"type": "boolean"},
        "cmd": {"type": "array", "items": {"type": "string"}},
        "ports": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"port": {"type": "integer"}, "name": {"type": "string"}},
            },
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "mode": {"enum": ["1", "2"]},
        "maybe": {"type": ["string", "null"]},
        "cpu": {"type": ["string", "number"]},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "loose": {"type": "object"},
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c.image=1", "1"),
        ("c.image=true", "true"),
        ("c.image=1.10", "1.10"),
        ("c.port=80", 80),
        ("c.port=http", "http"),  # left to the check of the document, which says what a port is
        ("c.ratio=0.5", 0.5),
        ("c.public=true", True),
        ("c.cmd={1,true,x}", ["1", "true", "x"]),
        ("c.cmd[0]=7", ["7"]),
        ("c.ports[0].port=80", [{"port": 80}]),
        ("c.ports[0].name=80", [{"name": "80"}]),
        ("c.labels.a=1", {"a": "1"}),
        ("c.mode=1", "1"),
        ("c.maybe=1", "1"),
        ("c.cpu=2", 2),
        ("c.cpu=500m", "500m"),
        ("c.either=1", 1),
        ("c.loose.deep.path=1", {"deep": {"path": 1}}),
    ],
)
def test_a_value_takes_the_type_of_its_schema(text: str, expected: Any) -> None:
    (value,) = changed(text, schema=SCHEMA).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("c.imgae=x", "unknown property 'imgae', did you mean 'image'?"),
        ("c.ports[0].prot=80", "unknown property 'prot', did you mean 'port'?"),
    ],
)
@pytest.mark.parametrize("how", ["typed", "string"])
def test_a_path_that_the_schema_does_not_know_is_refused_with_a_suggestion(text: str, says: str, how: str) -> None:
    with pytest.raises(errors.RequestError) as refused:
        changed(text, how, schema=SCHEMA)
    assert says in refused.value.message
    assert "known: " in refused.value.hint
    assert changed(text, how, schema=SCHEMA, lenient=True)


# --- the other flags ------------------------------------------------------------------------------------------------
def test_null_removes() -> None:
    assert changed("c.a=null", before={"a": 1, "b": 2}) == {"b": 2}
    assert changed("c.o.a=null", before={"o": {"a": 1, "b": 2}}) == {"o": {"b": 2}}
    assert changed("c.l[0]=null", before={"l": [1, 2]}) == {"l": [2]}
    assert changed("c.a=null,c.a=x", before={"a": 1}) == {"a": "x"}
    assert changed("c.gone=null") == {}


def test_set_string_is_always_text() -> None:
    assert changed("c.a=1,c.b=true,c.d=null", "string") == {"a": "1", "b": "true", "d": "null"}
    assert changed("c.a={1,2}", "string") == {"a": ["1", "2"]}


def test_set_json_takes_json_and_nothing_else() -> None:
    assert changed('c.a={"b": [1, "x", null]}', "json") == {"a": {"b": [1, "x", None]}}
    assert changed("c.a=1,2", "file", value="whole, text\n") == {"a": "whole, text\n"}
    for bad in ("", "[1,", "NaN", "1 2", '{"a": 1, "a": 2}', "[" * 100_000):
        with pytest.raises(errors.UsageError) as refused:
            changed(f"c.a={bad}", "json", flag="--set-json")
        assert refused.value.message.startswith("--set-json c.a: ")
        assert len(refused.value.message) < 400


def test_values_are_merged_over_and_null_removes() -> None:
    before = {"image": "x", "env": {"A": "1", "B": "2"}, "list": [1, 2]}
    values = {"c": {"env": {"A": None, "C": "3"}, "list": [9]}}
    assert changed("v.yaml", "tree", value=values, before=before) == {
        "image": "x",
        "env": {"B": "2", "C": "3"},
        "list": [9],
    }
    for bad in ([1], "text", {"c": 1}):
        with pytest.raises(errors.UsageError, match="map from component names"):
            changed("v.yaml", "tree", value=bad)


def test_changes_are_made_in_the_order_given_and_touch_nothing_else() -> None:
    given = documents({"image": "x"})
    changes = [Change("typed", "c.image=y"), Change("string", "c.image=z")]
    out = overrides.apply(given, changes, lambda _: OPEN)
    assert out[0][2]["spec"]["components"][0]["properties"] == {"image": "z"}
    assert out[0][2]["spec"]["components"][1] is given[0][2]["spec"]["components"][1]
    assert given == documents({"image": "x"})


def test_a_change_reaches_the_component_of_every_document_that_has_it() -> None:
    two = [*documents(), ("b.yaml", 0, documents()[0][2])]
    out = overrides.apply(two, [Change("typed", "c.a=1")], lambda _: OPEN)
    assert [tree["spec"]["components"][0]["properties"] for _, _, tree in out] == [{"a": 1}, {"a": 1}]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=3),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
def test_every_name_and_text_can_be_written_with_escapes(names: list[str], value: str) -> None:
    def escaped(text: str) -> str:
        return "".join(f"\\{char}" if char in "\\.,={}[]" else char for char in text)

    found = changed(f"c.{'.'.join(map(escaped, names))}={escaped(value)}", "string")
    for name in names:
        found = found[name]
    assert found == value


@given(st.text(max_size=30))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    with contextlib.suppress(errors.AppError):
        changed(f"c{text}")
