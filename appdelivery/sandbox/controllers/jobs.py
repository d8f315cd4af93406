"""Jobs: pods until enough have ended well, or too many badly, or too late; counted once each by their finalizer.

`job_status` has the conditions.  A pod that ended is first noted in the status, then loses its finalizer, then counts:
three writes, as watchers of a real server see them.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers import job_status, objects, owners, queue, templates, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Key

NAME = "job-controller"
FINALIZER = "batch.kubernetes.io/job-tracking"
JOB_NAME = "batch.kubernetes.io/job-name"
INDEX = "batch.kubernetes.io/job-completion-index"
FIRST_DELAY, LONGEST_DELAY = 10.0, 360.0  # seconds between failed pods
SOON = 0.001


def reconcile(context: Context, key: Key) -> None:
    job = context.item(objects.JOBS, key)
    if job is None:
        _release(context, key)
        return
    pods = [item.body for item in context.index.controlled(objects.PODS, job)]
    if objects.deleting(job):
        for pod in pods:
            _untrack(context, pod)
        return
    if job_status.is_finished(job):
        for pod in pods:
            _untrack(context, pod)
        _expire(context, job)
        return
    job = _counted(context, _begun(context, job), pods)
    pods = [item.body for item in context.index.controlled(objects.PODS, job)]
    verdict = job_status.verdict(context, job, _failures(job))
    if verdict is not None:
        _end(context, job, pods, verdict)
    else:
        _work(context, job, pods)


def _release(context: Context, key: Key) -> None:
    """Pods of a Job that is gone wait for nobody."""
    for item in context.index.pods(key[0], {"matchLabels": {JOB_NAME: key[1]}}):
        _untrack(context, item.body)


def _begun(context: Context, job: Body) -> Body:
    """Started, suspended or resumed."""
    status = dict(job.get("status") or {})
    suspended, said = job["spec"].get("suspend", False), objects.is_true(job, "Suspended")
    if suspended and not said:
        status.pop("startTime", None)
        status["conditions"] = job_status.with_condition(context, job, "Suspended", "True", "JobSuspended", "Job suspended")
        context.events.normal(job, "Suspended", "Job suspended", by=NAME)
    elif not suspended:
        if said:
            status["conditions"] = job_status.with_condition(context, job, "Suspended", "False", "JobResumed", "Job resumed")
            context.events.normal(job, "Resumed", "Job resumed", by=NAME)
        if "startTime" not in status:
            status["startTime"] = context.stamp()
            context.touch(job["metadata"]["uid"], "began")
    # Written together with the numbers: one write a step.
    return {**job, "status": status}


def _counted(context: Context, job: Body, pods: list[Body]) -> Body:
    """Pods that ended since the last look enter the counts."""
    status = job["status"]
    fresh = [pod for pod in pods if FINALIZER in (pod["metadata"].get("finalizers") or ()) and _has_ended(pod)]
    if not fresh:
        return job
    well = [pod for pod in fresh if objects.phase(pod) == "Succeeded"]
    badly = [pod for pod in fresh if pod not in well]
    noted = {"succeeded": [_uid(pod) for pod in well], "failed": [_uid(pod) for pod in badly]}
    uncounted = {key: value for key, value in noted.items() if value}
    counts = {"succeeded": status.get("succeeded", 0) + len(well), "failed": status.get("failed", 0) + len(badly)}
    after = {key: value for key, value in status.items() if key not in ("active", "ready", "terminating")}
    after |= {key: value for key, value in counts.items() if value}
    if job["spec"].get("completionMode") == "Indexed":
        done = {*_parsed(status.get("completedIndexes", "")), *(_index(pod) for pod in well)}
        after["completedIndexes"] = _shown(sorted(done))
        after["succeeded"] = len(done)
    preview = {**job, "status": {**after, **_numbers(context, job)}}
    verdict = job_status.verdict(context, preview, _failures(preview))
    noting = {**status, **_numbers(context, job), "uncountedTerminatedPods": uncounted}
    if verdict is not None:
        noting["conditions"] = job_status.with_condition(
            context, job, verdict.target, "True", verdict.reason, verdict.message
        )
        noting.pop("active", None)
    job = _write(context, job, noting)
    for pod in fresh:
        _untrack(context, pod)
    if badly:
        context.touch(_uid(job), "finished")
    if verdict is not None:
        return {**job, "status": {**job["status"], **after, "conditions": job["status"]["conditions"]}}
    return _write(context, job, {**job["status"], **after, "uncountedTerminatedPods": {}})


def _has_ended(pod: Body) -> bool:
    return objects.is_finished(pod) or objects.deleting(pod)


def _numbers(context: Context, job: Body) -> dict[str, Any]:
    pods = [item.body for item in context.index.controlled(objects.PODS, job)]
    active = [pod for pod in pods if objects.is_active(pod)]
    found: dict[str, Any] = {"active": len(active)} if active else {}
    terminating = sum(objects.deleting(pod) and not objects.is_finished(pod) for pod in pods)
    return {**found, "terminating": terminating, "ready": sum(map(objects.is_ready, active))}


def _work(context: Context, job: Body, pods: list[Body]) -> None:
    """As many pods as may run now."""
    spec, status = job["spec"], dict(job["status"])
    active = [pod for pod in pods if objects.is_active(pod)]
    wanted = 0 if spec.get("suspend") else _parallel(job, active)
    leaving = [pod for pod in pods if objects.deleting(pod) and not objects.is_finished(pod)]
    for pod in reversed(active[wanted:]):
        templates.delete(context, job, pod, by=NAME)
    wait = _delay(context, job)
    made = 0
    if wanted > len(active) and wait > 0:
        context.again(CONTROLLER.name, objects.key(job), wait + SOON)
    elif wanted > len(active) and not (leaving and spec.get("podReplacementPolicy") == "Failed"):
        for index in _free(job, active, wanted - len(active)):
            _make(context, job, index)
            made += 1
    status.pop("active", None)
    numbers = _numbers(context, job)
    numbers["ready"] = sum(map(objects.is_ready, active))
    _write(context, job, {**status, "uncountedTerminatedPods": {}, **numbers})
    if (deadline := spec.get("activeDeadlineSeconds")) is not None and not spec.get("suspend"):
        left = deadline - context.mark(_uid(job), "began")
        context.again(CONTROLLER.name, objects.key(job), max(left, 0) + SOON)


def _parallel(job: Body, active: list[Body]) -> int:
    spec = job["spec"]
    succeeded: int = job["status"].get("succeeded", 0)
    parallelism: int = spec.get("parallelism", 1)
    completions: int | None = spec.get("completions")
    if completions is None:  # a queue of work: one that ends well means that it is empty
        return len(active) if succeeded else parallelism
    return min(parallelism, max(completions - succeeded, 0))


def _delay(context: Context, job: Body) -> float:
    """What is left of the wait after the last failure."""
    failed = job["status"].get("failed", 0)
    if not failed:
        return 0.0
    delay: float = min(FIRST_DELAY * 2 ** min(failed - 1, 10), LONGEST_DELAY)
    return delay - context.mark(_uid(job), "finished")


def _free(job: Body, active: list[Body], count: int) -> list[int | None]:
    """Indexes without a pod; None for pods that have none."""
    if job["spec"].get("completionMode") != "Indexed":
        return [None] * count
    taken: set[int | None] = {*_parsed(job["status"].get("completedIndexes", "")), *(_index(pod) for pod in active)}
    free: list[int | None] = [index for index in range(job["spec"]["completions"]) if index not in taken]
    return free[:count]


def _make(context: Context, job: Body, index: int | None) -> None:
    name = job["metadata"]["name"]
    prefix = f"{name}-" if index is None else f"{name}-{index}-"
    labels = {} if index is None else {INDEX: str(index)}
    body = templates.pod(job, prefix + context.suffix(), labels=labels, generated=prefix)
    body["metadata"]["finalizers"] = [*(body["metadata"].get("finalizers") or ()), FINALIZER]
    if index is not None:
        body["metadata"]["annotations"] = {**objects.notes(body), INDEX: str(index)}
        body["spec"].setdefault("hostname", f"{name}-{index}")
    templates.create(context, job, body, by=NAME)


def _end(context: Context, job: Body, pods: list[Body], verdict: job_status.Verdict) -> None:
    """Its pods go; when all are gone the last condition is written."""
    target = job_status.with_condition(context, job, verdict.target, "True", verdict.reason, verdict.message)
    job = {**job, "status": {**job["status"], "conditions": target}}
    for pod in pods:
        if objects.is_active(pod):
            templates.delete(context, job, pod, by=NAME)
    pods = [item.body for item in context.index.controlled(objects.PODS, job)]
    numbers = _numbers(context, job)
    status = {key: value for key, value in job["status"].items() if key != "active"}
    uncounted = [pod for pod in pods if FINALIZER in (pod["metadata"].get("finalizers") or ())]
    if uncounted or numbers["terminating"] or numbers.get("active"):
        _write(context, job, {**status, **numbers})
        if uncounted:
            context.again(CONTROLLER.name, objects.key(job), 0)
        return
    status |= {"uncountedTerminatedPods": {}, **numbers}
    job = {**job, "status": status}
    status["conditions"] = job_status.with_condition(context, job, verdict.final, "True", verdict.reason, verdict.message)
    if verdict.final == "Complete":
        status["completionTime"] = context.stamp()
        context.events.normal(job, "Completed", "Job completed", by=NAME)
    else:
        context.events.warning(job, verdict.reason, verdict.message, by=NAME)
    context.touch(_uid(job), "finished")
    _write(context, job, status)


def _expire(context: Context, job: Body) -> None:
    """ttlSecondsAfterFinished"""
    seconds = job["spec"].get("ttlSecondsAfterFinished")
    if seconds is None:
        return
    left = seconds - context.mark(_uid(job), "finished")
    if left > 0:
        context.again(CONTROLLER.name, objects.key(job), left + SOON)
    else:
        writing.delete(context, job, propagation="Background")


def _untrack(context: Context, pod: Body) -> None:
    finalizers = pod["metadata"].get("finalizers") or []
    if FINALIZER in finalizers:
        rest = [one for one in finalizers if one != FINALIZER]
        writing.update(context, {**pod, "metadata": {**pod["metadata"], "finalizers": rest}})


def _write(context: Context, job: Body, status: dict[str, Any]) -> Body:
    """Against the job as it is stored: a status may have been carried along unwritten."""
    stored = context.item(objects.JOBS, objects.key(job))
    return job if stored is None else writing.status(context, stored, status)


def _failures(job: Body) -> int:
    """What backoffLimit counts."""
    return job["status"].get("failed", 0)  # type: ignore[no-any-return]


def _uid(body: Body) -> str:
    return body["metadata"]["uid"]  # type: ignore[no-any-return]


def _index(pod: Body) -> int:
    text = objects.notes(pod).get(INDEX, "")
    return int(text) if text.isdecimal() else -1


def _parsed(text: str) -> set[int]:
    """0-2,5"""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def _shown(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    joins = {1: ""}
    return ",".join(
        f"{one[0]}{joins.get(len(one), '-' if len(one) > 2 else ',')}{one[-1] if len(one) > 1 else ''}" for one in parts
    )


CONTROLLER = queue.Controller("jobs", reconcile, {objects.JOBS: queue.itself, objects.PODS: owners.of("Job")})
