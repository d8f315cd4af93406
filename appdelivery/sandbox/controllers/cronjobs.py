"""CronJobs: a Job when the schedule says so, by the clock as controllers feel it, so that `speed` brings it sooner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

from appdelivery.sandbox import status as statuses
from appdelivery.sandbox.controllers import job_status, objects, owners, queue, schedule, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Key

NAME = "cronjob-controller"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
SOON = 0.01
FORM = "%Y-%m-%dT%H:%M:%SZ"


def reconcile(context: Context, key: Key) -> None:
    cron = context.item(objects.CRON_JOBS, key)
    if cron is None or objects.deleting(cron):
        return
    jobs = [item.body for item in context.index.controlled(objects.JOBS, cron)]
    cron = _noted(context, cron, jobs)
    _forget_old(context, cron, jobs)
    if cron["spec"].get("suspend"):
        return
    try:
        plan = schedule.parse(cron["spec"]["schedule"], cron["spec"].get("timeZone") or "UTC")
        due = schedule.next_after(plan, _last(context, cron))
    except (ValueError, ZoneInfoNotFoundError) as error:
        context.events.warning(
            cron, "UnparseableSchedule", f"unparseable schedule: {cron['spec']['schedule']} : {error}", by=NAME
        )
        return
    if due is not None and due <= context.time():
        _start(context, cron, jobs, _newest(context, plan, due))
        due = schedule.next_after(plan, context.time())
    if due is not None:
        context.again(CONTROLLER.name, key, (due - context.time()).total_seconds() + SOON)


def _last(context: Context, cron: Body) -> datetime:
    """Where the search for the next start begins."""
    told = cron.get("status", {}).get("lastScheduleTime") or cron["metadata"]["creationTimestamp"]
    began = _moment(told)
    deadline = cron["spec"].get("startingDeadlineSeconds")
    return began if deadline is None else max(began, context.time() - timedelta(seconds=deadline))


def _newest(context: Context, plan: schedule.Schedule, due: datetime) -> datetime:
    """Of several missed starts only the last is made up for."""
    while (later := schedule.next_after(plan, due)) is not None and later <= context.time():
        due = later
    return due


def _start(context: Context, cron: Body, jobs: list[Body], due: datetime) -> None:
    policy = cron["spec"].get("concurrencyPolicy", "Allow")
    active = [job for job in jobs if not job_status.is_finished(job)]
    if policy == "Forbid" and active:
        said = "Not starting job because prior execution is running and concurrency policy is Forbid"
        context.events.normal(cron, "JobAlreadyActive", said, by=NAME)
        return
    if policy == "Replace":
        for job in active:
            _delete(context, cron, job)
    try:
        job = writing.create(context, _job(cron, due))
    except statuses.Refusal as refusal:
        if refusal.reason != "AlreadyExists":
            context.events.warning(cron, "FailedCreate", f"Error creating job: {refusal.message}", by=NAME)
            raise
        return
    context.events.normal(cron, "SuccessfulCreate", f"Created job {job['metadata']['name']}", by=NAME)
    stored = context.item(objects.CRON_JOBS, objects.key(cron))
    if stored is not None:
        status = dict(stored.get("status") or {})
        kept = [] if policy == "Replace" else [_reference(one) for one in active]
        status |= {"active": [*kept, _reference(job)], "lastScheduleTime": due.strftime(FORM)}
        writing.status(context, stored, status)


def _job(cron: Body, due: datetime) -> Body:
    template = cron["spec"]["jobTemplate"]
    given = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "name": f"{cron['metadata']['name'][:52]}-{int(due.timestamp()) // 60}",
        "namespace": cron["metadata"]["namespace"],
        "annotations": {**(given.get("annotations") or {}), SCHEDULED: due.strftime(FORM)},
        "ownerReferences": [objects.owner_reference(cron)],
    }
    if given.get("labels"):
        metadata["labels"] = given["labels"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": dict(template["spec"])}


def _noted(context: Context, cron: Body, jobs: list[Body]) -> Body:
    """Jobs that ended leave the list of active ones."""
    status = dict(cron.get("status") or {})
    running = {job["metadata"]["uid"]: job for job in jobs if not job_status.is_finished(job)}
    known = {one["uid"] for one in status.get("active") or ()}
    for job in jobs:
        if job["metadata"]["uid"] in known and job["metadata"]["uid"] not in running:
            how = "Complete" if objects.is_true(job, "Complete") else "Failed"
            said = f"Saw completed job: {job['metadata']['name']}, condition: {how}"
            context.events.normal(cron, "SawCompletedJob", said, by=NAME)
    active = [one for one in status.pop("active", None) or () if one["uid"] in running]
    if active:
        status["active"] = active
    ended = [job["status"]["completionTime"] for job in jobs if "completionTime" in (job.get("status") or {})]
    if ended:
        status["lastSuccessfulTime"] = max([*ended, status.get("lastSuccessfulTime", "")])
    return writing.status(context, cron, status)


def _forget_old(context: Context, cron: Body, jobs: list[Body]) -> None:
    for condition, field, most in (("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)):
        ended = [job for job in jobs if objects.is_true(job, condition) and not objects.deleting(job)]
        ended.sort(key=lambda job: job.get("status", {}).get("startTime", ""))
        for job in ended[: max(len(ended) - cron["spec"].get(field, most), 0)]:
            _delete(context, cron, job)


def _delete(context: Context, cron: Body, job: Body) -> None:
    writing.delete(context, job, propagation="Background")
    context.events.normal(cron, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}", by=NAME)


def _reference(job: Body) -> dict[str, Any]:
    metadata = job["metadata"]
    return {
        "kind": "Job", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"],
        "apiVersion": "batch/v1", "resourceVersion": metadata["resourceVersion"],
    }  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.strptime(text, FORM).replace(tzinfo=UTC)


CONTROLLER = queue.Controller(
    "cronjobs",
    reconcile,
    {objects.CRON_JOBS: queue.itself, objects.JOBS: owners.of("CronJob")},
)
