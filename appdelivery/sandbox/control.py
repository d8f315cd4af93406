"""The control route: what a running sandbox is told and asked beside the protocol, by `appctl sandbox`, tests and scripts.

Mounted at /sandbox/control of every cluster's listener, for the administrator's token only, and never struck by faults.
What concerns one cluster is chosen with ?cluster=GLOB; without it a request is for all of them.  Bodies are JSON.
What it can be told: `orders`.
"""

from __future__ import annotations

import fnmatch
import json
from urllib.parse import parse_qsl, unquote

from appdelivery.sandbox import orders, status
from appdelivery.sandbox.member import bearer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.orders import Controlled

PREFIX = "/sandbox/control"
LARGEST = 16 << 20


class Control:
    """An ASGI application."""

    def __init__(self, sandbox: Controlled) -> None:
        self.sandbox = sandbox

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            self._admit(bearer(scope))
            body = await _body(receive)
            code, answer = 200, self._handle(scope, body)
        except status.Refusal as refusal:
            code, answer = refusal.code, refusal.body()
        text = json.dumps(answer, separators=(",", ":")).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    def _admit(self, token: str) -> None:
        found = [member.access.of(token) for member in self.sandbox.members]
        if not any(found):
            raise status.unauthorized()
        if not any(identity and "system:masters" in identity.groups for identity in found):
            raise status.Refusal(403, "Forbidden", "the sandbox is controlled with the administrator's token only")

    def _handle(self, scope: Any, text: bytes) -> Any:
        resource, _, rest = scope["path"].removeprefix(PREFIX).strip("/").partition("/")
        order = orders.ROUTES.get((scope["method"], resource))
        if order is None:
            known = ", ".join(sorted({f"{method} {PREFIX}/{name}".rstrip("/") for method, name in orders.ROUTES}))
            raise status.Refusal(404, "NotFound", f"there is no {scope['method']} {scope['path']}; there are {known}")
        wanted = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("cluster", "*")
        chosen = [member for member in self.sandbox.members if fnmatch.fnmatchcase(member.name, wanted)]
        if not chosen:
            names = ", ".join([member.name for member in self.sandbox.members])
            raise status.Refusal(404, "NotFound", f"there is no cluster '{wanted}'; there are {names}")
        return order(self.sandbox, orders.Asked(unquote(rest), chosen, _parsed(text)))


def _parsed(text: bytes) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise status.bad_request(f"the body is no JSON: {error}") from error


async def _body(receive: Any) -> bytes:
    found = bytearray()
    while True:
        message = await receive()
        found += message.get("body", b"")
        if len(found) > LARGEST:
            raise status.Refusal(413, "RequestEntityTooLarge", f"the body is larger than {LARGEST} bytes")
        if not message.get("more_body"):
            return bytes(found)
