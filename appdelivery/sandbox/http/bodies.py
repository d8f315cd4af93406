"""Request bodies: from bytes and a content type to a JSON tree, and the server's words for those that cannot be read.

The only module of the sandbox that knows YAML.
"""

from __future__ import annotations

import itertools
import math
import re
from functools import lru_cache
from typing import Any, ClassVar

from appdelivery.sandbox import status
from appdelivery.sandbox.http import gojson, protobuf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.sandbox.http.answers import Receive
    from appdelivery.sandbox.kinds import Kind

MOST_NODES = 1_000_000  # of a YAML document with its aliases spread out
LARGEST = 3 * 1024 * 1024
READABLE = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
OPTIONS, SCHEME = "DeleteOptions", "pkg/runtime/scheme.go:111"
OPTIONS_TYPES: dict[str, tuple[type, str]] = {
    "gracePeriodSeconds": (int, "int64"), "propagationPolicy": (str, "v1.DeletionPropagation"), "orphanDependents": (bool, "bool"),
    "preconditions": (dict, "v1.Preconditions"), "dryRun": (list, "[]string"),
}  # fmt: skip
SCALARS = (
    ("bool", r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "yYnNtTfFoO"),
    ("int", r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
)
TYPE_META = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
MAP = "map[string]interface {}"


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
            raise status.Refusal(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST}")
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


def read(kind: Kind, content_type: str, text: bytes, *, called: str = "") -> gojson.Sent:
    """An object that is to be created or to replace one.  called: the kind that is expected, when it is another."""
    expected, form = called or kind.kind, media(content_type)
    if form not in READABLE:
        raise _unsupported()
    if form == READABLE[2]:
        tree = protobuf.read(text)
        if tree is None:
            raise _unsupported()
        return gojson.Sent(tree)
    try:
        sent = _yaml(text) if form == READABLE[1] else gojson.strict(text)
    except gojson.WrongText as wrong:
        shown = _shown(text) if form == READABLE[0] else text.hex()
        prefix = "couldn't get version/kind; json parse error: " if form == READABLE[0] else ""
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type {expected}): {prefix}{wrong} ({shown})"
        ) from None  # fmt: skip
    if sent.tree is None:
        return gojson.Sent({})
    if not isinstance(sent.tree, dict):
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type {expected}): couldn't get version/kind; json parse error: "
            f"json: cannot unmarshal {gojson.kind_of(sent.tree)} into Go value of type {TYPE_META} ({text.hex()})"
        )
    return sent


def read_patch(form: str, text: bytes) -> gojson.Sent:
    """A list of steps for json, else a map."""
    if form == "apply":
        try:
            sent = _yaml(text)
        except gojson.WrongText as wrong:
            raise status.bad_request(f"error decoding YAML: error converting YAML to JSON: {wrong}") from None
        if sent.tree is None:
            return gojson.Sent({})
        if not isinstance(sent.tree, dict):
            why = f"json: cannot unmarshal {gojson.kind_of(sent.tree)} into Go value of type {MAP}"
            raise status.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
        return sent
    prefix = "" if form == "strategic" else "error decoding patch: "
    try:
        sent = gojson.strict(text)
    except gojson.WrongText as wrong:
        raise status.bad_request(f"{prefix}{wrong}") from None
    if sent.tree is None:
        if form == "merge":
            raise status.bad_request("Invalid JSON Patch")
        return gojson.Sent([] if form == "json" else {})
    wanted, called = (list, "[]handlers.jsonPatchOp") if form == "json" else (dict, MAP)
    if not isinstance(sent.tree, wanted):
        raise status.bad_request(
            f"{prefix}json: cannot unmarshal {gojson.kind_of(sent.tree)} into Go value of type {called}"
        )
    for step in sent.tree if form == "json" else ():
        if not isinstance(step, dict):
            raise status.bad_request(
                f"{prefix}json: cannot unmarshal {gojson.kind_of(step)} into Go value of type {called[2:]}"
            )
    return sent._replace(twice=tuple([f"json patch {said}" for said in sent.twice])) if form == "json" else sent


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
        tree = _yaml(text).tree if form == READABLE[1] else gojson.parse(text)
    except gojson.WrongText as wrong:
        raise status.bad_request(f"couldn't get version/kind; json parse error: {wrong}") from None
    if tree is not None and not isinstance(tree, dict):
        what = gojson.kind_of(tree)
        raise status.bad_request(
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {what} into Go value of type {TYPE_META}"
        )
    return _checked(tree or {})


def _checked(tree: dict[str, Any]) -> dict[str, Any]:
    """DeleteOptions with members of the right types."""
    kind, version = tree.get("kind") or OPTIONS, tree.get("apiVersion") or "v1"
    if kind != OPTIONS:
        raise status.bad_request(f'no kind "{kind}" is registered for version "{version}" in scheme "{SCHEME}"')
    for key, (type, said) in OPTIONS_TYPES.items():
        value = tree.get(key)
        if value is not None and (not isinstance(value, type) or (type is int and isinstance(value, bool))):
            what = gojson.kind_of(value)
            raise status.bad_request(f"json: cannot unmarshal {what} into Go struct field {OPTIONS}.{key} of type {said}")
    return tree


def write_yaml(tree: Any) -> bytes:
    """As the server prints it: sorted keys, no wrapping of sequences."""
    import yaml

    said: str = yaml.dump(tree, Dumper=_dumper(), sort_keys=True, default_flow_style=False, allow_unicode=True, width=80)
    return said.encode()


@lru_cache(maxsize=1)
def _dumper() -> Any:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        pass

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return Dumper


def _yaml(text: bytes) -> gojson.Sent:
    """The first document."""
    if text.lstrip()[:1] in (b"{", b"["):  # most of apply is JSON, which parses much faster
        try:
            sent = gojson.strict(text)
        except gojson.WrongText:
            pass
        else:
            if not sent.twice:
                return sent
    import yaml

    try:
        loader = _loader()(text)
        tree = loader.get_data() if loader.check_data() else None
        return gojson.Sent(_plain(tree, itertools.count()), tuple(loader.twice), is_yaml=True)
    except yaml.MarkedYAMLError as error:
        raise gojson.WrongText(f"yaml: {_where(error)}{error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise gojson.WrongText(f"yaml: {error}") from None


def _where(error: Any) -> str:
    """The line as the server's parser counts: only the scanner's errors from one."""
    problem, context = (mark.line if mark else 0 for mark in (error.problem_mark, error.context_mark))
    line = problem + (type(error).__name__ == "ScannerError") if problem else context
    return f"line {line}: " if line else ""


@lru_cache(maxsize=1)
def _loader() -> Any:
    """Scalars as the server reads them: y and n are booleans, dates and base 60 are text, 1e3 is a number."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

        def __init__(self, stream: bytes) -> None:
            super().__init__(stream)
            self.twice: list[str] = []

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value]
            if len(set(map(str, keys))) != len(keys):
                self.twice += [
                    f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
                    for index, (key, _) in enumerate(node.value)
                    if key.value in keys[:index] and key.value != "<<"
                ]
            return super().construct_mapping(node, deep=deep)

    for tag, pattern, first in SCALARS:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
    return Loader


def _plain(tree: Any, counter: Iterator[int]) -> Any:
    """As JSON holds it, with every alias its own copy; counter: of the nodes."""
    if next(counter) > MOST_NODES:
        raise gojson.WrongText("yaml: document contains excessive aliasing")
    if isinstance(tree, dict):
        return {key if isinstance(key, str) else _key(key): _plain(value, counter) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_plain(value, counter) for value in tree]
    if isinstance(tree, bytes):
        return tree.decode("utf-8", "replace")
    if isinstance(tree, float) and not math.isfinite(tree):
        raise gojson.WrongText(f"json: unsupported value: {'NaN' if math.isnan(tree) else '+Inf' if tree > 0 else '-Inf'}")
    return gojson.mended(tree) if isinstance(tree, str) else tree


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else "null" if key is None else str(key)


def _shown(text: bytes) -> str:
    if not text:
        return "<empty>"
    return text.decode(errors="replace") if len(text) <= 30 else text[:30].decode(errors="replace") + " ..."


def _unsupported() -> status.Refusal:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(READABLE)}"
    return status.Refusal(415, "UnsupportedMediaType", message)
