"""`request`: one HTTP call with JSON in and out; `webhook` is the same with POST.  Noted before it is made, so that a
repeated run gets the kept answer instead of calling again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from appdelivery.workflow.model import Done
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

BODY_BYTES = 64 << 10  # of the answer as kept; more is cut, and then it is no JSON


async def run(at: StepContext) -> Result:
    given = at.properties
    doing = f"{given['method']} {_shown(given['url'])}"
    noted = {name: given[name] for name in ("method", "url", "header", "body") if given.get(name) is not None}

    async def call(idempotency_key: str) -> dict[str, Any]:
        request = world.HttpRequest(
            given["method"],
            await _text(at, given["url"], "the URL"),
            await _headers(at, given, idempotency_key),
            _body(at, given),
        )
        return _kept(await world.ask(at, request, doing))

    answer = await at.effect("request", noted, call)
    body = _parsed(answer["body"])
    return Done({"statusCode": answer["status"], "response": body, "body": answer["body"]}, f"{doing}: {answer['status']}")


def _shown(url: Any) -> str:
    """How messages name the address: never its query or credentials, which often hold secrets, nor the path of a hook,
    which is one."""
    if isinstance(url, str):
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
    if url.get("secretRef"):
        return "(the address in a Secret)"
    scheme, _, rest = _shown(url["value"]).partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


async def _text(at: StepContext, given: Any, what: str) -> str:
    return given if isinstance(given, str) else await world.secret_value(at, given, what)


async def _headers(at: StepContext, given: dict[str, Any], idempotency_key: str) -> dict[str, str]:
    written = {name: await _text(at, value, f"header {name}") for name, value in (given.get("header") or {}).items()}
    known = {name.lower() for name in written}
    ours = {"Idempotency-Key": idempotency_key}
    if _has_body(given) and "content-type" not in known:
        ours["Content-Type"] = "application/json"
    return ours | written


def _has_body(given: dict[str, Any]) -> bool:
    return given.get("body") is not None or bool(given.get("application"))


def _body(at: StepContext, given: dict[str, Any]) -> bytes | None:
    """What is written, or for a webhook without data the application."""
    if given.get("body") is not None:
        return json.dumps(given["body"], ensure_ascii=False).encode()
    return json.dumps(_application(at), ensure_ascii=False).encode() if given.get("application") else None


def _application(at: StepContext) -> dict[str, Any]:
    run, app = at.run, at.app
    return {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": app.name if app else run.name, "namespace": app.namespace if app else run.namespace},
        "status": {"workflow": {"name": run.name, "run": run.id, "release": run.release, "status": run.state}},
    }


def _kept(answer: world.HttpAnswer) -> dict[str, Any]:
    return {"status": answer.status, "body": answer.body[:BODY_BYTES].decode("utf-8", "replace")}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return None
