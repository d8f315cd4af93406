"""Carries a query out at one moment: trees in, scalars, instant vectors and range vectors out."""

from __future__ import annotations

import math

from appdelivery.sandbox.traffic import functions, tree
from appdelivery.sandbox.traffic.tokens import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appdelivery.sandbox.traffic.series import Database, Labels, Sample

    Vector = dict[Labels, float]
    Matrix = dict[Labels, Sequence[Sample]]


class Failed(Exception):
    """A query that is well formed and cannot be answered."""


class Moment:
    """One evaluation.  at: Unix seconds."""

    __slots__ = ("at", "database")

    def __init__(self, database: Database, at: float) -> None:
        self.database = database
        self.at = at

    def value(self, node: tree.Node) -> float | Vector | Matrix:
        kind = tree.kind(node)
        return self.scalar(node) if kind == "s" else self.vector(node) if kind == "v" else self.matrix(node)

    # --- scalars ---

    def scalar(self, node: tree.Node) -> float:
        match node:
            case tree.Number():
                return node.value
            case tree.Minus():
                return -self.scalar(node.inner)
            case tree.Binary():
                left, right = self.scalar(node.left), self.scalar(node.right)
                if node.sign in functions.COMPARE:
                    return float(functions.COMPARE[node.sign](left, right))
                return functions.arithmetic(node.sign, left, right)
            case tree.Call(name="time"):
                return self.at
            case tree.Call(name="scalar"):
                found = self.vector(node.arguments[0])
                return next(iter(found.values())) if len(found) == 1 else math.nan
            case _:
                raise Invalid("parse error: a scalar is expected")

    # --- range vectors ---

    def matrix(self, node: tree.Node) -> Matrix:
        if not isinstance(node, tree.Selector) or node.range is None:
            raise Invalid("parse error: a range vector is expected")
        end = self.at - node.offset
        found = {key: series.samples(end - node.range, end) for key, series in self.database.select(node.matchers)}
        return {key: samples for key, samples in found.items() if samples}

    # --- instant vectors ---

    def vector(self, node: tree.Node) -> Vector:
        match node:
            case tree.Selector():
                at = self.at - node.offset
                found = {key: self.database.latest(series, at) for key, series in self.database.select(node.matchers)}
                return {key: value for key, value in found.items() if value is not None}
            case tree.Minus():
                return _unique([(nameless(key), -value) for key, value in self.vector(node.inner).items()])
            case tree.Call():
                return self.call(node)
            case tree.Aggregation():
                return self.aggregate(node)
            case tree.Binary():
                return self.binary(node)
            case _:
                raise Invalid("parse error: an instant vector is expected")

    def call(self, node: tree.Call) -> Vector:
        arguments = node.arguments
        match node.name:
            case name if name in functions.RANGES:
                return self.over(name, arguments[0])
            case name if name in functions.VALUES:
                return self.each(arguments[0], functions.VALUES[name])
            case "clamp_min" | "clamp_max":
                limit = self.scalar(arguments[1])
                bound = max if node.name == "clamp_min" else min
                return self.each(arguments[0], lambda value: bound(value, limit))
            case "vector":
                return {(): self.scalar(arguments[0])}
            case "absent":
                return {} if self.vector(arguments[0]) else {_given(arguments[0]): 1.0}
            case _:
                return histogram(self.scalar(arguments[0]), self.vector(arguments[1]))

    def over(self, name: str, node: tree.Node) -> Vector:
        end = self.at - (node.offset if isinstance(node, tree.Selector) else 0.0)
        start = end - ((node.range if isinstance(node, tree.Selector) else None) or 0.0)
        found = [
            (key if name == "last_over_time" else nameless(key), functions.RANGES[name](samples, start, end))
            for key, samples in self.matrix(node).items()
        ]
        return _unique([(key, value) for key, value in found if value is not None])

    def each(self, node: tree.Node, call: Callable[[float], float]) -> Vector:
        return _unique([(nameless(key), call(value)) for key, value in self.vector(node).items()])

    def aggregate(self, node: tree.Aggregation) -> Vector:
        groups: dict[Labels, Vector] = {}
        for key, value in self.vector(node.inner).items():
            groups.setdefault(grouped(key, node.grouping), {})[key] = value
        parameter = self.scalar(node.parameter) if node.parameter is not None else 0.0
        if node.name in ("topk", "bottomk"):
            kept = [_extremes(node.name, parameter, group) for group in groups.values()]
            return {key: value for group in kept for key, value in group.items()}
        return {key: _aggregated(node.name, parameter, list(group.values())) for key, group in groups.items()}

    def binary(self, node: tree.Binary) -> Vector:
        if tree.kind(node.left) == "s" or tree.kind(node.right) == "s":
            return self.with_scalar(node)
        left, right = self.vector(node.left), self.vector(node.right)
        if node.sign in tree.SETS:
            return _sets(node, left, right)
        partners = _partners(node, right, "right")
        _partners(node, left, "left")
        found = []
        for key, value in left.items():
            partner = partners.get(grouped(key, node.matching))
            if partner is not None:
                result = combined(node, value, partner)
                if result is not None:
                    keeps_name = node.sign in functions.COMPARE and not node.yes
                    bare = key if keeps_name else nameless(key)
                    found.append((grouped(bare, node.matching, names=True), result))
        return _unique(found)

    def with_scalar(self, node: tree.Binary) -> Vector:
        flipped = tree.kind(node.left) == "s"
        number = self.scalar(node.left if flipped else node.right)
        found = []
        for key, value in self.vector(node.right if flipped else node.left).items():
            result = combined(node, number, value) if flipped else combined(node, value, number)
            if result is None:
                continue
            if node.sign in functions.COMPARE and not node.yes:
                found.append((key, value))  # a filter keeps the element as it is
            else:
                found.append((nameless(key), result))
        return _unique(found)


def combined(node: tree.Binary, left: float, right: float) -> float | None:
    """None: a comparison that filters the element out."""
    if node.sign not in functions.COMPARE:
        return functions.arithmetic(node.sign, left, right)
    holds = functions.COMPARE[node.sign](left, right)
    return float(holds) if node.yes else left if holds else None


def histogram(share: float, vector: Vector) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for key, count in vector.items():
        try:
            bound = float(dict(key).get("le", ""))
        except ValueError:
            continue
        rest = tuple([(label, value) for label, value in key if label not in ("le", "__name__")])
        groups.setdefault(rest, []).append((bound, count))
    return {key: functions.bucket_quantile(share, buckets) for key, buckets in groups.items()}


def nameless(key: Labels) -> Labels:
    return tuple([one for one in key if one[0] != "__name__"])


def grouped(key: Labels, grouping: tree.Grouping, *, names: bool = False) -> Labels:
    """names: whether the metric's name stays where labels are left out."""
    if grouping.without:
        gone = grouping.labels if names else (*grouping.labels, "__name__")
        return tuple([one for one in key if one[0] not in gone])
    return tuple([one for one in key if one[0] in grouping.labels])


def _unique(found: list[tuple[Labels, float]]) -> Vector:
    made = dict(found)
    if len(made) < len(found):
        raise Failed("vector cannot contain metrics with the same labelset")
    return made


def _partners(node: tree.Binary, vector: Vector, side: str) -> Vector:
    made: Vector = {}
    for key, value in vector.items():
        group = grouped(key, node.matching)
        if group in made:
            shown = ", ".join([f'{label}="{of}"' for label, of in group])
            raise Failed(f"found duplicate series for the match group {{{shown}}} on the {side} hand-side of the operation")
        made[group] = value
    return made


def _sets(node: tree.Binary, left: Vector, right: Vector) -> Vector:
    def groups(vector: Vector) -> set[Labels]:
        return {grouped(key, node.matching) for key in vector}

    if node.sign == "or":
        mine = groups(left)
        return left | {key: value for key, value in right.items() if grouped(key, node.matching) not in mine}
    theirs = groups(right)
    return {key: value for key, value in left.items() if (grouped(key, node.matching) in theirs) is (node.sign == "and")}


def _aggregated(name: str, parameter: float, values: list[float]) -> float:
    match name:
        case "sum":
            return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)
        case "avg":
            return sum(values) / len(values)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "quantile":
            return functions.quantile(parameter, values)
        case _:
            return float(len(values))


def _extremes(name: str, count: float, group: Vector) -> Vector:
    number = int(count) if math.isfinite(count) and count > 0 else 0
    ordered = sorted(group.items(), key=lambda one: one[1], reverse=name == "topk")
    return dict(ordered[:number])


def _given(node: tree.Node) -> Labels:
    """absent() tells what was looked for, as far as it is sure."""
    matchers = node.matchers if isinstance(node, tree.Selector) else ()
    return tuple(sorted({one.label: one.value for one in matchers if one.sign == "=" and one.label != "__name__"}.items()))
