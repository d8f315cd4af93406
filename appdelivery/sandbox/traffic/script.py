"""What somebody has told the traffic model: how much comes in, how revisions behave, extra series, answers that go wrong.

Read from plain trees, as the control route takes them; a wrong one is a 400 that names the field.
"""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass, field, replace

from appdelivery.sandbox import status
from appdelivery.sandbox.traffic.flows import Behaviour

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

REQUESTS = 10.0  # a second, where nothing else is said
SCOPE = ("namespace", "service", "deployment", "revision", "version")
ANSWERS = ("empty", "nan", "error", "delay")


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second that come in at a Service or an HTTPRoute; globs, the last one that fits wins."""

    requests: float
    namespace: str = "*"
    service: str = ""
    route: str = ""

    def fits(self, namespace: str, *, service: str = "", route: str = "") -> bool:
        wanted, name = (self.service, service) if service else (self.route, route)
        both = not self.service and not self.route
        return fnmatch.fnmatchcase(namespace, self.namespace) and (
            both or (bool(wanted) and fnmatch.fnmatchcase(name, wanted))
        )


@dataclass(frozen=True, slots=True)
class Scripted:
    """A behaviour of the revisions whose labels fit; globs, the last one that fits wins."""

    behaviour: Behaviour
    scope: tuple[tuple[str, str], ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        return all(fnmatch.fnmatchcase(labels.get(name, ""), wanted) for name, wanted in self.scope)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the query endpoint that goes wrong.  query: a glob; count: how often, None = until it is cleared."""

    do: str
    query: str = "*"
    value: float = 0.0  # seconds of a delay, status of an error
    count: int | None = None


@dataclass(slots=True)
class Script:
    loads: list[Load] = field(default_factory=list)
    behaviours: list[Scripted] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def requests(self, namespace: str, *, service: str = "", route: str = "") -> float:
        fitting = [load.requests for load in self.loads if load.fits(namespace, service=service, route=route)]
        return fitting[-1] if fitting else REQUESTS

    def behaviour(self, labels: Mapping[str, str], otherwise: Behaviour) -> Behaviour:
        fitting = [one.behaviour for one in self.behaviours if one.fits(labels)]
        return fitting[-1] if fitting else otherwise

    def answer(self, query: str) -> Answer | None:
        """The first that fits, which is used up by this."""
        for place, one in enumerate(self.answers):
            if fnmatch.fnmatchcase(query, one.query):
                if one.count == 1:
                    del self.answers[place]
                elif one.count is not None:
                    self.answers[place] = replace(one, count=one.count - 1)
                return one
        return None


def load(tree: Any) -> Load:
    given = _fields(tree, "a load", ("requests", "namespace", "service", "route"), {"requests"})
    if given.get("service") and given.get("route"):
        raise status.bad_request("service, route: a load comes in at one of them")
    return Load(_number(given, "requests"), **{name: _text(given, name) for name in given if name != "requests"})


def behaviour(tree: Any) -> Scripted:
    given = _fields(tree, "a behaviour", ("errors", "code", "latency", *SCOPE), set())
    made = Behaviour()
    if "errors" in given:
        made = replace(made, errors=_number(given, "errors"))
        if made.errors > 1:
            raise status.bad_request(f"errors: {made.errors} is no share; it is 0 to 1")
    if "code" in given:
        made = replace(made, failure=_code(given["code"]))
    if "latency" in given:
        made = replace(made, latency=_number(given, "latency"))
        if made.latency <= 0:
            raise status.bad_request("latency: an answer takes some time; it is in seconds and above 0")
    return Scripted(made, tuple([(name, _text(given, name)) for name in SCOPE if name in given]))


def answer(tree: Any) -> Answer:
    given = _fields(tree, "an answer", ("do", "query", "value", "count"), {"do"})
    if given["do"] not in ANSWERS:
        raise status.bad_request(f"do: there is no answer '{given['do']}'; choose from {', '.join(ANSWERS)}")
    count = given.get("count")
    if count is not None and (type(count) is not int or count < 1):
        raise status.bad_request(f"count: {count!r} is no number of answers; it is a whole number from 1 on")
    value = _number(given, "value") if "value" in given else {"delay": 1.0, "error": 503.0}.get(given["do"], 0.0)
    return Answer(given["do"], _text(given, "query") or "*", value, count)


def points(tree: Any) -> tuple[str, dict[str, str], list[tuple[float, float]]]:
    """A series: {name, labels, points: [[time, value], ...]}; a value may be "NaN", "+Inf", "-Inf"."""
    given = _fields(tree, "a series", ("name", "labels", "points"), {"name", "points"})
    labels = given.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise status.bad_request("labels: a map of texts is expected")
    if not isinstance(given["points"], list):
        raise status.bad_request("points: a list of [time, value] is expected")
    return _text(given, "name"), labels, [_point(one) for one in given["points"]]


def _point(given: Any) -> tuple[float, float]:
    try:
        at, value = given
        made = float(at), float(value)
    except (TypeError, ValueError):
        raise status.bad_request(f"points: {given!r} is no [time, value]") from None
    if not math.isfinite(made[0]):
        raise status.bad_request(f"points: {given!r} has no time")
    return made


def _fields(tree: Any, what: str, known: tuple[str, ...], needed: set[str]) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise status.bad_request(f"{what} is a map of {', '.join(known)}")
    unknown = [name for name in tree if name not in known]
    if unknown:
        raise status.bad_request(f"{what} has no field '{unknown[0]}'; it has {', '.join(known)}")
    given = {name: value for name, value in tree.items() if value is not None}
    for name in sorted(needed - given.keys()):
        raise status.bad_request(f"{what} needs {name}")
    return given


def _number(given: Mapping[str, Any], name: str) -> float:
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise status.bad_request(f"{name}: {value!r} is no number from 0 on")
    return float(value)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise status.bad_request(f"{name}: {value!r} is no text")
    return value


def _code(value: Any) -> str:
    text = str(value)
    if not (text.isdigit() and len(text) == 3 and text[0] in "12345"):
        raise status.bad_request(f"code: {value!r} is no HTTP status")
    return text
