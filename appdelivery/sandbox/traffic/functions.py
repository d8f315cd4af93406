"""The arithmetic of PromQL's functions, as Prometheus does it: rates with extrapolation, quantiles of buckets."""

from __future__ import annotations

import itertools
import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appdelivery.sandbox.traffic.series import Sample

    Over = Callable[[Sequence[Sample], float, float], "float | None"]  # samples, start and end of the range


def extrapolated(samples: Sequence[Sample], start: float, end: float, *, counter: bool) -> float | None:
    """Growth over the range: what the samples show, carried on to the edges of the range where they are near."""
    if len(samples) < 2:
        return None
    (first, low), (last, high) = samples[0], samples[-1]
    grown = high - low
    if counter:  # a counter that falls was reset
        grown += sum(before for (_, before), (_, after) in itertools.pairwise(samples) if after < before)
    seen = last - first
    usual = seen / (len(samples) - 1)
    before, after = first - start, end - last
    if before >= usual * 1.1:
        before = usual / 2
    if counter and grown > 0 and low >= 0:
        before = min(before, seen * (low / grown))  # it was not below zero
    if after >= usual * 1.1:
        after = usual / 2
    return grown * (seen + before + after) / seen


def rate(samples: Sequence[Sample], start: float, end: float) -> float | None:
    grown = extrapolated(samples, start, end, counter=True)
    return None if grown is None else grown / (end - start)


def irate(samples: Sequence[Sample], _start: float, _end: float) -> float | None:
    if len(samples) < 2:
        return None
    (before, low), (after, high) = samples[-2:]
    return (high - low if high >= low else high) / (after - before)


def increase(samples: Sequence[Sample], start: float, end: float) -> float | None:
    return extrapolated(samples, start, end, counter=True)


def delta(samples: Sequence[Sample], start: float, end: float) -> float | None:
    return extrapolated(samples, start, end, counter=False)


def over(call: Callable[[list[float]], float]) -> Over:
    def applied(samples: Sequence[Sample], _start: float, _end: float) -> float | None:
        return call([value for _, value in samples]) if samples else None

    return applied


RANGES: dict[str, Over] = {
    "rate": rate,
    "irate": irate,
    "increase": increase,
    "delta": delta,
    "avg_over_time": over(lambda values: sum(values) / len(values)),
    "sum_over_time": over(sum),
    "min_over_time": over(min),
    "max_over_time": over(max),
    "count_over_time": over(lambda values: float(len(values))),
    "last_over_time": over(lambda values: values[-1]),
}


def whole(call: Callable[[float], int]) -> Callable[[float], float]:
    """Rounding that leaves what is no finite number alone."""
    return lambda value: float(call(value)) if math.isfinite(value) else value


VALUES: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": whole(math.ceil),
    "floor": whole(math.floor),
    "round": whole(lambda value: math.floor(value + 0.5)),
}


def arithmetic(sign: str, left: float, right: float) -> float:
    """IEEE 754, where Python would raise."""
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if right:
                return left / right
            return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
        case "%":
            return math.fmod(left, right) if right and math.isfinite(left) else math.nan
        case _:
            try:
                return math.pow(left, right)
            except OverflowError:
                return math.inf
            except ValueError:
                return math.nan


COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def bucket_quantile(share: float, buckets: list[tuple[float, float]]) -> float:
    """buckets: (upper bound, cumulative count).  Linear inside a bucket."""
    if math.isnan(share):
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share - 0.5)
    buckets = sorted(buckets)
    if len(buckets) < 2 or buckets[-1][0] != math.inf or not buckets[-1][1] > 0:
        return math.nan
    rank = share * buckets[-1][1]
    place = next(index for index, (_, count) in enumerate(buckets) if count >= rank or index == len(buckets) - 1)
    if place == len(buckets) - 1:
        return buckets[-2][0]
    top, count = buckets[place]
    if place == 0 and top <= 0:
        return top
    low, below = buckets[place - 1] if place else (0.0, 0.0)
    if count == below:
        return top
    return low + (top - low) * (rank - below) / (count - below)


def quantile(share: float, values: list[float]) -> float:
    if not values or math.isnan(share):
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share - 0.5)
    values = sorted(values)
    rank = share * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] * (1 - (rank - low)) + values[high] * (rank - low)
