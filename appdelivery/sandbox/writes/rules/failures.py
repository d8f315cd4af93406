"""A job's podFailurePolicy: rules of exit codes or conditions, each with an action."""

from __future__ import annotations

from appdelivery.sandbox.status import Cause
from appdelivery.sandbox.writes.rules import names, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.sandbox.storage import Body

ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
OPERATORS = ("In", "NotIn")
STATES = ("False", "True", "Unknown")
MOST_RULES, MOST_PATTERNS, MOST_CODES = 20, 20, 255


def policy(spec: Body, path: str) -> Iterator[Cause]:
    """spec: of the job."""
    given = spec["podFailurePolicy"].get("rules") or []
    pod = (spec.get("template") or {}).get("spec") or {}
    containers = {one.get("name") for one in [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]}
    yield from _few(given, MOST_RULES, f"{path}.rules")
    for at, rule in enumerate(given):
        below = f"{path}.rules[{at}]"
        yield from _action(rule.get("action", ""), f"{below}.action", has_indexes="backoffLimitPerIndex" in spec)
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if codes is not None:
            yield from _codes(codes, f"{below}.onExitCodes", containers)
        if conditions:
            yield from _conditions(conditions, f"{below}.onPodConditions")
        if codes is not None and conditions:
            yield _wrong(below, "specifying both OnExitCodes and OnPodConditions is not supported")
        if codes is None and not conditions:
            yield _wrong(below, "specifying one of OnExitCodes and OnPodConditions is required")


def _wrong(path: str, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {detail}", path)


def _few(given: list[object], most: int, path: str) -> Iterator[Cause]:
    if len(given) > most:
        yield Cause("FieldValueTooMany", f"Too many: {len(given)}: must have at most {most} items", path)


def _stated(value: str, known: tuple[str, ...], path: str) -> Iterator[Cause]:
    if not value:
        listed = " ".join(f'"{one}"' for one in known)
        yield words.required(path, f"valid values: [{listed}]")
    elif value not in known:
        yield words.unsupported(path, value, known)


def _action(value: str, path: str, *, has_indexes: bool) -> Iterator[Cause]:
    if value == "FailIndex" and not has_indexes:
        yield words.invalid(path, value, "requires the backoffLimitPerIndex to be set")
    yield from _stated(value, ACTIONS, path)


def _codes(given: Body, path: str, containers: set[str]) -> Iterator[Cause]:
    operator, values = given.get("operator", ""), given.get("values") or []
    yield from _stated(operator, OPERATORS, f"{path}.operator")
    name = given.get("containerName")
    if name is not None and name not in containers:
        said = "must be one of the container or initContainer names in the pod template"
        yield words.invalid(f"{path}.containerName", name, said)
    if not values:
        yield words.invalid(f"{path}.values", given.get("values"), "at least one value is required")
    yield from _few(values, MOST_CODES, f"{path}.values")
    for at, code in enumerate(values):
        if operator == "In" and code == 0:
            yield words.invalid(f"{path}.values[{at}]", code, "must not be 0 for the In operator")
        if code in values[:at]:
            yield words.duplicate(f"{path}.values[{at}]", code)
    if values != sorted(values):
        yield words.invalid(f"{path}.values", values, "must be ordered")


def _conditions(given: list[Body], path: str) -> Iterator[Cause]:
    yield from _few([*given], MOST_PATTERNS, path)
    for at, pattern in enumerate(given):
        for said in names.qualified(pattern.get("type", "")):
            yield words.invalid(f"{path}[{at}].type", pattern.get("type", ""), said)
        yield from _stated(pattern.get("status", ""), STATES, f"{path}[{at}].status")
