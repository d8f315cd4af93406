"""Reads YAML and JSON: bytes to plain values, or to nodes with marks.  Pure, bounded, iterative.

One semantics: YAML 1.2 core types, no tags, no key twice, aliases counted.  Called for every document a user gives and
for every definition.  `simple` reads what is simple, `yaml_events` (libyaml) all the rest and whenever places matter,
`json_in` files named so.
"""

from __future__ import annotations

from appdelivery.language.text import simple, simple_words
from appdelivery.language.text.limits import LIMITS, Limits
from appdelivery.language.text.scalars import typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.text.nodes import Mapping, Scalar, Sequence, position, to_plain

    Node = Scalar | Mapping | Sequence

__all__ = ["LIMITS", "Limits", "Mapping", "Scalar", "Sequence", "compose", "load", "position", "to_plain", "typed"]

STDIN = ("-", "<stdin>", "stdin")


def load(data: bytes, file: str, limits: Limits = LIMITS) -> list[Any]:
    """The value of every document that is not empty.  Raises SpecError with located problems."""
    if _is_json(data, file):
        from appdelivery.language.text import json_in

        return json_in.load(data, file, limits)
    try:
        return simple.read(data, limits)
    except simple_words.NotSimple:
        return _events(data, file, limits, marked=False)


def compose(data: bytes, file: str, limits: Limits = LIMITS) -> list[Node]:
    """The same documents as nodes with marks."""
    if _is_json(data, file):
        from appdelivery.language.text import json_in

        return json_in.compose(data, file, limits)
    return _events(data, file, limits, marked=True)


def _events(data: bytes, file: str, limits: Limits, *, marked: bool) -> list[Any]:
    from appdelivery.language.text import syntax, yaml_events

    faults = syntax.Faults(data, file)
    return yaml_events.read(syntax.decoded(data, faults, limits), faults, limits, marked=marked)


def _is_json(data: bytes, file: str) -> bool:
    return file.endswith(".json") or (file in STDIN and data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["))


def __getattr__(name: str) -> Any:
    """Nodes and what one asks of them, for those who compose: a plain read does not import them."""
    if name in __all__:
        from appdelivery.language.text import nodes

        return getattr(nodes, name)
    raise AttributeError(name)
