"""Whatever properties a definition's schema lets through, it renders objects or refuses them with a reason.

Properties are generated from the closed schema, so every parameter of every shipped definition is reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.catalog import catalog
from appdelivery.language import patch, schema

if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.definition import Definition

    Tree = dict[str, Any]

SHIPPED = catalog.Catalog(())
COMPONENTS, TRAITS = SHIPPED.names("ComponentDefinition"), SHIPPED.names("TraitDefinition")
TEXT = st.sampled_from(["a", "web", "512Mi", "api:80", "api:0", "5", "/data", "x-1"])
WORKLOAD: Tree = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "prod", "labels": {}},
    "spec": {
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "containers": [
                    {"name": "web", "image": "a", "args": ["a"], "env": [{"name": "a", "value": "b"}], "ports": [{"containerPort": 80}]},
                    {"name": "a", "image": "b", "securityContext": {"privileged": True}},
                ],
                "volumes": [{"name": "a", "emptyDir": {}}],
            },
        }
    },
}  # fmt: skip
CONTEXT: Tree = {
    "name": "web",
    "appName": "shop",
    "namespace": "prod",
    "revision": "web-v1",
    "selector": {"app.oam.dev/component": "web"},
    "labels": {},
    "owned": {},
    "traits": [],
    "clusterVersion": {"major": 1, "minor": 36, "gitVersion": "v1.36.0", "platform": "linux/amd64"},
    "output": WORKLOAD,
    "outputs": {},
}


def values(of: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that a closed schema takes, mostly."""
    if of is True or not of:
        return TEXT
    if "const" in of:
        return st.just(of["const"])
    if "enum" in of:
        return st.sampled_from(of["enum"])
    for keyword in ("oneOf", "anyOf"):
        if keyword in of:
            return st.one_of(
                [values({**{k: v for k, v in of.items() if k != keyword}, **one}, depth) for one in of[keyword]]
            )
    kinds = of.get("type", "string")
    return st.one_of([of_kind(kind, of, depth) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def of_kind(kind: str, of: Tree, depth: int) -> st.SearchStrategy[Any]:
    if kind == "object":
        return maps(of, depth)
    if kind == "array":
        return st.lists(values(of.get("items"), depth + 1), max_size=3 if depth < 2 else 1)
    if kind in ("integer", "number"):
        return st.integers(of.get("minimum", 0), min(of.get("maximum", 70000), of.get("minimum", 0) + 70000))
    return {"boolean": st.booleans(), "null": st.none(), "string": TEXT}[kind]


@st.composite
def maps(draw: Any, of: Tree, depth: int) -> Tree:
    named = of.get("properties", {})
    needed = of.get("required", [])
    optional = [name for name in named if name not in needed and named[name]]
    chosen = draw(st.lists(st.sampled_from(optional), unique=True, max_size=6 if depth == 0 else 2)) if optional else []
    made = {name: draw(values(named[name], depth + 1)) for name in (*needed, *chosen)}
    if of.get("additionalProperties", False) is not False:
        for key in draw(st.lists(st.sampled_from(["a", "b", "/"]), unique=True, max_size=2)):
            made.setdefault(key, draw(values(of["additionalProperties"], depth + 1)))
    return made


def rendered(definition: Definition, properties: Any) -> list[Tree]:
    """Objects; none when the properties are refused."""
    try:
        filled = definition.code.check(properties)
    except schema.Refusal:
        assert definition.code.explain(properties), "refused without a reason"
        return []
    if any(problem.level == "error" for problem in definition.code.checks(filled, CONTEXT)):
        return []
    try:
        made = definition.code.render(filled, CONTEXT)
        changed = patch.strategic(WORKLOAD, made.patch) if made.patch else WORKLOAD
        for one in made.patches:
            changed = patch.merge(changed, one["patch"])
    except (patch.PatchError, errors.SpecError) as error:
        explained(error)
        return []
    return [*made.outputs.values(), changed]


def explained(error: Any) -> None:
    """A refusal at render says what is wrong with which value, not that we failed."""
    codes = [problem.code for problem in error.problems] if isinstance(error, errors.SpecError) else [error.code]
    assert codes, error
    assert all(code.startswith(("render.", "patch.")) for code in codes), error


def sound(tree: Any, path: str = "") -> None:
    """No null and nothing of the language is left in an object."""
    assert tree is not None, f"null at {path}"
    if isinstance(tree, dict):
        for key, value in tree.items():
            assert not key.startswith("$"), f"{key} at {path}"
            sound(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            sound(value, f"{path}[{index}]")
    elif isinstance(tree, str):
        assert "${{" not in tree, f"an expression is left at {path}"


@pytest.mark.parametrize(
    ("kind", "name"),
    [*[("ComponentDefinition", n) for n in COMPONENTS], *[("TraitDefinition", n) for n in TRAITS]],
)
@settings(max_examples=support.examples(25), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_every_property_that_a_schema_takes_renders_or_is_refused(kind: str, name: str, data: Any) -> None:
    definition = SHIPPED.resolve(kind, name)
    properties = data.draw(values(definition.parameters))
    for body in rendered(definition, properties):
        assert body["apiVersion"], body
        assert body["kind"], body
        if name not in ("k8s-objects", "raw"):
            sound(body)
