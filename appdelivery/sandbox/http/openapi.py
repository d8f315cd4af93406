"""OpenAPI v2 and v3 of what is served."""

from __future__ import annotations

from appdelivery.sandbox import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.requests import Request
    from appdelivery.sandbox.http.serving import Serving


def answer(serving: Serving, request: Request, parts: list[str]) -> Answer:
    raise status.no_such_path()
