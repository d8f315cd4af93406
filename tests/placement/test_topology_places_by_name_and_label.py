"""Policy topology: KubeVela's own table (pkg/policy/topology_test.go, case names as there), ours beside it, and what is said
about a policy that cannot be met."""

from __future__ import annotations

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language.text import source, yaml_in
from appdelivery.model import reading
from appdelivery.model.application import Policy
from appdelivery.placement.topology import Placed, Registered, topology

A = Registered("cluster-a", {"key": "value"})
B = Registered("cluster-b", {"key": "value"})
C = Registered("cluster-c", {"key": "none"})


def policy(name="topology-policy", index=0, **properties):
    return Policy(name, "topology", properties, ("spec", "policies", index))


def placed(*policies, clusters=(C, B, A), **options):
    return [(one.cluster, one.namespace) for one in topology(policies, clusters, default="local", **options)]


def refused(*policies, **options):
    with pytest.raises(errors.SpecError) as caught:
        placed(*policies, **options)
    return caught.value.problems


KUBEVELA = {
    "topology-by-clusters": ({"clusters": ["cluster-a"]}, [("cluster-a", "")]),
    "topology-by-cluster-selector-ignore-404": ({"clusterSelector": {"key": "bad-value"}, "allowEmpty": True}, []),
    "topology-by-cluster-selector": ({"clusterSelector": {"key": "value"}}, [("cluster-a", ""), ("cluster-b", "")]),
    "topology-by-cluster-label-selector": (
        {"clusterLabelSelector": {"key": "value"}},
        [("cluster-a", ""), ("cluster-b", "")],
    ),
    "topology-by-cluster-selector-and-namespace": (
        {"clusterSelector": {"key": "value"}, "namespace": "override"},
        [("cluster-a", "override"), ("cluster-b", "override")],
    ),
    "topology-no-clusters-and-cluster-label-selector": ({"namespace": "override"}, [("local", "override")]),
    # differs: nothing given is the default cluster (there: "empty properties")
    "empty-topology-policy": ({}, [("local", "")]),
}


@pytest.mark.parametrize("case", KUBEVELA)
def test_kubevela_table(case):
    properties, expected = KUBEVELA[case]
    assert placed(policy(**properties)) == expected


def test_kubevela_table_no_topology_policy():
    assert placed() == [("local", "")]
    assert placed(Policy("o", "override", {}, ())) == [("local", "")]


def test_kubevela_table_invalid_topology_policy():
    """Refused when the document is read, before anything is placed."""
    text = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: webservice}]
  policies: [{name: topology-policy, type: topology, properties: {cluster: x}}]
"""
    with pytest.raises(errors.SpecError) as caught:
        reading.application(yaml_in.load(text.encode(), "a.yaml")[0], "a.yaml", 0)
    assert any("cluster" in p.message and "clusters" in p.message for p in caught.value.problems)


def test_kubevela_table_cluster_not_found_names_those_that_are():
    (problem,) = refused(policy(clusters=["cluster-a", "cluster-x"]))
    assert problem.message.startswith("there is no cluster 'cluster-x', did you mean 'cluster-")
    assert problem.hint == "registered: cluster-a, cluster-b, cluster-c"
    assert problem.path == ("spec", "policies", 0, "properties", "clusters", 1)


def test_kubevela_table_topology_by_cluster_selector_404_names_the_labels_that_exist():
    (problem,) = refused(policy(clusterSelector={"key": "bad-value"}))
    assert problem.message == "no cluster has key=bad-value"
    assert problem.hint == "labels that exist: key=none, key=value; if no cluster is fine too: allowEmpty: true"
    assert problem.path == ("spec", "policies", 0, "properties", "clusterSelector")


def test_places_stand_where_the_user_wrote_them():
    text = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: webservice}]
  policies:
    - name: where
      type: topology
      properties:
        clusters:
          - cluster-a
          - cluster-z
"""
    tree = yaml_in.load(text.encode(), "a.yaml")[0]
    properties = tree["spec"]["policies"][0]["properties"]
    located = source.locate(refused(policy(**properties)), {"": text.encode()})
    assert (located[0].line, located[0].column) == (12, 13)


def test_doubles_are_removed_in_the_order_of_the_policies():
    first, second = policy("one", clusters=["cluster-c", "cluster-a"]), policy("two", 1, clusterSelector={"key": "value"})
    assert placed(first, second) == [("cluster-c", ""), ("cluster-a", ""), ("cluster-b", "")]
    other = policy("two", 1, clusters=["cluster-a"], namespace="other")
    assert placed(first, other) == [("cluster-c", ""), ("cluster-a", ""), ("cluster-a", "other")]


def test_an_empty_selector_selects_every_cluster():
    assert placed(policy(clusterLabelSelector={})) == [("cluster-a", ""), ("cluster-b", ""), ("cluster-c", "")]


def test_an_empty_list_of_clusters_is_refused_unless_that_is_allowed():
    (problem,) = refused(policy(clusters=[]))
    assert "names no cluster" in problem.message
    assert "allowEmpty: true" in problem.hint
    assert placed(policy(clusters=[], allowEmpty=True)) == []


def test_all_problems_come_together():
    found = refused(policy("one", clusters=["x", "y"]), policy("two", 1, clusterSelector={"a": "b"}))
    assert [p.path[2] for p in found] == [0, 0, 1]


def test_without_any_registered_cluster_the_hint_says_how_to_register_one():
    (problem,) = refused(policy(clusters=["eu"]), clusters=())
    assert problem.message == "there is no cluster 'eu'"
    assert problem.hint == "no cluster is registered: appctl cluster add NAME"
    (problem,) = refused(policy(clusterSelector={"a": "b"}), clusters=())
    assert problem.hint.startswith("no cluster is registered")


def test_kubevelas_name_of_its_own_cluster_is_explained():
    (problem,) = refused(policy(clusters=["local"]))
    assert "leave clusters out" in problem.hint


def test_a_cordoned_cluster_takes_nothing_new_and_keeps_what_it_has():
    closed = Registered("cluster-a", {"key": "value"}, admin="cordoned")
    clusters = (closed, B, C)
    (problem,) = refused(policy(clusters=["cluster-a", "cluster-b"]), clusters=clusters)
    assert problem.message == "cluster 'cluster-a' is cordoned: nothing new is placed there"
    assert placed(policy(clusters=["cluster-a"]), clusters=clusters, standing={"cluster-a"}) == [("cluster-a", "")]
    selected = policy(clusterLabelSelector={"key": "value"})
    assert placed(selected, clusters=clusters) == [("cluster-b", "")]
    assert placed(selected, clusters=clusters, standing={"cluster-a"}) == [("cluster-a", ""), ("cluster-b", "")]
    (problem,) = refused(selected, clusters=(closed, C))
    assert problem.message == "no cluster with key=value takes anything new: cluster-a is cordoned"


def test_a_forgotten_cluster_is_not_registered():
    (problem,) = refused(policy(clusters=["cluster-a"]), clusters=(Registered("cluster-a", {}, admin="forgotten"), B))
    assert problem.hint == "registered: cluster-b"


def test_a_cluster_that_does_not_answer_is_placed_on_and_catches_up_later():
    away = Registered("cluster-a", {}, reach="unreachable")
    assert placed(policy(clusters=["cluster-a"]), clusters=(away,)) == [("cluster-a", "")]


names = st.sampled_from(["eu", "us", "ap", "af"])
registered = st.builds(Registered, names, st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2))
places = st.lists(names, min_size=1, max_size=4)


@settings(max_examples=support.examples(60))
@given(st.lists(places, max_size=4))
def test_the_order_is_that_of_the_policies_whatever_the_order_of_the_registry(lists):
    clusters = [Registered(name, {}) for name in ("us", "af", "eu", "ap")]
    given_ = [policy(str(index), index, clusters=names) for index, names in enumerate(lists)]
    found = topology(given_, clusters, default="eu")
    wanted = list(dict.fromkeys([name for one in lists for name in one])) or ["eu"]
    assert [one.cluster for one in found] == wanted
    assert found == topology(given_, clusters[::-1], default="eu")


@settings(max_examples=support.examples(60))
@given(
    st.lists(registered, max_size=4, unique_by=lambda one: one.name),
    st.dictionaries(st.sampled_from("xy"), st.sampled_from("12")),
)
def test_a_selector_gives_exactly_the_clusters_that_carry_its_labels(clusters, labels):
    found = topology([policy(clusterLabelSelector=labels, allowEmpty=True)], clusters, default="eu")
    wanted = sorted(one.name for one in clusters if all(one.labels.get(k) == v for k, v in labels.items()))
    assert found == tuple(Placed(name) for name in wanted)
