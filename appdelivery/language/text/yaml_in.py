"""Reads YAML and JSON: bytes to plain values, or to nodes with marks.  Pure, bounded, iterative.

One semantics: YAML 1.2 core types, no tags, no key twice, aliases counted.  Called for every document a user gives and
for every definition.  `simple` reads what is simple, `yaml_events` (libyaml) all the rest and whenever places matter,
`json_in` files named so.
"""

from __future__ import annotations

from appdelivery.language.text import simple, simple_words, syntax
from appdelivery.language.text.limits import LIMITS, Limits
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence, position, to_plain
from appdelivery.language.text.scalars import typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Node = Scalar | Mapping | Sequence

__all__ = ["LIMITS", "Limits", "Mapping", "Scalar", "Sequence", "compose", "load", "position", "to_plain", "typed"]

STDIN = ("-", "<stdin>", "stdin")


def load(data: bytes, file: str, limits: Limits = LIMITS) -> list[Any]:
    """The value of every document that is not empty.  Raises SpecError with located problems."""
    if _is_json(data, file):
        from appdelivery.language.text import json_in

        return json_in.load(data, file, limits)
    faults = syntax.Faults(data, file)
    text = syntax.decoded(data, faults, limits)
    try:
        return simple.read(text, limits)
    except simple_words.NotSimple:
        from appdelivery.language.text import yaml_events

        return yaml_events.read(text, faults, limits, marked=False)


def compose(data: bytes, file: str, limits: Limits = LIMITS) -> list[Node]:
    """The same documents as nodes with marks."""
    if _is_json(data, file):
        from appdelivery.language.text import json_in

        return json_in.compose(data, file, limits)
    from appdelivery.language.text import yaml_events

    faults = syntax.Faults(data, file)
    return yaml_events.read(syntax.decoded(data, faults, limits), faults, limits, marked=True)


def _is_json(data: bytes, file: str) -> bool:
    return file.endswith(".json") or (file in STDIN and data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["))
