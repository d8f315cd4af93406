"""Label and field selectors of lists and watches, as functions over bodies, and the server's words for malformed ones."""

from __future__ import annotations

import re
from functools import lru_cache

from appdelivery.sandbox import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from appdelivery.sandbox.kinds import Kind

    Body = Mapping[str, Any]
    Test = Callable[[Body], bool]
    Labels = Callable[[Mapping[str, str]], bool]

TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|<|>|[^\s=!,()<>]+)")
NAME = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
SIGNS = frozenset(["==", "!=", "=", "!", ",", "(", ")", "<", ">"])
NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
EVERYWHERE = ("metadata.name", "metadata.namespace")
FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    ),
    ("", "events"): (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type",
    ),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "secrets"): ("type",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
    ("certificates.k8s.io", "certificatesigningrequests"): ("spec.signerName",),
}  # fmt: skip
PLACES = {"status.successful": "status.succeeded", "source": "source.component"}
OTHERWISE = {
    "spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0", "status.successful": "0",
}  # fmt: skip
NAMED = frozenset([("batch", "jobs"), ("certificates.k8s.io", "certificatesigningrequests")])  # whose refusal names the kind


def matcher(kind: Kind, labels: str, fields: str) -> Test | None:
    """None: everything matches."""
    by_label = label(labels) if labels else None
    by_field = field(kind, fields) if fields else None
    if by_label is None:
        return by_field
    if by_field is None:
        return lambda body: by_label(body["metadata"].get("labels") or {})
    return lambda body: by_label(body["metadata"].get("labels") or {}) and by_field(body)


# --- labels ---


@lru_cache(maxsize=1024)
def label(text: str) -> Labels:
    """The test that a label selector stands for."""
    tests = list(_requirements(_Tokens(text)))
    if len(tests) == 1:
        return tests[0]
    return lambda labels: all(test(labels) for test in tests)


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = TOKEN.findall(text)
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._at += 1
        return token


def _requirements(tokens: _Tokens) -> Iterator[Labels]:
    if not tokens.peek():
        return
    if tokens.peek() in SIGNS - {"!"}:
        raise status.bad_request(f"found '{tokens.peek()}', expected: !, identifier, or 'end of string'")
    while True:
        yield _requirement(tokens)
        sign = tokens.take()
        if not sign:
            return
        if sign != ",":
            raise status.bad_request(f"found '{sign}', expected: ',' or 'end of string'")
        if tokens.peek() in SIGNS - {"!"} or not tokens.peek():
            raise status.bad_request(f"found '{tokens.peek()}', expected: identifier after ','")


def _requirement(tokens: _Tokens) -> Labels:
    absent = tokens.peek() == "!"
    if absent:
        tokens.take()
    key = tokens.take()
    if not key or key in SIGNS:
        raise _unparsable(f"found '{key}', expected: identifier")
    if not NAME.match(key.rpartition("/")[2]):
        raise _unparsable(f'<nil>: Invalid value: "{key}": {NAME_RULE}')
    if absent:
        return lambda labels: key not in labels
    if tokens.peek() in ("", ","):
        return lambda labels: key in labels
    return _comparison(tokens, key)


def _comparison(tokens: _Tokens, key: str) -> Labels:
    sign = tokens.take()
    if sign in ("in", "notin"):
        values = _values(tokens)
        if sign == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if sign in ("=", "==", "!=", "<", ">"):
        value = "" if tokens.peek() in ("", ",") else tokens.take()
        if value in SIGNS:
            raise _unparsable(f"found '{value}', expected: identifier")
        if sign == "!=":
            return lambda labels: labels.get(key) != value
        if sign in "<>":
            return _ordered(key, sign, value)
        return lambda labels: labels.get(key) == value
    raise _unparsable(f"found '{sign}', expected: in, notin, =, ==, !=, gt, lt")


def _ordered(key: str, sign: str, value: str) -> Labels:
    try:
        bound = int(value)
    except ValueError:
        raise _unparsable(f'values[0]: Invalid value: "{value}": for \'Gt\', \'Lt\' operators, the value must be an integer') from None  # fmt: skip

    def test(labels: Mapping[str, str]) -> bool:
        found = labels.get(key, "")
        if not found.lstrip("-").isdigit():
            return False
        return int(found) > bound if sign == ">" else int(found) < bound

    return test


def _values(tokens: _Tokens) -> frozenset[str]:
    sign = tokens.take()
    if sign != "(":
        raise _unparsable(f"found '{sign}' expected: '('")
    if tokens.peek() not in (",", ")") and (tokens.peek() in SIGNS or not tokens.peek()):
        raise _unparsable(f"found '{tokens.peek()}', expected: ',', ')' or identifier")
    values: list[str] = []
    while tokens.peek() != ")":
        if tokens.peek() == ",":
            tokens.take()
            if not values or tokens.peek() in (",", ")"):
                values.append("")  # nothing between two signs is the empty value
            continue
        values.append(tokens.take())
        if tokens.peek() not in (",", ")"):
            raise _unparsable(f"found '{tokens.peek()}', expected: ',' or ')'")
    tokens.take()
    return frozenset(values or [""])


def _unparsable(why: str) -> status.Refusal:
    return status.bad_request(f"unable to parse requirement: {why}")


# --- fields ---


def field(kind: Kind, text: str) -> Test | None:
    known = (*EVERYWHERE, *FIELDS.get(kind.family, ()), *_selectable(kind))
    tests = []
    for term in text.split(","):
        if not term:
            continue
        sign = next((sign for sign in ("!=", "==", "=") if sign in term), "")
        if not sign:
            raise status.bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        name, _, value = term.partition(sign)
        if name not in known:
            raise _unknown(kind, name, known)
        tests.append(_field(name, value, equal=sign != "!="))
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda body: all(test(body) for test in tests)


def _selectable(kind: Kind) -> list[str]:
    """What a custom kind declares."""
    versions = kind.definition["spec"]["versions"] if kind.definition else ()
    return [
        entry["jsonPath"].removeprefix(".")
        for version in versions
        if version["name"] == kind.version
        for entry in version.get("selectableFields") or ()
    ]


def _field(name: str, value: str, *, equal: bool) -> Test:
    path = PLACES.get(name, name).split(".")
    otherwise = OTHERWISE.get(name, "")

    def test(body: Body) -> bool:
        found: Any = body
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if found is None:
            said = otherwise
        else:
            said = str(found).lower() if isinstance(found, bool) else str(found)
        return (said == value) is equal

    return test


def _unknown(kind: Kind, name: str, known: tuple[str, ...]) -> status.Refusal:
    if kind.definition is not None or kind.family not in FIELDS:
        listed = ", ".join([f'"{one}"' for one in known])
        return status.bad_request(f'"{name}" is not a known field selector: only {listed}')
    if kind.family in NAMED:
        return status.bad_request(f'field label "{name}" not supported for {kind.kind}')
    return status.bad_request(f"field label not supported: {name}")
