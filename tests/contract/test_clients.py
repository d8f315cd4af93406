"""The clients that people have: kubectl, helm and kr8s, with real binaries, on the sandbox and on a real plane.

The lists of testing.md section 6: 30 kubectl commands, 10 helm commands, and what kr8s lists, gets, watches and patches.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fleet_lab
import pytest
import sandbox_fixtures
import support
import yaml

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fleet_lab import Lab
    from plane_fixtures import Planes

pytestmark = [pytest.mark.binaries, pytest.mark.timeout(120)]
REAL = pytest.param("real", marks=[pytest.mark.cluster, pytest.mark.xdist_group("plane")])


@dataclass
class Output:
    code: int
    out: str
    err: str

    def ok(self) -> Output:
        assert self.code == 0, f"{self.code}\n{self.out}\n{self.err}"
        return self


@dataclass
class Shell:
    """Commands against one namespace of one cluster."""

    planes: Planes
    context: str
    lab: Lab
    folder: Path
    kubectl_program: str
    helm_program: str
    served: sandbox_fixtures.Served | None = None

    @property
    def namespace(self) -> str:
        return self.lab.namespace

    async def kubectl(self, *arguments: str, sent: Any = None) -> Output:
        return await self._run(self.kubectl_program, "--context", self.context, "-n", self.namespace, *arguments, sent=sent)

    async def helm(self, *arguments: str) -> Output:
        return await self._run(self.helm_program, "--kube-context", self.context, "-n", self.namespace, *arguments)

    async def _run(self, *command: str, sent: Any = None) -> Output:
        async with self.running(*command) as process:
            given = None if sent is None else (sent if isinstance(sent, str) else json.dumps(sent)).encode()
            async with asyncio.timeout(60 * support.SCALE):
                out, err = await process.communicate(given)
        return Output(process.returncode or 0, out.decode(), err.decode())

    @contextlib.asynccontextmanager
    async def running(self, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "KUBECONFIG": self.planes.kubeconfig,
            "HELM_CACHE_HOME": str(self.folder / "helm"),
            "HELM_CONFIG_HOME": str(self.folder / "helm"),
            "HELM_DATA_HOME": str(self.folder / "helm"),
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def file(self, *bodies: dict[str, Any]) -> str:
        path = self.folder / "objects.yaml"
        path.write_text(yaml.safe_dump_all(bodies))
        return str(path)

    async def deployed(self, **how: Any) -> dict[str, Any]:
        """A deployment `web` that is ready."""
        body = self.bare("apps/v1", "Deployment", "web", spec=self.lab.deployment(**how)["spec"])
        await self.lab.kube.create(
            body | {"metadata": {"name": "web", "namespace": self.namespace, "labels": {"app": "web"}}}
        )
        wanted = how.get("replicas", 1)
        await self.lab.kube.until(body, lambda live: (live.get("status") or {}).get("availableReplicas", 0) == wanted)
        return body

    def bare(self, api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}, **rest}

    def config(self, name: str = "settings", **data: str) -> dict[str, Any]:
        return self.bare("v1", "ConfigMap", name, data=data or {"a": "1"})


@pytest.fixture(params=["sandbox", REAL])
async def shell(
    request: pytest.FixtureRequest, tmp_path: Path, kubectl_program: str, helm_program: str
) -> AsyncIterator[Shell]:
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "sandbox":
            served = await stack.enter_async_context(sandbox_fixtures.served(str(tmp_path), "sandbox"))
            planes = served.planes
        else:
            served = None
            planes = request.getfixturevalue("full_plane")
        context = planes.contexts[0]
        lab = await stack.enter_async_context(fleet_lab.on_cluster(planes.kubeconfig, context))
        yield Shell(planes, context, lab, tmp_path, kubectl_program, helm_program, served)


# --- kubectl ---


async def test_version(shell: Shell) -> None:
    assert re.search(r"Server Version: v1\.\d+\.\d+", (await shell.kubectl("version")).ok().out)


async def test_api_resources(shell: Shell) -> None:
    out = (await shell.kubectl("api-resources")).ok().out
    assert re.search(r"^deployments\s+deploy\s+apps/v1\s+true\s+Deployment$", out, re.MULTILINE)
    assert re.search(r"^nodes\s+no\s+v1\s+false\s+Node$", out, re.MULTILINE)
    names = (await shell.kubectl("api-resources", "--categories=all", "-o", "name")).ok().out.split()
    assert {"pods", "services", "deployments.apps", "jobs.batch"} <= set(names)


async def test_api_versions(shell: Shell) -> None:
    assert {"v1", "apps/v1", "batch/v1", "autoscaling/v2"} <= set((await shell.kubectl("api-versions")).ok().out.split())


async def test_explain(shell: Shell) -> None:
    out = (await shell.kubectl("explain", "deployment.spec")).ok().out
    assert re.search(r"^GROUP:\s+apps$", out, re.MULTILINE)
    assert re.search(r"^  replicas\s+<integer>$", out, re.MULTILINE)
    assert re.search(r"^  template\s+<PodTemplateSpec> -required-$", out, re.MULTILINE)


async def test_create(shell: Shell) -> None:
    assert (await shell.kubectl("create", "-f", shell.file(shell.config()))).ok().out == "configmap/settings created\n"
    again = await shell.kubectl("create", "-f", shell.file(shell.config()))
    assert (again.code, "Error from server (AlreadyExists)" in again.err) == (1, True)


async def test_get_prints_a_table(shell: Shell) -> None:
    await shell.deployed(replicas=2)
    lines = (await shell.kubectl("get", "deployments")).ok().out.splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["web", "2/2", "2", "2"]
    wide = (await shell.kubectl("get", "pods,rs", "-o", "wide")).ok().out
    assert len(re.findall(r"^pod/web-\S+\s+1/1\s+Running\s+0\s", wide, re.MULTILINE)) == 2
    assert re.search(r"^replicaset\.apps/web-\S+\s+2\s+2\s+2\s", wide, re.MULTILINE)


async def test_get_as_yaml(shell: Shell) -> None:
    await shell.lab.kube.create(shell.config())
    body = yaml.safe_load((await shell.kubectl("get", "configmap", "settings", "-o", "yaml")).ok().out)
    assert (body["kind"], body["data"]) == ("ConfigMap", {"a": "1"})


async def test_apply_twice(shell: Shell) -> None:
    path = shell.file(shell.config(), shell.bare("apps/v1", "Deployment", "web", spec=shell.lab.deployment()["spec"]))
    first = (await shell.kubectl("apply", "-f", path)).ok()
    assert first.out == "configmap/settings created\ndeployment.apps/web created\n"
    again = (await shell.kubectl("apply", "-f", path)).ok()
    assert again.out == "configmap/settings unchanged\ndeployment.apps/web unchanged\n"
    changed = (await shell.kubectl("apply", "-f", shell.file(shell.config(b="2")))).ok()
    assert changed.out == "configmap/settings configured\n"
    assert (await shell.lab.kube.get(shell.config()))["data"] == {"b": "2"}


async def test_apply_on_the_server(shell: Shell) -> None:
    path = shell.file(shell.config())
    assert (await shell.kubectl("apply", "--server-side", "-f", path)).ok().out == "configmap/settings serverside-applied\n"
    await shell.lab.kube.merge(shell.config(), {"data": {"a": "theirs"}})
    refused = await shell.kubectl("apply", "--server-side", "-f", path)
    assert refused.code == 1
    assert 'conflict with "someone" using v1: .data.a' in refused.err
    (await shell.kubectl("apply", "--server-side", "--force-conflicts", "-f", path)).ok()
    assert (await shell.lab.kube.get(shell.config()))["data"] == {"a": "1"}


async def test_diff(shell: Shell) -> None:
    await shell.lab.kube.create(shell.config())
    path = shell.file(shell.config(a="2"))
    for how in ((), ("--server-side", "--force-conflicts")):
        found = await shell.kubectl("diff", *how, "-f", path)
        assert found.code == 1, found.err
        assert {'-  a: "1"', '+  a: "2"'} <= set(found.out.splitlines())
    assert (await shell.lab.kube.get(shell.config()))["data"] == {"a": "1"}


async def test_get_everywhere_by_label(shell: Shell) -> None:
    body = shell.config()
    body["metadata"]["labels"] = {"run": shell.namespace}
    await shell.lab.kube.create(body)
    out = (await shell.kubectl("get", "configmaps", "-A", "-l", f"run={shell.namespace}", "--no-headers")).ok().out
    assert out.split()[:3] == [shell.namespace, "settings", "1"]


async def test_describe(shell: Shell) -> None:
    await shell.deployed()
    out = (await shell.kubectl("describe", "deployment", "web")).ok().out
    assert re.search(r"^Replicas:\s+1 desired \| 1 updated \| 1 total \| 1 available \| 0 unavailable$", out, re.MULTILINE)
    assert re.search(r"^\s+Normal\s+ScalingReplicaSet\s.*Scaled up replica set web-\S+ from 0 to 1$", out, re.MULTILINE)


async def test_scale(shell: Shell) -> None:
    body = await shell.deployed()
    assert (await shell.kubectl("scale", "deployment/web", "--replicas=3")).ok().out == "deployment.apps/web scaled\n"
    assert (await shell.lab.kube.get(body))["spec"]["replicas"] == 3


async def test_set_image(shell: Shell) -> None:
    body = await shell.deployed()
    (await shell.kubectl("set", "image", "deployment/web", "app=registry.example/app:2")).ok()
    live = await shell.lab.kube.get(body)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/app:2"


@pytest.mark.parametrize(
    ("form", "change"),
    [
        ("merge", {"spec": {"minReadySeconds": 1}}),
        ("strategic", {"spec": {"minReadySeconds": 1}}),
        ("json", [{"op": "add", "path": "/spec/minReadySeconds", "value": 1}]),
    ],
)
async def test_patch(shell: Shell, form: str, change: Any) -> None:
    body = await shell.deployed()
    out = (await shell.kubectl("patch", "deployment", "web", f"--type={form}", "-p", json.dumps(change))).ok().out
    assert out == "deployment.apps/web patched\n"
    assert (await shell.lab.kube.get(body))["spec"]["minReadySeconds"] == 1


async def test_label(shell: Shell) -> None:
    await shell.lab.kube.create(shell.config())
    assert (await shell.kubectl("label", "configmap", "settings", "color=red")).ok().out == "configmap/settings labeled\n"
    assert (await shell.lab.kube.get(shell.config()))["metadata"]["labels"] == {"color": "red"}


async def test_annotate(shell: Shell) -> None:
    await shell.lab.kube.create(shell.config())
    (await shell.kubectl("annotate", "configmap", "settings", "note=here")).ok()
    assert (await shell.lab.kube.get(shell.config()))["metadata"]["annotations"] == {"note": "here"}


async def test_replace(shell: Shell) -> None:
    await shell.lab.kube.create(shell.config())
    assert (
        await shell.kubectl("replace", "-f", shell.file(shell.config(b="2")))
    ).ok().out == "configmap/settings replaced\n"
    assert (await shell.lab.kube.get(shell.config()))["data"] == {"b": "2"}


async def test_rollout_history_status_restart_and_undo(shell: Shell) -> None:
    body = await shell.deployed()
    (await shell.kubectl("set", "image", "deployment/web", "app=registry.example/app:2")).ok()
    out = (await shell.kubectl("rollout", "status", "deployment/web", "--timeout=30s")).ok().out
    assert out.splitlines()[-1] == 'deployment "web" successfully rolled out'
    history = (await shell.kubectl("rollout", "history", "deployment/web")).ok().out
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    (await shell.kubectl("rollout", "undo", "deployment/web")).ok()
    live = await shell.lab.kube.get(body)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/app:1"
    (await shell.kubectl("rollout", "restart", "deployment/web")).ok()


async def test_get_events(shell: Shell) -> None:
    await shell.deployed()
    out = (await shell.kubectl("get", "events")).ok().out
    assert re.search(r"Normal\s+ScalingReplicaSet\s+deployment/web\s+Scaled up replica set", out)
    newest = (await shell.kubectl("events", "--for=deployment/web")).ok().out
    assert "ScalingReplicaSet" in newest


async def test_auth_can_i(shell: Shell) -> None:
    assert (await shell.kubectl("auth", "can-i", "create", "deployments")).ok().out == "yes\n"
    if shell.planes.has(f"{shell.context}-none"):
        refused = await shell.kubectl("auth", "can-i", "create", "deployments", "--context", f"{shell.context}-none")
        assert (refused.code, refused.out) == (1, "no\n")
    assert re.search(r"^Username\s+\S+$", (await shell.kubectl("auth", "whoami")).ok().out, re.MULTILINE)


async def test_get_raw(shell: Shell) -> None:
    assert (await shell.kubectl("get", "--raw", "/readyz")).ok().out == "ok"


async def test_get_and_watch(shell: Shell) -> None:
    await shell.lab.kube.create(shell.config("first"))
    command = (shell.kubectl_program, "--context", shell.context, "-n", shell.namespace, "get", "configmaps", "-w")
    async with shell.running(*command, "--no-headers") as process, asyncio.timeout(30 * support.SCALE):
        assert process.stdout is not None
        while not (await process.stdout.readline()).startswith(b"first "):
            pass
        await shell.lab.kube.create(shell.config("second"))
        while not (await process.stdout.readline()).startswith(b"second "):
            pass


async def test_logs(shell: Shell) -> None:
    if os.environ.get("APPCTL_TEST_KUBECONFIG"):
        pytest.skip("what pods of an existing cluster write is not known")
    await shell.deployed()
    out = (await shell.kubectl("logs", "deployment/web", "--tail=2")).ok().out
    assert out == "warning: cache is cold\nready\n"


async def test_delete_and_again(shell: Shell) -> None:
    await shell.lab.kube.create(shell.config())
    out = (await shell.kubectl("delete", "configmap", "settings")).ok().out
    assert out.startswith('configmap "settings" deleted')
    again = await shell.kubectl("delete", "configmap", "settings")
    assert (again.code, again.err) == (1, 'Error from server (NotFound): configmaps "settings" not found\n')


async def test_create_namespace(shell: Shell) -> None:
    name = f"{shell.namespace}-more"
    try:
        assert (await shell.kubectl("create", "namespace", name)).ok().out == f"namespace/{name} created\n"
    finally:
        (await shell.kubectl("delete", "namespace", name, "--wait=false")).ok()


async def test_delete_deployment(shell: Shell) -> None:
    await shell.deployed()
    (await shell.kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=30s")).ok()
    assert (await shell.kubectl("get", "pods,rs,deployments", "-o", "name")).ok().out == ""


async def test_wait(shell: Shell) -> None:
    await shell.deployed()
    out = (await shell.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")).ok().out
    assert out == "deployment.apps/web condition met\n"
    (await shell.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod", "-l", "app=web", "--timeout=30s")).ok()
    waiting = asyncio.create_task(shell.kubectl("wait", "--for=delete", "deployment/web", "--timeout=30s"))
    (await shell.kubectl("delete", "deployment", "web")).ok()
    (await waiting).ok()


async def test_create_by_words(shell: Shell) -> None:
    """Typed commands send Kubernetes' own binary form."""
    for arguments in (
        ("configmap", "words", "--from-literal=a=1"),
        ("secret", "generic", "words", "--from-literal=a=1"),
        ("deployment", "words", "--image=registry.example/app:1", "--replicas=1"),
        ("service", "clusterip", "words", "--tcp=80:8080"),
        ("job", "words", "--image=registry.example/app:1"),
        ("cronjob", "words", "--image=registry.example/app:1", "--schedule=0 0 1 1 *"),
        ("serviceaccount", "words"),
        ("role", "words", "--verb=get", "--resource=pods"),
        ("rolebinding", "words", "--role=words", "--serviceaccount=default:default"),
        ("ingress", "words", "--rule=web.example.org/*=words:80"),
        ("quota", "words", "--hard=configmaps=100"),
        ("poddisruptionbudget", "words", "--selector=app=words", "--min-available=1"),
    ):
        assert "created" in (await shell.kubectl("create", *arguments)).ok().out
    assert "exposed" in (await shell.kubectl("expose", "deployment", "words", "--port=81", "--name=exposed")).ok().out
    assert "autoscaled" in (await shell.kubectl("autoscale", "deployment", "words", "--max=3")).ok().out
    secret = await shell.lab.kube.get(shell.bare("v1", "Secret", "words"))
    assert secret["data"] == {"a": "MQ=="}


# --- helm ---


@pytest.fixture
def chart(tmp_path: Path) -> str:
    """One deployment, one settings object, one service; a value that breaks the deployment."""
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: '1'\n")
    (folder / "values.yaml").write_text("color: blue\nreplicas: 1\n")
    (folder / "templates" / "all.yaml").write_text(CHART)
    return str(folder)


CHART = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {color: "{{ .Values.color }}", served: "{{ .Capabilities.APIVersions.Has "apps/v1" }}"}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, color: "{{ .Values.color }}"}}
    spec: {containers: [{name: app, image: "registry.example/app:1"}]}
"""


async def _color(shell: Shell) -> str:
    return (await shell.lab.kube.get(shell.bare("v1", "ConfigMap", "rel")))["data"]["color"]


async def test_helm_installs_upgrades_rolls_back_and_uninstalls(shell: Shell, chart: str) -> None:
    out = (await shell.helm("install", "rel", chart, "--wait", "--timeout", "30s")).ok().out
    assert "STATUS: deployed" in out
    assert await _color(shell) == "blue"
    (await shell.helm("upgrade", "rel", chart, "--set", "color=red")).ok()
    assert await _color(shell) == "red"
    before = (await shell.lab.kube.get(shell.bare("v1", "ConfigMap", "rel")))["metadata"]["resourceVersion"]
    (await shell.helm("upgrade", "rel", chart, "--set", "color=red")).ok()
    assert (await shell.lab.kube.get(shell.bare("v1", "ConfigMap", "rel")))["metadata"]["resourceVersion"] == before
    (await shell.helm("rollback", "rel", "1")).ok()
    assert await _color(shell) == "blue"
    history = json.loads((await shell.helm("history", "rel", "-o", "json")).ok().out)
    assert [(one["revision"], one["status"]) for one in history] == [
        (1, "superseded"), (2, "superseded"), (3, "superseded"), (4, "deployed"),
    ]  # fmt: skip
    status = json.loads((await shell.helm("status", "rel", "-o", "json")).ok().out)
    assert status["info"]["status"] == "deployed"
    listed = json.loads((await shell.helm("list", "-o", "json")).ok().out)
    assert [(one["name"], one["revision"]) for one in listed] == [("rel", "4")]
    (await shell.helm("uninstall", "rel", "--wait", "--timeout", "30s")).ok()
    assert json.loads((await shell.helm("list", "-o", "json")).ok().out) == []
    assert (await shell.kubectl("get", "deployments,services", "-o", "name")).ok().out == ""


async def test_helm_sends_two_requests_for_an_object(shell: Shell, chart: str) -> None:
    """Counted at the server: the figure that ours is compared with."""
    if shell.served is None:
        pytest.skip("only the sandbox keeps a log of requests")

    async def counted(*arguments: str) -> int:
        shell.served.only.log.clear()
        (await shell.helm(*arguments)).ok()
        ours = ("configmaps", "services", "deployments")
        return sum(plural in ours for _, plural, _ in shell.served.requests())

    assert await counted("install", "rel", chart) == 2 * 3
    assert await counted("upgrade", "rel", chart, "--set", "color=red") == 2 * 3
    assert await counted("rollback", "rel", "1") == 3 * 3


async def test_helm_renders_for_the_servers_versions(shell: Shell, chart: str) -> None:
    bodies = list(yaml.safe_load_all((await shell.helm("template", "rel", chart, "--validate")).ok().out))
    (config,) = [body for body in bodies if body["kind"] == "ConfigMap"]
    assert config["data"]["served"] == "true"


async def test_a_failed_helm_install_leaves_a_usable_state(shell: Shell, chart: str) -> None:
    failed = await shell.helm("install", "rel", chart, "--set", "replicas=-1")
    assert failed.code == 1
    assert "spec.replicas" in failed.err
    listed = json.loads((await shell.helm("list", "-o", "json")).ok().out)
    assert [one["status"] for one in listed] == ["failed"]
    (await shell.helm("upgrade", "--install", "--reset-values", "rel", chart)).ok()
    assert await _color(shell) == "blue"


# --- kr8s ---


@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning")
async def test_kr8s_lists_gets_watches_and_patches(shell: Shell) -> None:
    import kr8s.asyncio
    from kr8s.asyncio.objects import ConfigMap, Deployment

    api = await kr8s.asyncio.api(kubeconfig=shell.planes.kubeconfig, context=shell.context, namespace=shell.namespace)
    try:
        assert (await api.async_version())["major"] == "1"
        for number in range(3):
            made = await ConfigMap(shell.config(f"c{number}"), api=api)
            await made.create()
        listed = [one async for one in api.get("configmaps", namespace=shell.namespace)]
        assert {"c0", "c1", "c2"} <= {one.name for one in listed}
        one = await ConfigMap.get("c1", namespace=shell.namespace, api=api)
        assert one.raw["data"] == {"a": "1"}
        await one.patch({"data": {"b": "2"}})
        assert (await shell.lab.kube.get(shell.config("c1")))["data"] == {"a": "1", "b": "2"}
        watched = api.watch("configmaps", namespace=shell.namespace)
        async with asyncio.timeout(30 * support.SCALE), contextlib.aclosing(watched):
            async for event, seen in watched:
                if event == "ADDED" and seen.name == "c2":
                    await (await ConfigMap.get("c2", namespace=shell.namespace, api=api)).delete()
                if event == "DELETED":
                    assert seen.name == "c2"
                    break
        await shell.deployed()
        deployment = await Deployment.get("web", namespace=shell.namespace, api=api)
        assert await deployment.ready()
        await deployment.scale(2)
        assert await deployment.pods()
    finally:
        await api._session.aclose()  # it never closes it by itself
