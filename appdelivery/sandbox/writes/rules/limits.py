"""LimitRanges: limits whose minimum, maximum and defaults do not contradict each other."""

from __future__ import annotations

from fractions import Fraction

from appdelivery.sandbox.writes import quantities
from appdelivery.sandbox.writes.rules import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.sandbox.status import Cause
    from appdelivery.sandbox.storage import Body

STORED = "PersistentVolumeClaim"
# (field at fault, smaller, larger, value shown, words)
ORDERS = (
    ("min", "min", "max", "min", "min value {} is greater than max value {}"),
    ("defaultRequest", "min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
    (
        "defaultRequest", "defaultRequest", "default", "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("default", "min", "default", "min", "min value {} is greater than default value {}"),
    ("default", "default", "max", "max", "default value {} is greater than max value {}"),
)  # fmt: skip


def limit_range(old: Body | None, new: Body) -> Iterator[Cause]:
    del old
    seen = set()
    for at, limit in enumerate(new["spec"].get("limits") or ()):
        path = f"spec.limits[{at}]"
        kind = limit.get("type", "")
        if kind in seen:
            yield words.duplicate(f"{path}.type", kind)
        seen.add(kind)
        if kind == "Pod":
            for part in ("default", "defaultRequest"):
                if limit.get(part):
                    yield words.forbidden(f"{path}.{part}", "may not be specified when `type` is 'Pod'")
        if kind == STORED and not any("storage" in (limit.get(part) or {}) for part in ("min", "max")):
            said = "either minimum or maximum storage value is required, but neither was provided"
            yield words.required(f"{path}.limits", said)
        yield from _orders(limit, path)


def _orders(limit: Body, path: str) -> Iterator[Cause]:
    parts = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
    given: dict[str, dict[str, str]] = {part: limit.get(part) or {} for part in parts}
    if limit.get("type") == "Pod":
        given["default"] = given["defaultRequest"] = {}
    for name in sorted({name for part in given.values() for name in part}):
        for field, small, large, shown, said in ORDERS:
            low, high = given[small].get(name), given[large].get(name)
            if low is not None and high is not None and _amount(low) > _amount(high):
                yield words.invalid(f"{path}.{field}[{name}]", given[shown][name], said.format(low, high))
        ratio = given["maxLimitRequestRatio"].get(name)
        if ratio is not None:
            yield from _ratio(ratio, given["min"].get(name), given["max"].get(name), f"{path}.maxLimitRequestRatio[{name}]")


def _ratio(ratio: str, least: str | None, most: str | None, path: str) -> Iterator[Cause]:
    if _amount(ratio) < 1:
        yield words.invalid(path, ratio, f"ratio {ratio} is less than 1")
    if least is not None and most is not None and _amount(least):
        reach = _amount(most) / _amount(least)
        if _amount(ratio) > reach:
            yield words.invalid(path, ratio, f"ratio {ratio} is greater than max/min = {float(reach):f}")


def _amount(text: str) -> Fraction:
    return quantities.amount(text) or Fraction(0)
