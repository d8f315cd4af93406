"""What a query is made of, once it has been read: numbers, selectors, calls, aggregations, operators."""

from __future__ import annotations

import re
from dataclasses import dataclass

SETS = ("and", "or", "unless")


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    sign: str  # = != =~ !~
    value: str
    pattern: re.Pattern[str] | None = None

    def holds(self, value: str) -> bool:
        if self.pattern is None:
            return (value == self.value) is (self.sign == "=")
        return (self.pattern.fullmatch(value) is not None) is (self.sign == "=~")


@dataclass(frozen=True, slots=True)
class Selector:
    """range: seconds, None = instant."""

    matchers: tuple[Matcher, ...]
    range: float | None = None
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """labels: by these, or without them (without=True)."""

    labels: tuple[str, ...] = ()
    without: bool = False


@dataclass(frozen=True, slots=True)
class Aggregation:
    name: str
    inner: Node
    grouping: Grouping
    parameter: Node | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """matching: on these labels (without=False), or ignoring them; yes: `bool`."""

    sign: str
    left: Node
    right: Node
    matching: Grouping
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Minus:
    inner: Node


Node = Number | Selector | Call | Aggregation | Binary | Minus


KINDS: dict[str, str] = {"v": "an instant vector", "r": "a range vector", "s": "a scalar"}


def kind(node: Node) -> str:
    """v, r or s."""
    if isinstance(node, Number):
        return "s"
    if isinstance(node, Selector):
        return "v" if node.range is None else "r"
    if isinstance(node, Call):
        return "s" if node.name in ("scalar", "time") else "v"
    if isinstance(node, Minus):
        return kind(node.inner)
    if isinstance(node, Binary):
        return "s" if kind(node.left) == kind(node.right) == "s" else "v"
    return "v"
