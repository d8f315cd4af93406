"""Deployments, sets and jobs: selectors, templates, strategies, and what may not change."""

from __future__ import annotations

import re

from appdelivery.sandbox.writes.rules import failures, metadata, names, pods, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from appdelivery.sandbox.status import Cause
    from appdelivery.sandbox.storage import Body

CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)  # fmt: skip
STATEFUL = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
PLACEMENT = ("nodeSelector", "affinity", "tolerations", "schedulingGates")
MISMATCH = "`selector` does not match template `labels`"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def deployment(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    yield from _counts(spec, "replicas")
    yield from _selected(spec, "deployment")
    yield from _deployment_strategy(spec.get("strategy") or {})
    yield from _counts(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        yield words.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    yield from _same(old, new, "selector")


def replica_set(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    yield from _counts(spec, "replicas", "minReadySeconds")
    yield from _selected(spec, "deployment")
    yield from _same(old, new, "selector")


def daemon_set(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    yield from _selected(spec, "daemonset")
    yield from _counts(spec, "minReadySeconds", "revisionHistoryLimit")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") not in ("RollingUpdate", "OnDelete"):
        yield words.unsupported("spec.updateStrategy", strategy, ("RollingUpdate", "OnDelete"))
    yield from _same(old, new, "selector")


def stateful_set(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    management = spec.get("podManagementPolicy")
    if management not in ("OrderedReady", "Parallel"):
        yield words.invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete" and strategy.get("rollingUpdate") is not None:
        said = "only allowed for updateStrategy 'RollingUpdate'"
        rolling = strategy["rollingUpdate"]
        value = {"Partition": rolling.get("partition", 0), "MaxUnavailable": rolling.get("maxUnavailable")}
        yield words.invalid("spec.updateStrategy.rollingUpdate", value, said)
    elif strategy.get("type") not in ("OnDelete", "RollingUpdate"):
        yield words.invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'")
    yield from _counts(spec, "replicas", "minReadySeconds")
    if old is None and spec.get("serviceName"):
        for said in names.label(spec["serviceName"]):
            yield words.invalid("spec.serviceName", spec["serviceName"], said)
    yield from _selected(_with_claims(spec), "statefulset")
    if old is not None and {k: v for k, v in old["spec"].items() if k not in CHANGEABLE} != {
        k: v for k, v in spec.items() if k not in CHANGEABLE
    }:
        yield words.forbidden("spec", STATEFUL)


def _with_claims(spec: Body) -> Body:
    """The spec whose template has its claims as volumes, as pods will have them."""
    names_ = [one.get("metadata", {}).get("name", "") for one in spec.get("volumeClaimTemplates") or ()]
    if not names_:
        return spec
    claims = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names_]
    inner = (spec.get("template") or {}).get("spec") or {}
    rest = [one for one in inner.get("volumes") or () if one.get("name") not in names_]
    return {**spec, "template": {**spec["template"], "spec": {**inner, "volumes": [*claims, *rest]}}}


def job(old: Body | None, new: Body) -> Iterator[Cause]:
    yield from _generated(old, new)
    found = [*_job_spec(new["spec"], "spec", is_template=False), *_chosen(new["spec"])]
    yield from found
    if old is None:
        return
    yield from found  # the server looks twice
    if new["spec"].get("completionMode") != "Indexed":
        yield from _same(old, new, "completions")
    elif old["spec"].get("completions") != new["spec"].get("completions") != new["spec"].get("parallelism"):
        said = "can only be modified in tandem with spec.parallelism"
        yield words.invalid("spec.completions", new["spec"].get("completions"), said)
    yield from _same(old, new, "selector")
    if old["spec"].get("suspend") and "startTime" not in (old.get("status") or {}):
        before, after = old["spec"]["template"]["spec"], new["spec"]["template"]["spec"]
        if _settled(before) != _settled(after):
            yield words.invalid("spec.template.spec", after, words.IMMUTABLE)
    else:
        yield from _same(old, new, "template")
    yield from _same(old, new, "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")


def _generated(old: Body | None, new: Body) -> Iterator[Cause]:
    """The labels by which a job that chose no selector tells its pods from others'."""
    spec, name, uid = new["spec"], new["metadata"]["name"], new["metadata"]["uid"]
    if spec.get("manualSelector") or spec.get("selector") is None:
        return
    wanted = {"controller-uid": uid, "job-name": name}
    before = _labels(old["spec"]) if old is not None else {}
    if old is None or all(f"batch.kubernetes.io/{key}" in before for key in wanted):
        wanted |= {f"batch.kubernetes.io/{key}": value for key, value in wanted.items()}
    labels = _labels(spec)
    for key, value in wanted.items():
        path = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            yield words.required(path, f"must be '{value}'")
        elif labels[key] != value:
            yield words.invalid(path, labels, f"must be '{value}'")
    if not _is_broken(spec["selector"]) and not matches(spec["selector"], wanted):
        yield words.invalid("spec.selector", spec["selector"], "`selector` not auto-generated")


def _chosen(spec: Body) -> Iterator[Cause]:
    """The selector, and the template that must match it."""
    given = spec.get("selector")
    if given is None:
        yield words.required("spec.selector")
    else:
        yield from selector(given, "spec.selector")
    if given is None or not (_is_broken(given) or matches(given, _labels(spec))):
        yield words.invalid("spec.template.metadata.labels", _labels(spec) or None, MISMATCH)


def _labels(spec: Body) -> Body:
    return ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}


def _settled(pod: Body) -> Body:
    """What of a pod may not even change while its job is suspended and never ran: all but resources and placement."""
    kept = {key: value for key, value in pod.items() if key not in PLACEMENT}
    for key in ("containers", "initContainers"):
        if key in kept:
            kept[key] = [{k: v for k, v in one.items() if k != "resources"} for one in kept[key]]
    return kept


def cron_job(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    if not spec.get("schedule"):
        yield words.required("spec.schedule")
    elif not _is_schedule(spec["schedule"]):
        parts = spec["schedule"].split()
        said = (
            "failed to parse" if len(parts) == 5 else f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
        )
        yield words.invalid("spec.schedule", spec["schedule"], said)
    if spec.get("concurrencyPolicy") not in ("Allow", "Forbid", "Replace"):
        yield words.unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace"))
    yield from _counts(spec, "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    yield from _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec", is_template=True)
    if old is None and len(new["metadata"].get("name", "")) > 52:
        yield words.invalid("metadata.name", new["metadata"]["name"], "must be no more than 52 characters")


# --- parts ---


def _counts(spec: Body, *keys: str, path: str = "spec") -> Iterator[Cause]:
    for key in keys:
        value = spec.get(key)
        if isinstance(value, int) and value < 0:
            yield words.invalid(f"{path}.{key}", value, words.NOT_NEGATIVE)


def _selected(spec: Body, what: str) -> Iterator[Cause]:
    """The selector, and the template that must match it."""
    given = spec.get("selector")
    if given is None:
        yield words.required("spec.selector")
    else:
        yield from selector(given, "spec.selector")
        if not given.get("matchLabels") and not given.get("matchExpressions"):
            yield words.invalid("spec.selector", given, f"empty selector is invalid for {what}")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    if given is not None and _is_broken(given):
        yield words.invalid("spec.selector", given, "invalid label selector")
        return
    if given is None or not matches(given, labels or {}):
        yield words.invalid("spec.template.metadata.labels", labels, MISMATCH)
    yield from pods.template(template, "spec.template")
    inner = template.get("spec") or {}
    if inner.get("restartPolicy") != "Always":
        yield words.unsupported("spec.template.spec.restartPolicy", inner["restartPolicy"], ("Always",))
    if "activeDeadlineSeconds" in inner:
        name = {"deployment": "ReplicaSet", "daemonset": "DaemonSet", "statefulset": "StatefulSet"}[what]
        yield words.forbidden(
            "spec.template.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {name} is not Supported"
        )


def selector(given: Body, path: str) -> Iterator[Cause]:
    yield from metadata.labels(given.get("matchLabels"), f"{path}.matchLabels")
    for at, one in enumerate(given.get("matchExpressions") or ()):
        below, operator = f"{path}.matchExpressions[{at}]", one.get("operator", "")
        if operator in ("In", "NotIn") and not one.get("values"):
            yield words.required(f"{below}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist") and one.get("values"):
            yield words.forbidden(f"{below}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        elif operator not in OPERATORS:
            yield words.invalid(f"{below}.operator", operator, "not a valid selector operator")
        for said in names.qualified(one.get("key", "")):
            yield words.invalid(f"{below}.key", one.get("key", ""), said)


def _is_broken(given: Body) -> bool:
    """Whether the server cannot make a selector of it."""
    return any(
        one.get("operator") not in OPERATORS or (one["operator"] in ("In", "NotIn")) != bool(one.get("values"))
        for one in given.get("matchExpressions") or ()
    )


def matches(given: Body, labels: Body) -> bool:
    """Whether a label selector selects; an empty one selects everything."""
    if any(labels.get(key) != value for key, value in (given.get("matchLabels") or {}).items()):
        return False
    return all(_holds(one, labels) for one in given.get("matchExpressions") or ())


def _holds(one: Body, labels: Body) -> bool:
    key, values = one.get("key", ""), one.get("values") or ()
    tests = {
        "In": key in labels and labels[key] in values, "NotIn": key not in labels or labels[key] not in values,
        "Exists": key in labels, "DoesNotExist": key not in labels,
    }  # fmt: skip
    return tests.get(one.get("operator", ""), False)


def _deployment_strategy(given: Body) -> Iterator[Cause]:
    type, rolling = given.get("type"), given.get("rollingUpdate")
    path = "spec.strategy"
    if type == "Recreate":
        if rolling is not None:
            yield words.forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif type == "RollingUpdate":
        if rolling is None:
            yield words.required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")
            return
        for key in ("maxUnavailable", "maxSurge"):
            yield from share(rolling.get(key), f"{path}.rollingUpdate.{key}")
        if _is_zero(rolling.get("maxUnavailable")) and _is_zero(rolling.get("maxSurge")):
            said = "may not be 0 when `maxSurge` is 0"
            yield words.invalid(f"{path}.rollingUpdate.maxUnavailable", rolling.get("maxUnavailable"), said)
    else:
        yield words.unsupported(path, {"Type": type, "RollingUpdate": rolling}, ("Recreate", "RollingUpdate"))


def share(value: Any, path: str) -> Iterator[Cause]:
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]+%", value):
            said = (
                "a valid percent string must be a numeric string followed by an ending '%' "
                "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            )
            yield words.invalid(path, value, said)
    elif isinstance(value, int) and value < 0:
        yield words.invalid(path, value, words.NOT_NEGATIVE)


def _is_zero(value: Any) -> bool:
    return value == 0 or (isinstance(value, str) and value.rstrip("%").strip("0") == "")


def _same(old: Body | None, new: Body, *keys: str) -> Iterator[Cause]:
    for key in keys if old is not None else ():
        if old["spec"].get(key) != new["spec"].get(key):  # type: ignore[index]
            yield words.invalid(f"spec.{key}", new["spec"].get(key), words.IMMUTABLE)


def _job_spec(spec: Body, path: str, *, is_template: bool) -> Iterator[Cause]:
    yield from _counts(
        spec, "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", path=path
    )
    template = spec.get("template") or {}
    if is_template and spec.get("manualSelector"):
        yield words.unsupported(f"{path}.manualSelector", spec["manualSelector"], ("nil", "false"))
    if spec.get("podFailurePolicy") is not None:
        yield from failures.policy(spec, f"{path}.podFailurePolicy")
    yield from pods.template(template, f"{path}.template")
    policy = (template.get("spec") or {}).get("restartPolicy", "")
    if policy == "Always":
        said = 'Required value: valid values: "OnFailure", "Never"'
        yield words.required(f"{path}.template.spec.restartPolicy", said.removeprefix("Required value: "))
    elif policy and policy not in pods.RESTARTS:
        yield words.unsupported(f"{path}.template.spec.restartPolicy", policy, ("OnFailure", "Never"))
    elif policy == "OnFailure" and spec.get("podFailurePolicy") is not None:
        said = 'only "Never" is supported when podFailurePolicy is specified'
        yield words.invalid(f"{path}.template.spec.restartPolicy", policy, said)


def _is_schedule(text: str) -> bool:
    if text.startswith("@"):
        return text in ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly") or text.startswith(
            "@every "
        )
    part = r"(\*|\?|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]+)?"
    return re.fullmatch(rf"{part}(,{part})*(\s+{part}(,{part})*){{4}}", text.strip()) is not None
