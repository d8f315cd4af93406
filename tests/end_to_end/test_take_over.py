"""Objects that other tools made become ours without a restart, without a lost field, and are ours from then on."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import parts
import pytest
import yaml

if TYPE_CHECKING:
    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-three")]
SHARED = [{"name": "KEPT", "value": "1"}, {"name": "DROPPED", "value": "2"}]
THEIRS = {"name": "THEIRS", "value": "3"}
NAMES = ("applied", "created", "helmed")


def theirs(name: str) -> dict[str, Any]:
    """As the other tool has it: three replicas, an environment variable and limits that we shall not render."""
    body = parts.deployment(name, replicas=3, env=[*SHARED, THEIRS], resources={"limits": {"cpu": "1"}})
    body["metadata"]["labels"] = {"team": "theirs"}
    return body


def ours(name: str, *, drop: bool = False, image: str = "example/app:1") -> dict[str, Any]:
    return parts.deployment(name, replicas=None, env=SHARED[:1] if drop else SHARED, image=image)


@pytest.fixture
def foreign(lab: laboratory.Laboratory, helm_program: str) -> laboratory.Laboratory:
    """Three Deployments, each made by another tool, all of their pods ready."""
    lab.kubectl("create", "namespace", lab.namespace)
    lab.kubectl("apply", "-f", "-", stdin=json.dumps(theirs("applied")))
    lab.kubectl("create", "-f", "-", stdin=json.dumps(theirs("created")))
    chart = os.path.join(lab.home, "chart")
    os.makedirs(f"{chart}/templates")
    lab.write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n")
    lab.write("chart/templates/web.yaml", yaml.safe_dump(theirs("helmed")))
    helm(lab, helm_program, "install", "web", chart)
    for name in NAMES:
        lab.kubectl("wait", "--for=condition=Available", f"deployment/{name}", "--timeout=60s")
    return lab


def helm(lab: laboratory.Laboratory, program: str, *words: str) -> None:
    command = [program, "--kubeconfig", lab.kubeconfig, "--kube-context", lab.context, "-n", lab.namespace, *words]
    environment = {"PATH": os.environ["PATH"], "HOME": lab.home}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def pods(lab: laboratory.Laboratory) -> set[str]:
    found = json.loads(lab.kubectl("get", "pods", "-o", "json"))["items"]
    return {one["metadata"]["uid"] for one in found if "deletionTimestamp" not in one["metadata"]}


def managers(body: dict[str, Any]) -> set[str]:
    return {one["manager"] for one in body["metadata"]["managedFields"] if not one.get("subresource")}


def live(lab: laboratory.Laboratory, name: str) -> dict[str, Any]:
    return json.loads(lab.kubectl("get", "deployment", name, "-o", "json", "--show-managed-fields"))


def test_what_kubectl_and_helm_made_is_refused_with_its_maker_and_then_taken_over(foreign: laboratory.Laboratory) -> None:
    lab = foreign
    app = parts.application(lab, "shop", parts.objects(*[ours(name) for name in NAMES]))
    refused = lab.appctl("up", app, code=2)
    assert 'it exists and belongs to the Helm release "web"' in refused.err
    assert "it exists and belongs to kubectl-client-side-apply" in refused.err
    assert "it exists and belongs to kubectl-create" in refused.err
    assert "--take-ownership" in refused.err
    assert lab.appctl("list").out.count("shop") == 0

    before = {name: live(lab, name) for name in NAMES}
    running, sets = pods(lab), lab.names("replicasets")
    unasked = lab.appctl("up", app, "--take-ownership", code=2)
    assert "take over" in unasked.err
    assert "--yes" in unasked.err
    assert {name: live(lab, name) for name in NAMES} == before

    lab.appctl("up", app, "--take-ownership", "--yes")
    for name in NAMES:
        now = live(lab, name)
        assert parts.leaves(before[name]["spec"]).items() <= parts.leaves(now["spec"]).items()
        assert before[name]["metadata"]["labels"].items() <= now["metadata"]["labels"].items()
        assert now["spec"]["replicas"] == 3
        assert "kubectl.kubernetes.io/last-applied-configuration" not in now["metadata"]["annotations"]
    assert (pods(lab), lab.names("replicasets")) == (running, sets)
    assert "3 unchanged" in lab.appctl("up", app).out

    dropped = parts.application(lab, "shop", parts.objects(*[ours(name, drop=True) for name in NAMES]))
    lab.appctl("up", dropped)
    for name in NAMES:
        spec = lab.get("deployment", name)["spec"]
        names = [one["name"] for one in spec["template"]["spec"]["containers"][0]["env"]]
        assert sorted(names) == ["KEPT", "THEIRS"], f"{name} keeps what was dropped, or lost what was theirs"
        assert spec["replicas"] == 3
        assert spec["template"]["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}}


def test_the_policy_takes_over_what_it_names_and_nothing_else(foreign: laboratory.Laboratory) -> None:
    lab = foreign
    named = parts.policy("take-over", rules=[{"selector": {"resourceTypes": ["Deployment"], "resourceNames": ["appl*"]}}])
    both = parts.application(lab, "shop", parts.objects(ours("applied"), ours("created")), policies=(named,))
    refused = lab.appctl("up", both, "--yes", code=2)
    assert f"Deployment {lab.namespace}/created" in refused.err
    assert f"Deployment {lab.namespace}/applied" not in refused.err
    assert "kubectl-client-side-apply" in managers(live(lab, "applied"))

    running = pods(lab)
    one = parts.application(lab, "shop", parts.objects(ours("applied")), policies=(named,))
    planned = lab.appctl("plan", one)
    assert "! take over Deployment/applied  taken over from kubectl-client-side-apply" in planned.out
    lab.appctl("up", one, "--yes")
    assert pods(lab) == running
    assert managers(live(lab, "applied")) >= {f"appctl:{lab.namespace}/shop"}

    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert lab.names("deployments") == ["deployment.apps/created", "deployment.apps/helmed"]


def test_a_take_over_that_renders_another_pod_says_so_before_it_restarts_anything(foreign: laboratory.Laboratory) -> None:
    lab = foreign
    app = parts.application(lab, "shop", parts.objects(ours("helmed", image="example/app:2")))
    running = pods(lab)
    compared = lab.appctl("diff", app, "--take-ownership", code=1)
    assert "/spec/template/spec/containers/0/image: example/app:2" in compared.out
    assert "/spec/replicas" not in compared.out
    assert pods(lab) == running
