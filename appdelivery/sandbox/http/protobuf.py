"""Reads Kubernetes protobuf: what kubectl's typed commands and helm send, as the JSON tree that a Go client would have sent.

The table of messages (`data/protobuf-MINOR.json.gz`) is generated from the tags of Go's structs by
tests/tools/record_protobuf.py.  A field is [JSON name, shape, element, mark]: shape "" (one), "l" (list), "m" (map with
string keys); an empty name means that the message's fields are its parent's.  The mark says what a zero value means:
"p" = it was set, "k" = it is always written, "" = the same as absent except for messages, "z" = for these too.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from appdelivery.sandbox import schemas, status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Field = tuple[str, str, Any, str]
    Message = dict[int, Field]

MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SIGN = 1 << 63
MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, struct.error)
"""What reading a field of another form than the table says ends in."""


def read(text: bytes) -> dict[str, Any] | None:
    """The tree of an enveloped object; None when its kind is not known or the envelope is no envelope."""
    if not text.startswith(MAGIC):
        return None
    try:
        return _object(text[len(MAGIC) :])
    except MALFORMED as error:
        raise status.bad_request(f"the body of the request is malformed protobuf: {error}") from None


def _object(text: bytes) -> dict[str, Any] | None:
    """The envelope: runtime.Unknown with type and the raw object."""
    envelope = dict(_fields(text))
    typed = {number: value.decode() for number, value in _fields(envelope.get(1, b""))}
    version, kind = typed.get(1, ""), typed.get(2, "")
    kinds, messages = _tables()
    name = kinds.get(f"{version} {kind}")
    if name is None and kind == "DeleteOptions":
        name = kinds["v1 DeleteOptions"]
    if name is None:
        return None
    return {"kind": kind, "apiVersion": version, **_message(messages, name, envelope.get(2, b""))}


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, str], dict[str, Message]]:
    with gzip.open(os.path.join(schemas.FOLDER, f"protobuf-{schemas.NEWEST}.json.gz")) as file:
        document = json.load(file)
    messages = {
        name: {int(number): tuple(field) for number, field in fields.items()}
        for name, fields in document["messages"].items()
    }
    return document["kinds"], messages


def _fields(text: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value of each field in turn."""
    at, end = 0, len(text)
    while at < end:
        tag, at = _varint(text, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _varint(text, at)
            yield number, value
        elif wire == BYTES:
            size, at = _varint(text, at)
            if at + size > end:
                raise ValueError("unexpected EOF")
            yield number, text[at : at + size]
            at += size
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            yield number, text[at : at + size]
            at += size
        else:
            raise ValueError(f"illegal wire type {wire}")


def _varint(text: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = text[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # the bit that says that more follow
            return value, at
        shift += 7


def _message(messages: dict[str, Message], name: str, text: bytes) -> dict[str, Any]:
    known = messages[name]
    tree: dict[str, Any] = {}
    for number, raw in _fields(text):
        field = known.get(number)
        if field is None:
            continue
        key, shape, element, mark = field
        if shape == "l":
            tree.setdefault(key, []).append(_value(messages, element, raw))
        elif shape == "m":
            entry = dict(_fields(raw))
            tree.setdefault(key, {})[entry.get(1, b"").decode()] = _value(messages, element, entry.get(2, _nothing(element)))
        else:
            value = _value(messages, element, raw)
            if not key:
                tree.update(value)
            elif mark == "k" or (value is not None and (mark == "p" or value or (not mark and isinstance(value, dict)))):
                tree[key] = value
    return tree


def _nothing(element: Any) -> Any:
    return 0 if element in ("i", "b") else b""


def _value(messages: dict[str, Message], element: Any, raw: Any) -> Any:
    if isinstance(element, list):  # a map of lists or of maps
        entries = [dict(_fields(entry)) for _, entry in _fields(raw)]
        return {entry[1].decode(): _value(messages, element[1], entry.get(2, b"")) for entry in entries}
    read = READERS.get(element)
    return read(raw) if read else _message(messages, element, raw)


def _integer(raw: int) -> int:
    return raw - 2 * SIGN if raw >= SIGN else raw


def _time(raw: bytes, *, fraction: bool = False) -> str | None:
    parts = dict(_fields(raw))
    if not parts:
        return None
    seconds = _integer(parts.get(1, 0))
    if seconds < 0:
        return None  # Go's zero time
    moment = EPOCH + timedelta(seconds=seconds, microseconds=parts.get(2, 0) // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if fraction else "%Y-%m-%dT%H:%M:%SZ")


def _quantity(raw: bytes) -> str:
    return next((value.decode() for number, value in _fields(raw) if number == 1), "0")


def _int_or_string(raw: bytes) -> int | str:
    parts = dict(_fields(raw))
    return parts.get(3, b"").decode() if parts.get(1) else _integer(parts.get(2, 0))


def _json(raw: bytes) -> Any:
    text = next((value for number, value in _fields(raw) if number == 1), b"")
    return json.loads(text) if text else None


def _duration(raw: bytes) -> str:
    nanoseconds = next((_integer(value) for number, value in _fields(raw) if number == 1), 0)
    return f"{nanoseconds / 1e9:g}s"


READERS: dict[Any, Callable[[Any], Any]] = {
    "s": lambda raw: raw.decode(),
    "b": bool,
    "i": _integer,
    "d": lambda raw: struct.unpack("<d", raw)[0],
    "B": lambda raw: base64.b64encode(raw).decode(),
    "time": _time,
    "micro": lambda raw: _time(raw, fraction=True),
    "quantity": _quantity,
    "intstr": _int_or_string,
    "json": _json,
    "duration": _duration,
    "items": lambda raw: [value.decode() for _, value in _fields(raw)],
}
