"""When a Job is over and why, and its conditions with the reasons and sentences of a real controller."""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.sandbox.controllers import conditions, objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body


@dataclass(frozen=True, slots=True)
class Verdict:
    """target: the condition while its last pods go; final: after that."""

    target: str
    final: str
    reason: str
    message: str


DONE = Verdict("SuccessCriteriaMet", "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
FAILED = Verdict("FailureTarget", "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
LATE = Verdict("FailureTarget", "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
VERDICTS = (DONE, FAILED, LATE)


def is_finished(job: Body) -> bool:
    return objects.is_true(job, "Complete") or objects.is_true(job, "Failed")


def verdict(context: Context, job: Body, failures: int) -> Verdict | None:
    """None: it goes on.  What was decided once stays."""
    spec, status = job["spec"], job["status"]
    for one in VERDICTS:
        found = conditions.find(status.get("conditions") or (), one.target)
        if found is not None and found["status"] == "True" and found["reason"] == one.reason:
            return one
    if failures > spec.get("backoffLimit", 6):
        return FAILED
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not spec.get("suspend") and context.mark(job["metadata"]["uid"], "began") >= deadline:
        return LATE
    succeeded = status.get("succeeded", 0)
    completions = spec.get("completions")
    if completions is None:
        return DONE if succeeded and not status.get("active") else None
    return DONE if succeeded >= completions else None


def with_condition(context: Context, job: Body, type: str, *said: str) -> list[dict[str, Any]]:
    """said: status, reason and message."""
    value, reason, message = said
    listed: list[dict[str, Any]] = list((job.get("status") or {}).get("conditions") or ())
    stamp = context.stamp()
    new = {
        "type": type, "status": value, "lastProbeTime": stamp, "lastTransitionTime": stamp, "reason": reason,
        "message": message,
    }  # fmt: skip
    for number, old in enumerate(listed):
        if old["type"] == type:
            return listed if old["status"] == value else [*listed[:number], new, *listed[number + 1 :]]
    return [*listed, new]
