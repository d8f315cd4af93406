"""`App`: one cluster as an ASGI application, for the listener and for tests in process."""

from __future__ import annotations

import asyncio
import traceback

from appdelivery.sandbox import status
from appdelivery.sandbox.faults import plan as plans
from appdelivery.sandbox.http import access as accesses
from appdelivery.sandbox.http import answers, bodies, discovery, health, openapi, requests, resources, routes
from appdelivery.sandbox.http.serving import Call, Serving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.faults.plan import Plan, Planner
    from appdelivery.sandbox.http.access import Access
    from appdelivery.sandbox.http.answers import ASGI, Answer, Receive, Send
    from appdelivery.sandbox.http.requests import Request, RequestLog

WRITING = frozenset(["POST", "PUT", "PATCH", "DELETE"])
NOTHING = plans.Plan()
CACHING = (b"cache-control", b"no-cache, private")


class App:
    """faults: what goes wrong; log: where requests are remembered; more: other applications, by path prefix."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        access: Access | None = None,
        faults: Planner | None = None,
        log: RequestLog | None = None,
        more: Mapping[str, ASGI] | None = None,
    ) -> None:
        self.cluster = cluster
        self.access = access or accesses.Access()
        self.faults = faults
        self.log = log if log is not None else requests.RequestLog()
        self.more = dict(more or {})
        self._serving = Serving(cluster, self.access)
        cluster.storage.forget()  # as with a real server, history begins when it starts

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "the sandbox serves no streams of this kind"})
            return
        for prefix, other in self.more.items():
            if scope["path"].startswith(prefix):
                await other(scope, receive, send)
                return
        request = requests.read(scope, self.cluster.kinds)
        if request.path[1:] not in health.PROBES:
            self.log.add(request)
        plan = (self.faults.plan(request) if self.faults else None) or NOTHING
        if plan.delay:
            await asyncio.sleep(plan.delay)
        if plan.before == "reset":
            _abort(scope)
            return
        answer = await self._answer(request, plan, receive)
        if plan.after == "reset":
            _abort(scope)
            return
        if answer.stream is not None:
            await send({"type": "http.response.start", "status": answer.status, "headers": _head(answer, request)})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await answer.stream(receive, send)
        else:
            await _send(answer, request, send, scope=scope, truncate=plan.after == "truncate")

    async def _answer(self, request: Request, plan: Plan, receive: Receive) -> Answer:
        if isinstance(plan.before, status.Refusal):
            return answers.refused(plan.before)
        try:
            body = await bodies.receive_all(receive) if request.method in WRITING else b""
            request.received = len(body)
            return self._work(request, body, plan)
        except status.Refusal as refusal:
            request.warnings = (*refusal.warnings, *request.warnings)
            return answers.refused(refusal)
        except ConnectionResetError:
            return answers.Answer(b"", status=499)
        except Exception as error:  # a fault of ours ends this request, not the server; it is shown to whoever asks
            traceback.print_exc()
            return answers.refused(status.Refusal(500, "InternalError", f"Internal error occurred: {error!r}", details={}))

    def _work(self, request: Request, body: bytes, plan: Plan) -> Answer:
        """Without waiting for anything, so that nothing comes in between."""
        request.identity = self.access.identify(request)
        name = request.name or (routes.only_name(request.query) if request.verb in ("list", "watch") else "")
        self.access.admit(request.identity, request, name)
        if request.place.plural:
            if request.kind is None:
                raise status.no_such_path()
            call = Call(self._serving, request, body, plan.stale)
            return resources.serve(call, request.kind, plan.watch)
        return self._document(request)

    def _document(self, request: Request) -> Answer:
        parts = routes.segments(request.path)
        if request.method != "GET" and not (request.method == "HEAD" and parts and parts[0] in health.PROBES):
            raise status.method_not_allowed()
        if health.serves(parts):
            return health.answer(self._serving, request, parts)
        if parts[0] in ("api", "apis"):
            return discovery.answer(self._serving, request, parts)
        if parts[0] == "openapi":
            return openapi.answer(self._serving, request, parts)
        return answers.text(discovery.NOWHERE, status=404)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _send(answer: Answer, request: Request, send: Send, *, scope: Mapping[str, Any], truncate: bool) -> None:
    headers = [*_head(answer, request), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if request.method == "HEAD" else answer.body
    if truncate and body:
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        _abort(scope)
        return
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _head(answer: Answer, request: Request) -> list[tuple[bytes, bytes]]:
    request.status = answer.status
    headers = [(b"content-type", answer.content_type.encode())]
    if "cache-control" not in answer.headers:
        headers.append(CACHING)
    headers += [(key.encode(), value.encode()) for key, value in answer.headers.items()]
    return headers + resources.warning_headers(request.warnings) if request.warnings else headers


def _abort(scope: Mapping[str, Any]) -> None:
    end = scope.get("extensions", {}).get(plans.ABORT)
    if end is None:
        raise plans.Aborted
    end()
