"""Job, CronJob and job-like custom resources: complete, failed for good, suspended."""

from __future__ import annotations

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health


def job(facts: Facts) -> Health:
    if facts.is_true("Failed"):
        failed = facts.condition("Failed")
        return Health("degraded", reason(failed, "Failed"), said(failed, "the Job has failed"), terminal=True)
    if facts.is_true("Complete"):
        return Health("healthy", "Complete", f"{facts.count('succeeded')} of {_completions(facts)} completed")
    if facts.spec.get("suspend") or facts.is_true("Suspended"):
        return Health("suspended", "Suspended", "the Job is suspended")
    for pending in ("FailureTarget", "SuccessCriteriaMet"):
        if facts.is_true(pending):
            return Health("progressing", pending, said(facts.condition(pending)))
    failed_pods = f", {facts.count('failed')} failed" if facts.count("failed") else ""
    return Health(
        "progressing",
        "Active",
        f"{facts.count('active')} active, {facts.count('succeeded')} of {_completions(facts)} completed{failed_pods}",
    )


def _completions(facts: Facts) -> int:
    return int(facts.spec.get("completions") or 1)


def cron_job(facts: Facts) -> Health:
    if facts.spec.get("suspend"):
        return Health("suspended", "Suspended", "no runs are started")
    last = facts.status.get("lastScheduleTime")
    good = facts.status.get("lastSuccessfulTime")
    if last and not facts.status.get("active") and (not good or good < last):
        return Health("healthy", "LastRunFailed", f"the run of {last} did not succeed")
    return Health("healthy", "Scheduled", f"last run {last}" if last else "no run yet")


def training(facts: Facts) -> Health:
    """Kubeflow's jobs: conditions Complete or Succeeded, Failed, Suspended; waiting in a queue is not failing."""
    for done in ("Complete", "Succeeded", "Completed"):
        if facts.is_true(done):
            return Health("healthy", done, said(facts.condition(done)))
    if facts.is_true("Failed"):
        return Health(
            "degraded", reason(facts.condition("Failed"), "Failed"), said(facts.condition("Failed")), terminal=True
        )
    if facts.is_true("Suspended") or facts.spec.get("suspend") or (facts.spec.get("runPolicy") or {}).get("suspend"):
        return Health("suspended", "Suspended", said(facts.condition("Suspended"), "waits to be started"))
    for running in ("Restarting", "Running", "Created"):
        if facts.is_true(running):
            return Health("progressing", running, said(facts.condition(running)))
    return conditions.NOT_OBSERVED


def ray_job(facts: Facts) -> Health:
    state = str(facts.status.get("jobStatus") or "")
    deployment = str(facts.status.get("jobDeploymentStatus") or "")
    if state == "SUCCEEDED":
        return Health("healthy", "Succeeded", "the job has succeeded")
    if state in ("FAILED", "STOPPED") or deployment == "Failed":
        return Health(
            "degraded", state.title() or "Failed", str(facts.status.get("message") or "the job has failed"), terminal=True
        )
    if deployment == "Suspended" or facts.spec.get("suspend"):
        return Health("suspended", "Suspended", "the job is suspended")
    return Health("progressing", deployment or "Pending", f"job {state or 'not started'}")
