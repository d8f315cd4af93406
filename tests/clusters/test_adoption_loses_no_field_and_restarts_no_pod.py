"""Taking objects over from kubectl and Helm by applying, then subtracting ours from their entries (delivery.md 6.2)."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from appdelivery import errors
from appdelivery.clusters import apply as applying
from appdelivery.clusters import ownership
from appdelivery.model.refs import ref_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_lab import Lab
    from plane_fixtures import Planes

    Install = Callable[..., None]

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.binaries,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("plane"),
]
LEGACY = ("kubectl*", "helm", "before-first-apply")


def before(namespace: str, replicas: int = 3) -> list[dict[str, Any]]:
    """What the former tool wrote: fields named old, drop and keep by their fate."""
    container = {
        "name": "app",
        "image": "registry.example/app:1",
        "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "1"}},
        "env": [{"name": "KEEP", "value": "1"}, {"name": "DROP", "value": "1"}, {"name": "OLD", "value": "1"}],
    }
    pod = {
        "metadata": {"labels": {"app": "web"}, "annotations": {"note": "x"}},
        "spec": {
            "terminationGracePeriodSeconds": 7,
            "containers": [container, {"name": "side", "image": "side"}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
    }
    metadata = {"name": "web", "namespace": namespace}
    spec = {"replicas": replicas, "minReadySeconds": 1, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata | {"labels": {"old": "1", "both": "1"}},
            "spec": spec,
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"keep": "1", "drop": "1", "old": "1"}},
    ]


def ours(lab: Lab, *, dropped: bool = False) -> list[dict[str, Any]]:
    """What we render: without the fields named old (but for the pod's, or pods would restart), later without the drop ones."""
    objects = []
    for body in copy.deepcopy(before(lab.namespace)):
        marked = lab.object(body["apiVersion"], body["kind"], "web")
        body["metadata"]["labels"] = marked["metadata"]["labels"] | body["metadata"].get("labels", {})
        body["metadata"]["annotations"] = marked["metadata"]["annotations"]
        body["metadata"]["labels"].pop("old", None)
        objects.append(body)
    deployment, config = objects
    del config["data"]["old"]
    if dropped:
        del config["data"]["drop"], deployment["spec"]["minReadySeconds"], deployment["metadata"]["labels"]["both"]
        template = deployment["spec"]["template"]
        del template["metadata"]["annotations"], template["spec"]["volumes"]
        del template["spec"]["terminationGracePeriodSeconds"]
        one = template["spec"]["containers"][0]
        del one["ports"], one["resources"], one["env"][1]
        template["spec"]["containers"].pop()
    return objects


@pytest.fixture
def run(real_plane: Planes) -> Callable[..., str]:
    def command(program: str, *arguments: str, given: str = "") -> str:
        environment = {**os.environ, "KUBECONFIG": real_plane.kubeconfig}
        done = subprocess.run(
            [program, *arguments], input=given, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return command


def by_kubectl(lab: Lab, run: Any, kubectl: str, replicas: int = 3) -> None:
    items = before(lab.namespace, replicas)
    run(kubectl, "apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    run(kubectl, "label", "-n", lab.namespace, "deployment/web", "hand=1")


def by_helm(lab: Lab, run: Any, helm: str, folder: Path, *flags: str) -> None:
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    for index, body in enumerate(before(lab.namespace)):
        (folder / "templates" / f"{index}.yaml").write_text(json.dumps(body))
    run(helm, "install", "web", str(folder), "-n", lab.namespace, *flags)


@pytest.fixture(params=["kubectl", "helm", "helm client-side"])
def install(request: pytest.FixtureRequest, real_lab: Lab, run: Any, tmp_path: Path) -> str:
    """The objects as the former tool leaves them."""
    if request.param == "kubectl":
        by_kubectl(real_lab, run, request.getfixturevalue("kubectl_program"))
    else:
        flags = ["--server-side=false"] if request.param != "helm" else []
        by_helm(real_lab, run, request.getfixturevalue("helm_program"), tmp_path, *flags)
    return str(request.param)


async def test_fields_stay_until_we_drop_them_and_pods_go_on(real_lab: Lab, install: str) -> None:
    lab = real_lab
    first_deployment, first_config = ours(lab)
    settled = await lab.kube.until(first_deployment, lambda live: (live.get("status") or {}).get("readyReplicas") == 3)
    subresources = [one for one in settled["metadata"]["managedFields"] if one.get("subresource")]

    for body in (first_deployment, first_config):
        applied = await lab.apply(body, force=True, absorb=LEGACY)
        live = (await lab.live(body)).body
        assert applied.own_digest == ownership.own_digest(live, lab.manager, applied.bare)
    deployment, config = await lab.kube.get(first_deployment), await lab.kube.get(first_config)
    # Nothing live is lost, and an equal pod template restarts nothing.
    assert config["data"] == {"keep": "1", "drop": "1", "old": "1"}
    assert deployment["metadata"]["labels"]["old"] == "1"
    assert deployment["spec"]["template"] == settled["spec"]["template"]
    assert deployment["spec"]["replicas"] == 3
    assert deployment["status"]["updatedReplicas"] == 3
    assert ownership.LAST_APPLIED not in (deployment["metadata"].get("annotations") or {})
    after = [one for one in deployment["metadata"]["managedFields"] if one.get("subresource")]
    assert [one["manager"] for one in after] == [one["manager"] for one in subresources]

    # Once more costs one request each and writes nothing.  A controller may write its status in between: then again.
    for body in (first_deployment, first_config):
        for _ in range(10):
            known = int((await lab.kube.get(body))["metadata"]["resourceVersion"])
            again = await lab.apply(body, absorb=LEGACY, known_version=known)
            if again.result == "unchanged":
                break
        assert (again.result, again.requests) == ("unchanged", 1)

    for body in ours(lab, dropped=True):
        await lab.apply(body)
    deployment, config = await lab.kube.get(first_deployment), await lab.kube.get(first_config)
    assert config["data"] == {"keep": "1", "old": "1"}
    pod = deployment["spec"]["template"]["spec"]
    assert "both" not in deployment["metadata"]["labels"]
    assert [one["name"] for one in pod["containers"]] == ["app"]
    assert [one["name"] for one in pod["containers"][0]["env"]] == ["KEEP", "OLD"]
    assert not pod["containers"][0].get("ports")
    assert not pod.get("volumes")
    assert pod["terminationGracePeriodSeconds"] == 30
    assert not deployment["spec"].get("minReadySeconds")


async def test_replicas_we_do_not_render_stay(real_lab: Lab, run: Any, kubectl_program: str) -> None:
    """Merging the former entry into ours instead would make them ours, and the next apply would reset them to 1."""
    lab = real_lab
    by_kubectl(lab, run, kubectl_program)
    body = ours(lab)[0]
    del body["spec"]["replicas"]
    await lab.apply(body, force=True, absorb=LEGACY)
    await lab.apply(body)
    assert (await lab.kube.get(body))["spec"]["replicas"] == 3


async def test_a_stop_between_apply_and_subtraction_is_made_good_by_the_next_apply(
    real_lab: Lab, run: Any, kubectl_program: str
) -> None:
    lab = real_lab
    by_kubectl(lab, run, kubectl_program)
    config = ours(lab)[1]
    stopped = await lab.apply(config, force=True)
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(config))
    assert "kubectl-client-side-apply" in fact.managers
    resumed = await lab.apply(config, absorb=LEGACY)
    assert (stopped.requests, resumed.requests) == (1, 2)
    fewer = copy.deepcopy(config)
    del fewer["data"]["drop"]
    assert "drop" not in (await lab.apply(fewer)).body["data"]


async def test_a_stale_subtraction_is_refused_with_409_and_made_anew(
    real_lab: Lab, run: Any, kubectl_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes between our apply and our patch."""
    lab = real_lab
    by_kubectl(lab, run, kubectl_program)
    config = ours(lab)[1]
    real_patch, patches = applying._Write.patch, []

    async def disturbed(self: Any, operations: Any) -> Any:
        patches.append(operations)
        if len(patches) <= 2:
            await lab.kube.merge(config, {"metadata": {"labels": {"n": str(len(patches))}}})
        return await real_patch(self, operations)

    monkeypatch.setattr(applying._Write, "patch", disturbed)
    applied = await lab.apply(config, force=True, absorb=LEGACY)
    assert len(patches) == 3
    assert applied.body["metadata"]["labels"]["n"] == "2"
    fewer = copy.deepcopy(config)
    del fewer["data"]["drop"]
    assert (await lab.apply(fewer)).body["data"] == {"keep": "1", "old": "1"}


async def test_an_endless_race_ends_with_stale(
    real_lab: Lab, run: Any, kubectl_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = real_lab
    by_kubectl(lab, run, kubectl_program)
    config = ours(lab)[1]
    real_patch, patches = applying._Write.patch, []

    async def disturbed(self: Any, operations: Any) -> Any:
        patches.append(operations)
        await lab.kube.merge(config, {"metadata": {"labels": {"n": str(len(patches))}}})
        return await real_patch(self, operations)

    monkeypatch.setattr(applying._Write, "patch", disturbed)
    with pytest.raises(errors.Stale):
        await lab.apply(config, force=True, absorb=LEGACY)
    assert len(patches) == applying.RETRIES


async def test_wiped_managed_fields_are_recovered_from(real_lab: Lab) -> None:
    """3.1 i: the next apply makes `before-first-apply` co-owner of everything; subtracted, dropped fields disappear."""
    lab = real_lab
    body = lab.config(keep="1", drop="1")
    await lab.apply(body)
    await lab.kube.json_patch(body, [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}])
    assert await lab.own_digest(body) == ""
    await lab.apply(body, force=True, absorb=("before-first-apply",))
    assert (await lab.apply(lab.config(keep="1"))).body["data"] == {"keep": "1"}


async def test_yielded_fields_are_not_taken_in_an_adoption(real_lab: Lab, run: Any, kubectl_program: str) -> None:
    lab = real_lab
    by_kubectl(lab, run, kubectl_program)
    body = ours(lab)[0]
    await lab.kube.merge(body, {"spec": {"replicas": 5}}, sub="scale", manager="autoscaler")
    await lab.apply(body, force=True, absorb=LEGACY, leave_out=(".spec.replicas",))
    live = await lab.live(body)
    assert live.body["spec"]["replicas"] == 5
    assert not (await lab.fleet.fact_of(lab.cluster, live)).owns_replicas
    assert ref_of(body).kind == "Deployment"
