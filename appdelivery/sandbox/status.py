"""Refusals as a real API server words them: one exception, `Refusal`, and a function for each reason.

Messages, reasons, details and codes are the contract that clients read (kubectl prints them, client-go decides by
them), so they are those of a recorded server, not ours.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from appdelivery.sandbox.kinds import Kind


class Refusal(Exception):
    """Ends a request with a Status; nothing of it took effect."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}
        self.warnings: tuple[str, ...] = ()  # what had been remarked before it was refused

    def body(self) -> dict[str, Any]:
        """The Status object."""
        status: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        }  # fmt: skip
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = dict(self.details)
        return status | {"code": self.code}


class Cause:
    """One field that is wrong.  field: as the server writes paths, `spec.template.spec.containers[0].name`."""

    __slots__ = ("field", "message", "reason")

    def __init__(self, reason: str, message: str, field: str) -> None:
        self.reason = reason
        self.message = message
        self.field = field

    def body(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def unauthorized() -> Refusal:
    return Refusal(401, "Unauthorized", "Unauthorized")


def no_such_path() -> Refusal:
    return Refusal(404, "NotFound", "the server could not find the requested resource", details={})


def not_found(kind: Kind, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{kind.qualified} "{name}" not found', details=kind.details(name))


def already_exists(kind: Kind, name: str) -> Refusal:
    return Refusal(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', details=kind.details(name))


def modified(kind: Kind, name: str) -> Refusal:
    """Optimistic concurrency: the resourceVersion that was sent is not the current one."""
    return conflict(
        kind, name, "the object has been modified; please apply your changes to the latest version and try again"
    )


def conflict(kind: Kind, name: str, why: str) -> Refusal:
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return Refusal(409, "Conflict", message, details=kind.details(name))


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> Refusal:
    """422 with one cause a field; several are joined in brackets, as the server's aggregate errors are."""
    texts = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes]
    texts = list(dict.fromkeys(texts))  # what was found twice is said once
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    of = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details = {"name": name, "group": kind.group, "kind": kind.kind, "causes": [cause.body() for cause in causes]}
    details = {key: value for key, value in details.items() if value}
    return Refusal(422, "Invalid", f'{of} "{name}" is invalid: {said}', details=details)


def method_not_allowed() -> Refusal:
    message = "the server does not allow this method on the requested resource"
    return Refusal(405, "MethodNotAllowed", message, details={})


def unsupported_media_type(known: Sequence[str] = ()) -> Refusal:
    message = "the body of the request was in an unknown format"
    if known:
        message += f" - accepted media types include: {', '.join(known)}"
    return Refusal(415, "UnsupportedMediaType", message, details={})


def expired(message: str) -> Refusal:
    """410: the version or page asked for is no longer kept."""
    return Refusal(410, "Expired", message)
