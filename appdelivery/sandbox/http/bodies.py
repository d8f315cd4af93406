"""Request bodies: from bytes and a content type to a JSON tree, and the server's words for those that cannot be read.

The only module of the sandbox that knows YAML.
"""

from __future__ import annotations

import json
import re

from appdelivery.sandbox import status
from appdelivery.sandbox.http import protobuf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.http.answers import Receive
    from appdelivery.sandbox.kinds import Kind

LARGEST = 3 * 1024 * 1024
READABLE = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
UNREADABLE = object()
TYPE_META = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
KINDS_OF_GO = {list: "array", str: "string", int: "number", float: "number", bool: "bool"}


async def receive_all(receive: Receive) -> bytes:
    """The whole body, 413 when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client went away before its body was complete")
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST:
            raise status.Refusal(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST}", details={})
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower() or "application/json"


def form_of_patch(content_type: str) -> str:
    """json, merge, strategic or apply; 415 else."""
    form = PATCHES.get(media(content_type))
    if form is None:
        raise status.Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
    return form


def read(kind: Kind, content_type: str, text: bytes, *, called: str = "") -> Any:
    """An object that is to be created or to replace one.  called: the kind that is expected, when it is another."""
    expected = called or kind.kind
    form = media(content_type)
    if form not in READABLE:
        raise _unsupported()
    if form == READABLE[2]:
        tree = protobuf.read(text)
        if tree is None:
            raise _unsupported()
        return tree
    try:
        tree = _yaml(text) if form == READABLE[1] else _json(text)
    except _WrongText as wrong:
        shown = _shown(text) if form == READABLE[0] else text.hex()
        prefix = "couldn't get version/kind; json parse error: " if form == READABLE[0] else ""
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type {expected}): {prefix}{wrong} ({shown})"
        ) from None  # fmt: skip
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        what = KINDS_OF_GO.get(type(tree), "value")
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type {expected}): couldn't get version/kind; json parse error: "
            f"json: cannot unmarshal {what} into Go value of type {TYPE_META} ({text.hex()})"
        )
    return tree


def read_patch(form: str, text: bytes) -> Any:
    try:
        if form == "apply":
            return _yaml(text)
        return _json(text)
    except _WrongText as wrong:
        if form == "apply":
            raise status.bad_request(f"error decoding YAML: error converting YAML to JSON: {wrong}") from None
        raise status.bad_request(f"{wrong}" if form == "strategic" else f"error decoding patch: {wrong}") from None


def read_options(content_type: str, text: bytes) -> dict[str, Any] | None:
    """DeleteOptions; None for no body."""
    if not text.strip():
        return None
    form = media(content_type)
    if form not in READABLE:
        raise _unsupported()
    if form == READABLE[2]:
        options = protobuf.read(text)
        if options is None:
            raise _unsupported()
        return options
    try:
        tree = _yaml(text) if form == READABLE[1] else _json(text)
    except _WrongText as wrong:
        raise status.bad_request(f"couldn't get version/kind; json parse error: {wrong}") from None
    if tree is not None and not isinstance(tree, dict):
        what = KINDS_OF_GO.get(type(tree), "value")
        raise status.bad_request(
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {what} into Go value of type {TYPE_META}"
        )
    return tree


def write_yaml(tree: Any) -> bytes:
    """As the server prints it: sorted keys, no wrapping of sequences."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    said: str = yaml.dump(tree, Dumper=dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=80)
    return said.encode()


class _WrongText(Exception):
    """What a Go parser would say."""


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise _WrongText(f"invalid character '{chr(text[error.start])}' looking for beginning of value") from None
    except json.JSONDecodeError as error:
        raise _WrongText(_in_go(error)) from None
    except RecursionError:
        raise _WrongText("exceeded max depth") from None


def _in_go(error: json.JSONDecodeError) -> str:
    """The message of encoding/json for the same fault."""
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
        return "unexpected end of JSON input"
    found = error.doc[error.pos]
    if error.msg == "Extra data":
        return f"invalid character '{found}' after top-level value"
    if error.msg.startswith("Expecting property name"):
        return f"invalid character '{found}' looking for beginning of object key string"
    if error.msg.startswith("Expecting ':'"):
        return f"invalid character '{found}' after object key"
    if error.msg.startswith("Expecting ',' delimiter"):
        before = "array element" if _in_array(error.doc[: error.pos]) else "object key:value pair"
        return f"invalid character '{found}' after {before}"
    if error.msg.startswith("Invalid control character"):
        return f"invalid character '\\x{ord(found):02x}' in string literal"
    if error.msg.startswith("Invalid \\escape"):
        return f"invalid character '{error.doc[error.pos + 1]}' in string escape code"
    return f"invalid character '{found}' looking for beginning of value"


def _in_array(before: str) -> bool:
    """Whether the innermost bracket that is open is square; strings are left out first."""
    depth = 0
    for sign in reversed(re.sub(r'"(?:[^"\\]|\\.)*"', "", before)):
        if sign in "]}":
            depth += 1
        elif sign in "[{":
            if depth == 0:
                return sign == "["
            depth -= 1
    return False


def _yaml(text: bytes) -> Any:
    if text.lstrip()[:1] in (b"{", b"["):  # most of apply is JSON, which parses much faster
        try:
            return json.loads(text)
        except ValueError:
            pass
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _plain(yaml.load(text, Loader=loader))  # noqa: S506 - both are the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise _WrongText(f"yaml: {where}{error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _WrongText(f"yaml: {error}") from None


def _plain(tree: Any) -> Any:
    """YAML that JSON cannot hold: keys become strings, dates their text."""
    if isinstance(tree, dict):
        return {key if isinstance(key, str) else _key(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_plain(value) for value in tree]
    if hasattr(tree, "isoformat"):
        said: str = tree.isoformat()
        return said.replace("+00:00", "Z")
    if isinstance(tree, bytes):
        return tree.decode("utf-8", "replace")
    return tree


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else "null" if key is None else str(key)


def _shown(text: bytes) -> str:
    if not text:
        return "<empty>"
    return text.decode(errors="replace") if len(text) <= 30 else text[:30].decode(errors="replace") + " ..."


def _unsupported() -> status.Refusal:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(READABLE)}"
    return status.Refusal(415, "UnsupportedMediaType", message)
