"""The Prometheus-compatible endpoint: instant and range queries, as `/api/v1/query` and `/api/v1/query_range` answer them.

A pure ASGI application.  What a script wants to go wrong (empty answers, NaN, errors, delays) goes wrong here.
"""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qsl

from appdelivery.sandbox.traffic import evaluate, promql, tree
from appdelivery.sandbox.traffic.tokens import Invalid, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.sandbox.traffic.model import Traffic
    from appdelivery.sandbox.traffic.script import Answer
    from appdelivery.sandbox.traffic.series import Labels, Sample

PATHS = ("/api/v1/query", "/api/v1/query_range")
LARGEST = 1 << 20  # bytes of a form
STEPS = 11_000  # points of a series in one answer, as with Prometheus
KINDS = {"s": "scalar", "v": "vector", "r": "matrix"}


class Endpoint:
    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].rstrip("/")
        if not path.endswith(PATHS):
            await _send(send, 404, failure("not_found", f"there is no {path}; known: {', '.join(PATHS)}"))
            return
        if scope["method"] not in ("GET", "POST"):
            await _send(send, 405, failure("bad_data", "queries are asked with GET or POST"))
            return
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if scope["method"] == "POST":
            given |= dict(parse_qsl((await _body(receive)).decode("latin-1"), keep_blank_values=True))
        planned = self.traffic.script.answer(given.get("query", ""))
        if planned is not None and planned.do == "delay":
            await asyncio.sleep(planned.value)
        status, answer = self.answer(given, ranged=path.endswith("range"), planned=planned)
        await _send(send, status, answer)

    def answer(self, given: Mapping[str, str], *, ranged: bool, planned: Answer | None = None) -> tuple[int, dict[str, Any]]:
        if planned is not None and planned.do == "error":
            return int(planned.value), failure("unavailable", "the query was refused: injected by the sandbox")
        try:
            node = promql.parse(given.get("query", ""))
            self.traffic.settle()
            data = self._range(node, given) if ranged else self._instant(node, given)
        except Invalid as error:
            return 400, failure("bad_data", f'invalid parameter "query": {error}')
        except _Parameter as error:
            return 400, failure("bad_data", str(error))
        except evaluate.Failed as error:
            return 422, failure("execution", str(error))
        if planned is not None and planned.do in ("empty", "nan"):
            data = _spoilt(data, planned.do)
        return 200, {"status": "success", "data": data}

    def _instant(self, node: tree.Node, given: Mapping[str, str]) -> dict[str, Any]:
        at = moment("time", given["time"]) if given.get("time") else self.traffic.now()
        value = evaluate.Moment(self.traffic.database, at).value(node)
        kind = KINDS[tree.kind(node)]
        if isinstance(value, float):
            return {"resultType": kind, "result": [stamp(at), shown(value)]}
        if kind == "vector":
            found = [{"metric": dict(key), "value": [stamp(at), shown(one)]} for key, one in value.items()]  # type: ignore[arg-type]
        else:
            found = [{"metric": dict(key), "values": _values(samples)} for key, samples in value.items()]
        return {"resultType": kind, "result": found}

    def _range(self, node: tree.Node, given: Mapping[str, str]) -> dict[str, Any]:
        if tree.kind(node) == "r":
            raise Invalid('invalid expression type "range vector" for range query, must be Scalar or instant Vector')
        start, end = moment("start", given.get("start", "")), moment("end", given.get("end", ""))
        step = length("step", given.get("step", ""))
        if end < start:
            raise _Parameter('invalid parameter "end": end timestamp must not be before start time')
        if (end - start) / step > STEPS:
            raise _Parameter(
                f"exceeded maximum resolution of {STEPS:,} points per timeseries. Try decreasing the query resolution"
            )
        found: dict[Labels, list[Sample]] = {}
        for number in range(math.floor((end - start) / step + 1e-9) + 1):
            at = start + number * step
            value = evaluate.Moment(self.traffic.database, at).value(node)
            for key, one in ({(): value} if isinstance(value, float) else value).items():
                found.setdefault(key, []).append((at, one))  # type: ignore[arg-type]
        return {
            "resultType": "matrix",
            "result": [{"metric": dict(key), "values": _values(samples)} for key, samples in found.items()],
        }


class _Parameter(Exception):
    pass


def moment(name: str, text: str) -> float:
    """Unix seconds, or RFC 3339."""
    try:
        made = float(text)
    except ValueError:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise _Parameter(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp') from None
        made = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(made):
        raise _Parameter(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
    return made


def length(name: str, text: str) -> float:
    """Seconds, or a duration such as 30s."""
    try:
        made = float(text)
    except ValueError:
        made = seconds(text)
    if not math.isfinite(made) or made <= 0:
        raise _Parameter(
            f'invalid parameter "{name}": zero or negative query resolution step widths are not accepted. Try a positive integer'
        )
    return made


def shown(value: float) -> str:
    """As Go's strconv writes numbers without an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else format(Decimal(repr(value)), "f")


def stamp(at: float) -> float:
    """Prometheus knows milliseconds."""
    return round(at, 3)


def failure(kind: str, text: str) -> dict[str, Any]:
    return {"status": "error", "errorType": kind, "error": text}


def _values(samples: Any) -> list[list[Any]]:
    return [[stamp(at), shown(value)] for at, value in samples]


def _spoilt(data: dict[str, Any], do: str) -> dict[str, Any]:
    if do == "empty":
        return data | ({"result": []} if data["resultType"] != "scalar" else {"resultType": "vector", "result": []})
    if data["resultType"] == "scalar":
        return data | {"result": [data["result"][0], "NaN"]}
    spoilt = [
        one
        | ({"value": [one["value"][0], "NaN"]} if "value" in one else {"values": [[at, "NaN"] for at, _ in one["values"]]})
        for one in data["result"]
    ]
    return data | {"result": spoilt}


async def _body(receive: Any) -> bytes:
    found: bytes = b""
    while True:
        message = await receive()
        found += message.get("body", b"")
        if not message.get("more_body") or len(found) > LARGEST:
            return found[:LARGEST]


async def _send(send: Any, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer, separators=(",", ":")).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
