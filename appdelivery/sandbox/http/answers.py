"""`Answer`: what goes back to the client, ready to be sent; made from JSON trees, texts and refusals."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from appdelivery.sandbox.status import Refusal

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    ASGI = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]
    Stream = Callable[[Receive, Send], Awaitable[None]]

JSON = "application/json"
YAML = "application/yaml"
TEXT = "text/plain; charset=utf-8"


class Answer:
    """stream: sends the body itself, after the head has gone out; body is empty then."""

    __slots__ = ("body", "content_type", "headers", "status", "stream")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        stream: Stream | None = None,
    ) -> None:
        self.body = body
        self.status = status
        self.content_type = content_type
        self.headers = headers or {}
        self.stream = stream


def encode(tree: Any) -> bytes:
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()


def of(tree: Any, *, status: int = 200) -> Answer:
    return Answer(encode(tree), status=status)


def text(said: str, *, status: int = 200) -> Answer:
    return Answer(said.encode(), status=status, content_type=TEXT)


def refused(refusal: Refusal) -> Answer:
    headers = dict(refusal.headers)
    seconds = (refusal.details or {}).get("retryAfterSeconds")
    if seconds:
        headers.setdefault("retry-after", str(seconds))
    return Answer(encode(refusal.body()), status=refusal.code, headers=headers)


def success(details: Mapping[str, Any]) -> Message:
    """The Status of a deletion."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": dict(details),
    }  # fmt: skip
