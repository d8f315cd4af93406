"""A small PromQL: queries to trees.  What canary analyses use is known; anything else is refused by name, never guessed."""

from __future__ import annotations

import math
import re

from appdelivery.sandbox.traffic import tokens, tree
from appdelivery.sandbox.traffic.tokens import Invalid
from appdelivery.sandbox.traffic.tree import Aggregation, Binary, Call, Grouping, Matcher, Minus, Node, Number, Selector

AGGREGATIONS = ("sum", "avg", "min", "max", "count", "quantile", "topk", "bottomk")
WITH_PARAMETER = ("quantile", "topk", "bottomk")
# kinds of arguments: v = instant vector, r = range vector, s = scalar; ? = may be left out
FUNCTIONS = {
    "rate": "r", "irate": "r", "increase": "r", "delta": "r", "avg_over_time": "r", "sum_over_time": "r",
    "min_over_time": "r", "max_over_time": "r", "count_over_time": "r", "last_over_time": "r",
    "histogram_quantile": "sv", "absent": "v", "vector": "s", "scalar": "v", "time": "", "abs": "v", "ceil": "v",
    "floor": "v", "round": "v", "clamp_min": "vs", "clamp_max": "vs",
}  # fmt: skip
LEVELS = (("or",), ("and", "unless"), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
COMPARISONS = LEVELS[2]
DEEPEST = 50


def parse(query: str) -> Node:
    if not query.strip():
        raise Invalid("unknown position: parse error: no expression found in input")
    reader = _Reader(tokens.split(query))
    made = reader.expression(0)
    if reader.next.kind != "end":
        raise reader.unexpected()
    return made


class _Reader:
    """Recursive descent, one token ahead."""

    def __init__(self, found: list[tokens.Token]) -> None:
        self._found = found
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> tokens.Token:
        return self._found[self._at]

    def take(self) -> tokens.Token:
        self._at += 1
        return self._found[self._at - 1]

    def unexpected(self, wanted: str = "") -> Invalid:
        token = self.next
        said = f"unexpected {token.text!r}" if token.kind != "end" else "unexpected end of input"
        return Invalid(f"{tokens.place(token.at)}: parse error: {said}{f', expected {wanted}' if wanted else ''}")

    def is_(self, *texts: str) -> bool:
        return self.next.kind in ("sign", "name") and self.next.text in texts

    def expect(self, text: str) -> None:
        if not self.is_(text):
            raise self.unexpected(repr(text))
        self.take()

    def expression(self, level: int) -> Node:
        if level == len(LEVELS):
            return self.unary()
        left = self.expression(level + 1)
        while self.is_(*LEVELS[level]):
            sign = self.take().text
            yes = sign in COMPARISONS and self.is_("bool") and bool(self.take())
            matching = self.matching()
            left = _checked(Binary(sign, left, self.expression(level + 1), matching, yes))
        return left

    def unary(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Invalid(f"{tokens.place(self.next.at)}: the query is nested too deeply")
        if self.is_("-", "+"):
            sign = self.take().text
            made: Node = Minus(self.unary()) if sign == "-" else self.unary()
        else:
            made = self.atom()
            if self.is_("^"):
                self.take()
                made = _checked(Binary("^", made, self.unary(), Grouping(without=True)))
        self._depth -= 1
        return made

    def matching(self) -> Grouping:
        if not self.is_("on", "ignoring"):
            return Grouping(without=True)
        without = self.take().text == "ignoring"
        labels = self.labels()
        if self.is_("group_left", "group_right"):
            raise Invalid(f"{tokens.place(self.next.at)}: {self.next.text} is not known to the sandbox")
        return Grouping(labels, without)

    def labels(self) -> tuple[str, ...]:
        self.expect("(")
        found = []
        while not self.is_(")"):
            if self.next.kind != "name":
                raise self.unexpected("a label")
            found.append(self.take().text)
            if not self.is_(")"):
                self.expect(",")
        self.take()
        return tuple(found)

    def atom(self) -> Node:
        token = self.next
        if self.is_("("):
            self.take()
            made = self.expression(0)
            self.expect(")")
            return self.suffixed(made)
        if token.kind == "number":
            self.take()
            return Number(float(int(token.text, 16) if token.text.startswith("0x") else token.text))
        if token.kind == "name" and token.text.lower() in ("inf", "nan"):
            self.take()
            return Number(math.inf if token.text.lower() == "inf" else math.nan)
        if token.kind == "sign" and token.text == "{":
            return self.suffixed(self.selector(""))
        if token.kind != "name":
            raise self.unexpected("an expression")
        self.take()
        if token.text in AGGREGATIONS and self.is_("(", "by", "without"):
            return self.aggregation(token.text)
        if self.is_("("):
            return self.call(token)
        return self.suffixed(self.selector(token.text))

    def selector(self, name: str) -> Selector:
        matchers = [Matcher("__name__", "=", name)] if name else []
        if self.is_("{"):
            self.take()
            while not self.is_("}"):
                matchers.append(self.matcher())
                if not self.is_("}"):
                    self.expect(",")
            self.take()
        if all(matcher.holds("") for matcher in matchers):
            raise Invalid("parse error: vector selector must contain at least one non-empty matcher")
        return Selector(tuple(matchers))

    def matcher(self) -> Matcher:
        if self.next.kind != "name":
            raise self.unexpected("a label")
        label = self.take().text
        if not self.is_("=", "!=", "=~", "!~"):
            raise self.unexpected("one of = != =~ !~")
        sign, value = self.take().text, self.next
        if value.kind != "text":
            raise self.unexpected("a quoted text")
        text = tokens.unquoted(self.take().text)
        if sign in ("=", "!="):
            return Matcher(label, sign, text)
        try:
            return Matcher(label, sign, text, re.compile(text, re.DOTALL))
        except re.error as error:
            raise Invalid(f"{tokens.place(value.at)}: parse error: {text!r} is no regular expression: {error}") from error

    def suffixed(self, made: Node) -> Node:
        """[range] and offset of a selector."""
        range_, offset = None, 0.0
        if self.is_("["):
            range_ = self.duration_in_brackets()
        if self.is_("offset"):
            self.take()
            sign = -1.0 if self.is_("-") and self.take() else 1.0
            offset = sign * self.duration()
        if self.is_("@"):
            raise Invalid(f"{tokens.place(self.next.at)}: the modifier @ is not known to the sandbox")
        if range_ is None and not offset:
            return made
        if not isinstance(made, Selector):
            raise Invalid("parse error: ranges and offsets are known of selectors alone; subqueries are not known")
        return Selector(made.matchers, range_, offset)

    def duration_in_brackets(self) -> float:
        self.expect("[")
        found = self.duration()
        if self.is_(":"):
            raise Invalid(f"{tokens.place(self.next.at)}: subqueries are not known to the sandbox")
        self.expect("]")
        return found

    def duration(self) -> float:
        if self.next.kind not in ("duration", "number"):
            raise self.unexpected("a duration such as 5m")
        text = self.take().text
        found = tokens.seconds(text) if text[-1].isalpha() else float(text)
        if found <= 0:
            raise Invalid("parse error: duration must be greater than 0")
        return found

    def aggregation(self, name: str) -> Node:
        grouping = self.grouping()
        arguments = self.arguments()
        wanted = 2 if name in WITH_PARAMETER else 1
        if len(arguments) != wanted:
            raise Invalid(f"parse error: {name} takes {wanted} argument(s), not {len(arguments)}")
        if grouping is None:
            grouping = self.grouping() or Grouping()
        _is(arguments[-1], "v", name)
        if wanted == 2:
            _is(arguments[0], "s", name)
        return Aggregation(name, arguments[-1], grouping, arguments[0] if wanted == 2 else None)

    def grouping(self) -> Grouping | None:
        if not self.is_("by", "without"):
            return None
        without = self.take().text == "without"
        return Grouping(self.labels(), without)

    def call(self, token: tokens.Token) -> Node:
        wanted = FUNCTIONS.get(token.text)
        if wanted is None:
            known = ", ".join(sorted(FUNCTIONS))
            raise Invalid(f"{tokens.place(token.at)}: function {token.text} is not known to the sandbox; it knows {known}")
        arguments = self.arguments()
        if len(arguments) != len(wanted):
            raise Invalid(f"parse error: {token.text} takes {len(wanted)} argument(s), not {len(arguments)}")
        for argument, kind in zip(arguments, wanted, strict=True):
            _is(argument, kind, token.text)
        return Call(token.text, tuple(arguments))

    def arguments(self) -> list[Node]:
        self.expect("(")
        found: list[Node] = []
        while not self.is_(")"):
            found.append(self.expression(0))
            if not self.is_(")"):
                self.expect(",")
        self.take()
        return found


def _is(node: Node, wanted: str, whose: str) -> None:
    if tree.kind(node) != wanted:
        raise Invalid(f"parse error: {whose} takes {tree.KINDS[wanted]}, not {tree.KINDS[tree.kind(node)]}")


def _checked(made: Binary) -> Binary:
    kinds = (tree.kind(made.left), tree.kind(made.right))
    if "r" in kinds:
        raise Invalid(f"parse error: {made.sign} takes scalars and instant vectors, not a range vector")
    if made.sign in tree.SETS and "s" in kinds:
        raise Invalid(f"parse error: {made.sign} takes instant vectors on both sides")
    if made.sign in COMPARISONS and kinds == ("s", "s") and not made.yes:
        raise Invalid("parse error: comparisons between scalars must use the bool modifier")
    return made
