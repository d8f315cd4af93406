"""Strategic merge against kubectl, the reference, on random patches; our two differences stand beside it.

`kubectl patch --local` needs no cluster.  Difference one: ports are keyed by number and protocol.  Difference two: new
items are appended (kubectl puts them first), so lists with a merge key are compared in the order of their keys.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery.language import patch

pytestmark = [pytest.mark.binaries, pytest.mark.slow]
DELETE = {"$patch": "delete"}
NAMES = ("web", "side", "new", "other")


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory):
    program = shutil.which("kubectl")
    if program is None:
        support.missing("kubectl", "BINARIES")
    folder = tmp_path_factory.mktemp("kubectl")

    def run(base, change):
        (folder / "base.json").write_text(json.dumps(base))
        (folder / "change.json").write_text(json.dumps(change))
        done = subprocess.run(
            [program, "patch", "--local", "--type", "strategic", "-o", "json", "-f", folder / "base.json",
             "--patch-file", folder / "change.json"],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def keyed(key, items, *, most=3):
    return st.lists(items, max_size=most, unique_by=lambda item: item[key])


def fields(required, **optional):
    return st.fixed_dictionaries(required, optional={k: v for k, v in optional.items() if v is not None})


def containers(*, change):
    """A list of containers of an object, or of a patch: there nulls and directives may stand."""
    gone = st.none() if change else st.nothing()
    words = st.sampled_from(["a", "b", "c"])
    env = fields({"name": st.sampled_from(["A", "B", "C", "D"])}, value=words | gone)
    ports = fields({"containerPort": st.sampled_from([80, 81, 82])}, name=words)
    mounts = fields({"mountPath": st.sampled_from(["/a", "/b", "/c"]), "name": words}, readOnly=st.booleans())
    limits = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["1", "2"]) | gone, max_size=2)
    item = fields(
        {"name": st.sampled_from(NAMES), "image": st.sampled_from(["x", "y"])},
        args=st.lists(words, max_size=2),
        env=keyed("name", env | (removal("name", "A", "B", "C", "D") if change else st.nothing())),
        ports=keyed("containerPort", ports),
        volumeMounts=keyed("mountPath", mounts | (removal("mountPath", "/a", "/b", "/c") if change else st.nothing())),
        resources=fields({}, limits=limits),
        workingDir=words | gone,
    )
    return keyed("name", item | (removal("name", *NAMES) if change else st.nothing()))


def removal(key, *values):
    return st.sampled_from([{key: value, **DELETE} for value in values])


def pod(*, change):
    gone = st.none() if change else st.nothing()
    words = st.sampled_from(["a", "b", "c"])
    volumes = st.one_of(
        *[st.fixed_dictionaries({"name": words, kind: st.just({})}) for kind in ("emptyDir",)],
        *([removal("name", "a", "b", "c")] if change else []),
    )
    tolerations = st.lists(fields({"key": words}, operator=st.just("Exists")), max_size=2)
    return fields(
        {},
        containers=containers(change=change),
        initContainers=containers(change=change),
        volumes=keyed("name", volumes),
        nodeSelector=st.dictionaries(words, words | gone, max_size=3) | gone,
        tolerations=tolerations | gone,
        hostAliases=keyed(
            "ip", fields({"ip": st.sampled_from(["10.0.0.1", "10.0.0.2"])}, hostnames=st.lists(words, max_size=2))
        ),
        imagePullSecrets=keyed("name", st.fixed_dictionaries({"name": words})),
        serviceAccountName=words | gone,
        securityContext=fields({}, runAsUser=st.integers(1, 3) | gone, fsGroup=st.integers(1, 3) | gone) | gone,
    )


def deployment(*, change):
    gone = st.none() if change else st.nothing()
    words = st.sampled_from(["a", "b", "c"])
    labels = st.dictionaries(words, words | gone, max_size=3)
    strategy = st.sampled_from([{"type": "Recreate", "$retainKeys": ["type"]}, {"$patch": "replace", "type": "Recreate"}])
    finalizers = st.lists(st.sampled_from(["x/a", "x/b"]), max_size=2, unique=True)
    template = fields({"spec": pod(change=change)}, metadata=fields({}, labels=labels))
    return fields(
        {
            "metadata": fields({}, labels=labels, annotations=labels | gone, finalizers=finalizers),
            "spec": fields(
                {"template": template},
                replicas=st.integers(0, 3) | gone,
                strategy=strategy if change else st.just({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}),
            ),
        }
    )


KEYS = {"containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "imagePullSecrets": "name",
        "volumeMounts": "mountPath", "hostAliases": "ip", "ports": "containerPort"}  # fmt: skip


def comparable(tree, field=""):
    """Keyed lists and sets sorted; empty maps and lists gone, because kubectl prints typed objects without them."""
    if isinstance(tree, dict):
        inner = {k: comparable(v, k) for k, v in tree.items()}
        return {k: v for k, v in inner.items() if v not in ({}, [], None) or k == "emptyDir"}
    if isinstance(tree, list):
        items = [comparable(v) for v in tree]
        if field in KEYS:
            return sorted(items, key=lambda item: str(item[KEYS[field]]))
        return sorted(items) if field == "finalizers" else items
    return tree


@settings(max_examples=support.examples(60))
@given(deployment(change=False), deployment(change=True))
def test_a_strategic_merge_equals_kubectls(kubectl, base, change):
    base = {"apiVersion": "apps/v1", "kind": "Deployment", **base}
    base["metadata"] = {"name": "web", **base.get("metadata", {})}
    base["spec"] = {"strategy": {"type": "RollingUpdate"}, **base.get("spec", {})}  # kubectl loses a `replace` of nothing
    before = copy.deepcopy((base, change))
    ours = patch.strategic(base, change)
    assert (base, change) == before
    assert not directives(ours)
    assert comparable(ours) == comparable(undirected(kubectl(base, change)))


def directives(tree):
    return '"$' in json.dumps(tree)


def undirected(tree):
    """kubectl leaves the directives in what the base lacked and it adds whole; ours never reach the output."""
    if isinstance(tree, dict):
        return {k: undirected(v) for k, v in tree.items() if k[:1] != "$"}
    if isinstance(tree, list):
        return [undirected(v) for v in tree if not (isinstance(v, dict) and v.get("$patch") == "delete")]
    return tree


def workload(*items, **pod_fields):
    spec = {"containers": list(items), **pod_fields}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}


def test_difference_one_ports_of_one_number_and_two_protocols_stay_two(kubectl):
    dns = {"name": "dns", "image": "x", "ports": [{"containerPort": 53, "name": "tcp"}]}
    change = workload({"name": "dns", "ports": [{"containerPort": 53, "protocol": "UDP", "name": "udp"}]})
    ours = patch.strategic(workload(dns), change)["spec"]["template"]["spec"]["containers"][0]["ports"]
    theirs = kubectl(workload(dns), change)["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert ours == [{"containerPort": 53, "name": "tcp"}, {"containerPort": 53, "protocol": "UDP", "name": "udp"}]
    assert theirs == [{"containerPort": 53, "name": "udp", "protocol": "UDP"}]


def test_difference_two_new_items_come_last(kubectl):
    change = workload({"name": "log", "image": "y"})
    ours = patch.strategic(workload({"name": "web", "image": "x"}), change)
    theirs = kubectl(workload({"name": "web", "image": "x"}), change)
    assert [c["name"] for c in ours["spec"]["template"]["spec"]["containers"]] == ["web", "log"]
    assert [c["name"] for c in theirs["spec"]["template"]["spec"]["containers"]] == ["log", "web"]


@pytest.mark.parametrize(
    "change",
    [
        [{"$patch": "replace"}, {"name": "only", "image": "z"}],
        [{"name": "only", "image": "z"}, {"$patch": "replace"}],
        [{"name": "web", "$patch": "delete"}],
        [{"name": "gone", "$patch": "delete"}],
        [],
    ],
)
def test_directives_in_a_list_mean_what_they_mean_to_kubectl(kubectl, change):
    base = workload({"name": "web", "image": "x"}, {"name": "side", "image": "y"})
    assert comparable(patch.strategic(base, workload(*change))) == comparable(kubectl(base, workload(*change)))


def test_kubectls_own_directives_are_understood(kubectl):
    base = workload({"name": "web", "image": "x"})
    base["metadata"]["finalizers"] = ["x/a", "x/b"]
    change = workload({"name": "web", "image": "y"}, **{"$setElementOrder/containers": [{"name": "web"}]})
    change["metadata"] = {"finalizers": ["x/c"], "$deleteFromPrimitiveList/finalizers": ["x/a"]}
    assert comparable(patch.strategic(base, change)) == comparable(kubectl(base, change))
