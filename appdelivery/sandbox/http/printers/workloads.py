"""Deployments and their like, jobs, autoscalers."""

from __future__ import annotations

from appdelivery.sandbox.http.printers import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    Body = Mapping[str, Any]

OUTCOMES = (("Complete", "Complete"), ("Failed", "Failed"), ("", "Terminating"), ("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"), ("SuccessCriteriaMet", "SuccessCriteriaMet"))  # fmt: skip
MOST_METRICS = 2


def _head(body: Body, now: datetime) -> tuple[str, str, Body, Body]:
    """Name, age, spec, status."""
    metadata = body["metadata"]
    age = words.since(now, metadata.get("creationTimestamp"))
    return metadata["name"], age, body.get("spec") or {}, body.get("status") or {}


def _wide(spec: Body) -> tuple[str, str]:
    return words.containers(words.at(spec, "template", "spec"))


def deployment(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    ready = f"{said.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    wide = (*_wide(spec), words.selector(spec.get("selector"), empty=""))
    return [name, ready, said.get("updatedReplicas", 0), said.get("availableReplicas", 0), age, *wide]


def replica_set(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    wide = (*_wide(spec), words.selector(spec.get("selector")))
    return [name, spec.get("replicas", 0), said.get("replicas", 0), said.get("readyReplicas", 0), age, *wide]


def replication_controller(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    wide = (*_wide(spec), words.labels(spec.get("selector")))
    return [name, spec.get("replicas", 0), said.get("replicas", 0), said.get("readyReplicas", 0), age, *wide]


def stateful_set(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    return [name, f"{said.get('readyReplicas', 0)}/{spec.get('replicas', 0)}", age, *_wide(spec)]


def daemon_set(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable")
    chosen = words.labels(words.at(spec, "template", "spec", "nodeSelector"))
    wide = (*_wide(spec), words.selector(spec.get("selector")))
    return [name, *[said.get(count, 0) for count in counts], chosen, age, *wide]


def controller_revision(body: Body, now: datetime) -> list[Any]:
    name, age, _, _ = _head(body, now)
    owner = next((one for one in body["metadata"].get("ownerReferences") or () if one.get("controller")), None)
    said = words.NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        said = f"{owner['kind'].lower()}{'.' if group else ''}{group}/{owner['name']}"
    return [name, said, body.get("revision", 0), age]


def job(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    done, wanted, parallel = said.get("succeeded", 0), spec.get("completions"), spec.get("parallelism", 0)
    if wanted is not None:
        completions = f"{done}/{wanted}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    lasted = ""
    if said.get("startTime"):
        end = words.moment(said["completionTime"]) if said.get("completionTime") else now
        lasted = words.duration((end - words.moment(said["startTime"])).total_seconds())
    wide = (*_wide(spec), words.selector(spec.get("selector")))
    return [name, _outcome(body, said), completions, lasted, age, *wide]


def _outcome(body: Body, said: Body) -> str:
    for condition, outcome in OUTCOMES:
        if words.ready(condition, said.get("conditions")) if condition else body["metadata"].get("deletionTimestamp"):
            return outcome
    return "Running"


def cron_job(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    last = said.get("lastScheduleTime")
    suspended = spec.get("suspend")
    template = words.at(spec, "jobTemplate", "spec") or {}
    wide = (*_wide(template), words.selector(template.get("selector")))
    return [
        name, spec.get("schedule", ""), spec.get("timeZone") or words.NONE,
        words.UNSET if suspended is None else "True" if suspended else "False", len(said.get("active") or ()),
        words.since(now, last) if last else words.NONE, age, *wide,
    ]  # fmt: skip


def autoscaler(body: Body, now: datetime) -> list[Any]:
    """Of autoscaling/v2; the older version is printed from its conversion."""
    name, age, spec, said = _head(body, now)
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        name, f"{target.get('kind', '')}/{target.get('name', '')}", _metrics(spec, said),
        words.UNSET if least is None else str(least), spec.get("maxReplicas", 0), said.get("currentReplicas", 0), age,
    ]  # fmt: skip


def _metrics(spec: Body, said: Body) -> str:
    specs, current = spec.get("metrics") or (), said.get("currentMetrics") or ()
    if not specs and "targetCPUUtilizationPercentage" in spec:  # autoscaling/v1
        seen = said.get("currentCPUUtilizationPercentage")
        return f"cpu: {words.UNKNOWN if seen is None else f'{seen}%'}/{spec['targetCPUUtilizationPercentage']}%"
    found = [_metric(one, current[index] if index < len(current) else {}) for index, one in enumerate(specs)]
    if not found:
        return words.NONE
    shown = ", ".join(found[:MOST_METRICS])
    return f"{shown} + {len(found) - MOST_METRICS} more..." if len(found) > MOST_METRICS else shown


def _metric(spec: Body, said: Body) -> str:
    key = spec["type"][:1].lower() + spec["type"][1:]
    source, current = spec.get(key) or {}, words.at(said, key, "current") or {}
    target = source.get("target") or {}
    average = target.get("averageValue")
    if key in ("resource", "containerResource"):
        if average is not None:
            return f"{source['name']}: {current.get('averageValue', words.UNKNOWN)}/{average}"
        seen, wanted = current.get("averageUtilization"), target.get("averageUtilization")
        shown = words.UNKNOWN if seen is None else f"{seen}%"
        return f"{source['name']}: {shown}/{'<auto>' if wanted is None else f'{wanted}%'}"
    if key == "pods":
        return f"{current.get('averageValue', words.UNKNOWN)}/{average}"
    if average is not None:
        return f"{current.get('averageValue', words.UNKNOWN)}/{average} (avg)"
    return f"{current.get('value', words.UNKNOWN)}/{target.get('value')}"


def disruption_budget(body: Body, now: datetime) -> list[Any]:
    name, age, spec, said = _head(body, now)
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    shown = ["N/A" if value is None else str(value) for value in (least, most)]
    return [name, *shown, said.get("disruptionsAllowed", 0), age]
