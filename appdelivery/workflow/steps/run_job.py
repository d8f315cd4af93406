"""`run-job`: a program as a Job, its files beside it, its last line of JSON as output (run-job, apply-job, vela-cli,
build-push-image).

The Job is found again by its labels, so a step that is started twice runs its program once.  Jobs are no part of the
application's inventory: they are deleted by their own time to live, or by a clean-jobs step.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery.ports import ApplyOptions, DeleteOptions, LogOptions
from appdelivery.model import marks, names, sha256
from appdelivery.model.refs import AppKey, Kind, Ref, Selector
from appdelivery.workflow.model import Done, Fail, Wait
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.model.live import Live
    from appdelivery.workflow.model import Result, StepContext

JOB, POD = Kind("batch", "v1", "Job"), Kind("", "v1", "Pod")
NAME, STEP, RUN, TRY = "workflow.oam.dev/name", "workflow.oam.dev/step-name", "appdelivery.dev/run", "appdelivery.dev/try"
TOLD = "appdelivery.dev/told"  # the step has said that this Job failed
TELLER = "appctl-steps"  # field manager of that label
TAIL = 40  # lines of the log that are looked at
SAID = 5  # of them in a failure
KEPT_S = 86400  # a finished Job, when it does not say


async def run(at: StepContext) -> Result:
    """cursor: {job, looks}.  Without one the newest Job of this run and step counts, unless its failure was told: then
    the step is retried, and its program runs again."""
    around, given = world.of(at), at.properties
    cluster, namespace = around.at(given.get("cluster") or ""), given.get("namespace") or around.namespace
    if at.cursor:
        ref = Ref("batch", "v1", "Job", namespace, at.cursor["job"])
        live = (await around.fleet.read(cluster, [ref])).get(ref)
        if live is None:
            return Fail("step.job-gone", f"{ref} was deleted while the step waited for it", retryable=True)
        return await _judged(at, cluster, live, at.cursor["looks"])
    existing = await _newest(at, cluster, namespace)
    if existing is not None and TOLD not in existing.body["metadata"]["labels"]:
        await _files(at, cluster, existing.body)  # whoever started it may have got no further
        return _runs(cluster, namespace, existing.ref.name)
    if at.cancelled():
        return Fail("step.cancelled", "cancelled before the Job was started", retryable=False)
    number = int(existing.body["metadata"]["labels"][TRY]) + 1 if existing else 1
    name = given.get("name") or _name(at, number)
    if given.get("name") and not await _free(at, cluster, Ref("batch", "v1", "Job", namespace, name)):
        return Wait(world.poll(0), None, f"waits until Job {namespace}/{name} of an earlier run is gone")
    await _start(at, cluster, namespace, name, number)
    return _runs(cluster, namespace, name)


def _runs(cluster: str, namespace: str, name: str) -> Wait:
    return Wait(world.poll(0), {"job": name, "looks": 0}, f"Job {namespace}/{name} runs", [_wake(cluster, namespace, name)])


# --- starting ---


async def _newest(at: StepContext, cluster: str, namespace: str) -> Live | None:
    found = await world.of(at).fleet.list(cluster, JOB, namespace, Selector(f"{RUN}={_label(at.run.id)},{STEP}={_step(at)}"))
    living = [live for live in found if "deletionTimestamp" not in live.body["metadata"]]
    return max(living, key=lambda live: int(live.body["metadata"]["labels"].get(TRY) or 0), default=None)


def _name(at: StepContext, number: int) -> str:
    mark = sha256.hexdigest(f"{at.run.id}/{at.name}/{number}".encode())[:8]
    return f"{names.dnsname(f'{_owner(at).name}-{at.name}', 54)}-{mark}"


def _owner(at: StepContext) -> AppKey:
    return at.app or AppKey(at.run.namespace, at.run.name)


def _step(at: StepContext) -> str:
    return names.dnsname(f"{_owner(at).name}-{at.name}")


def _label(text: str) -> str:
    return names.dnsname(text)


async def _free(at: StepContext, cluster: str, ref: Ref) -> bool:
    """Whether a fixed name can be used: a finished Job of an earlier run makes room, a Job of somebody else does not."""
    around = world.of(at)
    live = (await around.fleet.read(cluster, [ref])).get(ref)
    if live is None:
        return True
    labels = live.body["metadata"].get("labels") or {}
    if labels.get(STEP) != _step(at):
        raise errors.Conflict(f"start {ref} in cluster {cluster}: a Job of that name exists and is not one of this step")
    if "deletionTimestamp" not in live.body["metadata"]:
        await around.fleet.delete(cluster, ref, DeleteOptions(uid=live.uid))
    return False


async def _start(at: StepContext, cluster: str, namespace: str, name: str, number: int) -> None:
    """The Job first, then its files, which the Job owns: pods wait for them, and they go when it goes."""
    around, manager = world.of(at), marks.manager_of(_owner(at))
    ref = Ref("batch", "v1", "Job", namespace, name)
    applied = await around.fleet.apply(cluster, ref, _job(at, namespace, name, number), ApplyOptions(manager, force=True))
    await _files(at, cluster, applied.body)


async def _files(at: StepContext, cluster: str, job: dict[str, Any]) -> None:
    if not at.properties.get("files"):
        return
    about = job["metadata"]
    name, namespace = about["name"], about["namespace"]
    labels = {key: about["labels"][key] for key in (NAME, STEP, RUN, TRY)}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": about["uid"]}
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": [owner]},
        "data": at.properties["files"],
    }
    ref, how = Ref("", "v1", "ConfigMap", namespace, name), ApplyOptions(marks.manager_of(_owner(at)), force=True)
    await world.of(at).fleet.apply(cluster, ref, body, how)


def _job(at: StepContext, namespace: str, name: str, number: int) -> dict[str, Any]:
    given = at.properties
    spec: dict[str, Any] = dict(given["spec"])
    spec.setdefault("ttlSecondsAfterFinished", KEPT_S)
    template = dict(spec.get("template") or {})
    labels = {NAME: _owner(at).name, STEP: _step(at), RUN: _label(at.run.id), TRY: str(number)}
    about = dict(template.get("metadata") or {})
    about["labels"] = {**(about.get("labels") or {}), **labels}
    template["metadata"] = about
    if given.get("files"):
        template["spec"] = _mounted(template.get("spec") or {}, name, given.get("filesPath") or "/files")
    spec["template"] = template
    metadata = {"name": name, "namespace": namespace, "labels": {**(given.get("labels") or {}), **labels}}
    if given.get("annotations"):
        metadata["annotations"] = given["annotations"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _mounted(pod: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    """The files in every container of the pod, executable."""
    volume = {"name": "files", "configMap": {"name": name, "defaultMode": 0o555}}
    mount = {"name": "files", "mountPath": path, "readOnly": True}
    containers = [{**one, "volumeMounts": [*(one.get("volumeMounts") or ()), mount]} for one in pod.get("containers") or ()]
    return {**pod, "containers": containers, "volumes": [*(pod.get("volumes") or ()), volume]}


# --- watching ---


async def _judged(at: StepContext, cluster: str, live: Live, looks: int) -> Result:
    ref = live.ref
    failed, complete = _condition(live, "Failed"), _condition(live, "Complete")
    if failed is None and complete is None:
        status = live.body.get("status") or {}
        running = f"Job {ref.namespace}/{ref.name}: {status.get('active', 0)} active, {status.get('failed', 0)} failed"
        cursor = {"job": ref.name, "looks": looks + 1}
        return Wait(world.poll(looks), cursor, running, [_wake(cluster, ref.namespace, ref.name)])
    lines = await _log(at, cluster, ref)
    for line in lines:
        at.log(line)
    if failed is not None:
        await _tell(at, cluster, live)
        why = failed.get("message") or failed.get("reason") or "it failed"
        said = "; last lines: " + " | ".join(lines[-SAID:]) if lines else ""
        return Fail("step.job-failed", f"Job {ref.namespace}/{ref.name}: {why}{said}", retryable=False)
    outputs = {"job": world.plain(live.body), "output": _output(lines), "logs": "\n".join(lines)}
    return Done(outputs, f"Job {ref.namespace}/{ref.name} is complete")


async def _tell(at: StepContext, cluster: str, live: Live) -> None:
    """Marks the Job before its failure is recorded: a step killed in between finds by its cursor that it failed."""
    about = {"name": live.ref.name, "namespace": live.ref.namespace, "labels": {TOLD: "failed"}}
    mark = {"apiVersion": "batch/v1", "kind": "Job", "metadata": about}
    await world.of(at).fleet.apply(cluster, live.ref, mark, ApplyOptions(TELLER, force=True))


def _condition(live: Live, type_: str) -> dict[str, Any] | None:
    for one in (live.body.get("status") or {}).get("conditions") or ():
        if one.get("type") == type_ and one.get("status") == "True":
            return dict(one)
    return None


async def _log(at: StepContext, cluster: str, job: Ref) -> list[str]:
    """The last lines of the pod that started last; none when there is no pod to be read any more."""
    around = world.of(at)
    pods = await around.fleet.list(cluster, POD, job.namespace, Selector(f"batch.kubernetes.io/job-name={job.name}"))
    newest = max(pods, key=lambda pod: str(pod.body["metadata"].get("creationTimestamp", "")), default=None)
    if newest is None:
        return []
    container = newest.body["spec"]["containers"][0]["name"]
    try:
        return [line async for line in around.fleet.logs(cluster, newest.ref, LogOptions(container=container, tail=TAIL))]
    except (errors.Missing, errors.Rejected):  # the pod went meanwhile, or never started
        return []


def _output(lines: list[str]) -> Any:
    """The last line that is JSON of a map, list, text or number."""
    for line in reversed(lines):
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            continue
    return None


def _wake(cluster: str, namespace: str, name: str) -> Any:
    return world.wake(cluster, Ref("batch", "v1", "Job", namespace, name))
