"""env-binding: each env becomes one topology and one override, and the author is told (oam.md 4.2)."""

from __future__ import annotations

import pytest

from appdelivery import errors
from appdelivery.model import env_binding, reading_fields, reading_policies

PATH = ("spec", "policies", 0)


def read(*envs):
    reader = reading_fields.Reader("a.yaml", 0, lenient=False)
    policy = reading_policies.read(reader, PATH, "envs", "env-binding", {"envs": list(envs)})
    assert reader.problems == []
    return reader, policy


def test_the_author_is_told():
    reader, _ = read({"name": "prod"})
    assert [(w.message, w.level) for w in reader.warnings] == [("env-binding is deprecated", "warning")]
    assert "one topology and one override policy for each env" in reader.warnings[0].hint


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ({"clusterSelector": {"name": "eu"}}, {"clusters": ["eu"]}),
        ({"clusterSelector": {"labels": {"a": "b"}}}, {"clusterLabelSelector": {"a": "b"}}),
        (
            {"clusterSelector": {"name": "eu"}, "namespaceSelector": {"name": "test"}},
            {"clusters": ["eu"], "namespace": "test"},
        ),
        ({"namespaceSelector": {"name": "test"}}, {"namespace": "test"}),
        (None, {}),
    ],
)
def test_a_placement_becomes_a_topology(placement, expected):
    _, policy = read({"name": "staging"}, {"name": "prod", "placement": placement})
    topology, _ = env_binding.of(policy, "prod")
    assert (topology.name, topology.type, topology.properties) == ("envs-prod", "topology", expected)
    assert topology.path == (*PATH, "properties", "envs", 1, "placement")


def test_a_patch_and_a_selector_become_an_override():
    components = [{"name": "web", "type": "webservice", "properties": {"image": "b", "cmd": None}}]
    _, policy = read({"name": "prod", "patch": {"components": components}, "selector": {"components": ["web"]}})
    _, override = env_binding.of(policy, "prod")
    assert (override.name, override.type) == ("envs-prod-override", "override")
    assert override.properties == {"components": components, "selector": ["web"]}


def test_an_env_without_a_selector_delivers_everything():
    _, policy = read({"name": "prod"})
    assert env_binding.of(policy, "prod")[1].properties == {"components": []}


def test_an_unknown_env_is_refused_with_a_suggestion():
    _, policy = read({"name": "prod"}, {"name": "staging"})
    assert env_binding.envs(policy) == ("prod", "staging")
    with pytest.raises(errors.SpecError) as caught:
        env_binding.of(policy, "stagin")
    assert caught.value.problems[0].message == "policy 'envs' has no env 'stagin', did you mean 'staging'?"
    assert caught.value.problems[0].hint == "known: prod, staging"
