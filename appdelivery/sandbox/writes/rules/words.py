"""The server's words for what is wrong with a field; every function gives one cause."""

from __future__ import annotations

from appdelivery.sandbox.status import Cause
from appdelivery.sandbox.writes import fieldsets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"


def required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", "Required value" + (f": {detail}" if detail else ""), path)


def invalid(path: str, value: Any, detail: str) -> Cause:
    shown = f"Invalid value: {fieldsets.shown(value)}"
    return Cause("FieldValueInvalid", f"{shown}: {detail}" if detail else shown, path)


def unsupported(path: str, value: Any, known: Iterable[str]) -> Cause:
    supported = ", ".join(fieldsets.quoted(one) for one in known)
    said = f"Unsupported value: {fieldsets.shown(value)}: supported values: {supported}"
    return Cause("FieldValueNotSupported", said, path)


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {fieldsets.shown(value)}", path)


def missing(path: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {fieldsets.shown(value)}", path)


def forbidden(path: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", path)


def too_long(path: str, most: int) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", path)
