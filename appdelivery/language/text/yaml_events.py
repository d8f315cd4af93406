"""Reads YAML by way of libyaml's events: all of the language, problems with their places, nodes with marks.

Called by yaml_in, when `simple` cannot read a text or its places matter.
"""

from __future__ import annotations

import re
import warnings

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from appdelivery.language.text import syntax
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence
from appdelivery.language.text.scalars import TYPED, typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.language.text.limits import Limits

PROPERTIES = r"(?:[&!]\S*\s+)+"
TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
BAD = "(no text)"  # stands for a key that is a map or a list; compared by identity, which no key that was read shares


def _events(data: bytes, text: str) -> Callable[[], Any]:
    if yaml.__with_libyaml__:
        from yaml._yaml import CParser

        return CParser(data).get_event
    warnings.warn("PyYAML is installed without libyaml: reading YAML takes 20 times as long", stacklevel=5)
    return yaml.BaseLoader(text).get_event


def read(text: str, faults: syntax.Faults, limits: Limits, *, marked: bool) -> list[Any]:
    """One loop with local state, because a call per event would cost more than the event itself.

    `here` is the container being filled: a list, or a dict from key text to value (marked: to the pair of nodes);
    `whole` is what its parent holds.  `marks` says where each key of this map stands, `key` whose value comes next.
    """
    data = faults.data.removeprefix(syntax.BOM)
    next_event = _events(data, text)
    documents: list[Any] = []
    here: Any = documents
    whole: Any = documents
    in_map = merging = False
    key: str | None = None
    name: Any = None  # marked: the node of key
    marks: dict[str, Any] = {}
    stack: list[tuple[Any, ...]] = []
    anchors: dict[str, tuple[Any, str | None]] = {}
    started = count = repeated = 0
    longest = min(len(data), limits.scalar)
    try:
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                written = value = event.value
                if not event.style and (not written or written[0] in TYPED) and event.tag is None:
                    try:
                        value = typed(written)
                    except OverflowError:
                        if key is not None or not in_map:
                            where = _where(documents, stack, here, key=key)
                            syntax.number(faults, written, _place(event), _end(event), **where)
                if event.tag is not None and event.tag not in TEXT_TAGS:
                    _tag(faults, event, _where(documents, stack, here, key=key))
                if len(written) > longest:
                    what = "the text is too long, characters"
                    faults.too_large(what, len(written), longest, setting="scalar", place=_place(event))
                if marked:
                    value = _scalar(event, value, text)
                if event.anchor:
                    anchors[event.anchor] = value, written
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                written = None
                if len(stack) >= limits.depth:
                    syntax.too_deep(faults, _place(event), limits.depth)
                if event.tag not in (None, "!"):
                    _tag(faults, event, _where(documents, stack, here, key=key))
                value = _container(event) if marked else {} if kind is MappingStartEvent else []
                if event.anchor:
                    anchors[event.anchor] = value, None
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                if merging and not _merge(here):
                    _bad_merge(faults, marks["<<"], _where(documents, stack, here, key="<<"))
                if marked:
                    whole.end_line, whole.end_column = event.end_mark.line + 1, event.end_mark.column + 1
                    if in_map:
                        whole.pairs.extend(here.values())
                here, whole, in_map, key, name, marks, merging = stack.pop()
                if key is not BAD:
                    key = None
                continue
            elif kind is AliasEvent:
                value, written = _aliased(faults, event, anchors)
                if whole is value or any(frame[1] is value for frame in stack):
                    _alias(faults, event, f"'*{event.anchor}' stands inside what it names")
                size, height = _weigh(value, limits.alias - repeated)
                repeated += size
                count += size - 1
                if repeated > limits.alias:
                    _alias(faults, event, f"aliases repeat more than {limits.alias:,} nodes", "setting limits.yaml.alias")
                if len(stack) + height > limits.depth:
                    syntax.too_deep(faults, _place(event), limits.depth)
            elif kind is DocumentStartEvent:
                anchors = {}
                started += 1
                if started > limits.documents:
                    what = "too many documents in one file"
                    faults.too_large(what, started, limits.documents, setting="documents", place=_place(event))
                continue
            elif kind is StreamEndEvent:
                break
            else:
                continue
            count += 1
            if count > limits.nodes:
                faults.too_large("too many nodes", count, limits.nodes, setting="nodes", place=_place(event))
            if key is not None:
                here[key] = (name, value) if marked else value
            elif not in_map:
                if here is documents and not written and kind is ScalarEvent and event.implicit[0]:
                    continue  # an empty document
                here.append(value)
            elif written is None:
                _bad_key(faults, event, _where(documents, stack, here))
                key = BAD
                if kind is AliasEvent:
                    continue
            else:
                key, name = written, value
                if written in marks:
                    first, where = marks[written].line + 1, _where(documents, stack, here, key=written)
                    syntax.duplicate(faults, _place(event), _end(event), key=written, first=first, **where)
                marks[written] = event.start_mark
                if written == "<<" and kind is ScalarEvent and not event.style:
                    merging = True
                continue
            if kind is MappingStartEvent:
                stack.append((here, whole, in_map, key, name, marks, merging))
                here, in_map, marks = ({}, True, {}) if marked else (value, True, {})
                whole, key, merging = value, None, False
            elif kind is SequenceStartEvent:
                stack.append((here, whole, in_map, key, name, marks, merging))
                here = value.items if marked else value
                whole, in_map, key, merging = value, False, None, False
            else:
                key = None
    except yaml.YAMLError as error:
        syntax.explained(faults, error, text, max(len(documents) - 1, 0), limit=limits.depth)
    if faults.found:
        faults.stop()
    return documents


def _scalar(event: Any, value: Any, text: str) -> Scalar:
    """The node stands where the text begins, behind anchor and tag."""
    start, end = event.start_mark, event.end_mark
    line, column, style = start.line + 1, start.column + 1, event.style or ""
    raw = text[start.index : end.index] if style or start.line != end.line or event.anchor or event.tag else ""
    if (event.anchor or event.tag) and (properties := re.match(PROPERTIES, raw)):
        skipped = properties[0]
        raw = raw[len(skipped) :]
        line += skipped.count("\n")
        column = len(skipped) - skipped.rfind("\n") if "\n" in skipped else column + len(skipped)
    return Scalar(value, event.value, not style, style, line, column, end.line + 1, end.column + 1, raw=raw)


def _container(event: Any) -> Mapping | Sequence:
    make = Mapping if type(event) is MappingStartEvent else Sequence
    return make([], event.start_mark.line + 1, event.start_mark.column + 1)


def _merge(own: dict[str, Any]) -> bool:
    """Puts what `<<` names in front: explicit keys win, earlier maps win over later ones.  False: it names no map."""
    given = own["<<"]
    node = given[1] if isinstance(given, tuple) else given
    sources = node if isinstance(node, list) else node.items if isinstance(node, Sequence) else [node]
    merged: dict[str, Any] = {}
    for source in sources:
        if isinstance(source, Mapping):
            entries: Any = [(name.text, (name, value)) for name, value in source.pairs]
        elif isinstance(source, dict):
            entries = source.items()
        else:
            return False
        for key, value in entries:
            merged.setdefault(key, value)
    own.pop("<<")
    merged.update(own)
    own.clear()
    own.update(merged)
    return True


def _weigh(value: Any, room: int) -> tuple[int, int]:
    """Nodes that an alias repeats (long text counts as more) and levels of containers, up to a bit more than room."""
    size = height = 0
    level = [value]
    while level and size <= room:
        inner: list[Any] = []
        containers = False
        for item in level:
            size += 1 + (
                len(item) >> 10 if isinstance(item, str) else len(item.text) >> 10 if isinstance(item, Scalar) else 0
            )
            if isinstance(item, dict):
                inner += [*item, *item.values()]
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, Mapping):
                inner += [node for pair in item.pairs for node in pair]
            elif isinstance(item, Sequence):
                inner += item.items
            containers = containers or isinstance(item, (dict, list, Mapping, Sequence))
        height += containers
        level = inner
    return size, height


def _where(documents: list[Any], stack: list[tuple[Any, ...]], here: Any, *, key: str | None = None) -> dict[str, Any]:
    """Document and path of what comes next in `here`."""
    steps: list[str | int] = [frame[3] if frame[3] is not None else len(frame[0]) - 1 for frame in stack[1:]]
    if key is not None:
        steps.append(key)
    elif stack and isinstance(here, list):
        steps.append(len(here))
    return {"document": len(documents) - bool(stack), "path": tuple(steps)}


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _end(event: Any) -> int:
    """Where the carets end: on the same line only."""
    start, end = event.start_mark, event.end_mark
    return int(end.column) + 1 if start.line == end.line else 0


def _tag(faults: syntax.Faults, event: Any, where: dict[str, Any]) -> None:
    tag = event.tag.replace("tag:yaml.org,2002:", "!!")
    message, hint = f"the tag {tag} is not allowed", "remove it, or put the text in quotes"
    faults.add("yaml.tag", message, _place(event), end=_place(event)[1] + len(tag), hint=hint, **where)


def _bad_key(faults: syntax.Faults, event: Any, where: dict[str, Any]) -> None:
    what = "a list" if type(event) is SequenceStartEvent else "a map"
    line, column = _place(event)
    row = faults.data.split(b"\n", line)[line - 1].decode().removeprefix("\ufeff")
    hint, end = "keys are text", column + 1
    if row[max(column - 2, 0) : column] == "{{":
        column, hint = column - 1, syntax.BRACES
    faults.add("yaml.key", f"{what} cannot be a key", (line, column), end=end, hint=hint, **where)


def _bad_merge(faults: syntax.Faults, mark: Any, where: dict[str, Any]) -> None:
    message, hint = "'<<' takes a map or a list of maps", 'write "<<", in quotes, for a key of this name'
    faults.add("yaml.merge", message, (mark.line + 1, mark.column + 1), end=mark.column + 3, hint=hint, **where)


def _aliased(faults: syntax.Faults, event: Any, anchors: dict[str, tuple[Any, str | None]]) -> tuple[Any, str | None]:
    if event.anchor not in anchors:
        _alias(faults, event, f"nothing above is named '&{event.anchor}'", "put the text in quotes if it is no alias")
    return anchors[event.anchor]


def _alias(faults: syntax.Faults, event: Any, message: str, hint: str = "") -> None:
    faults.add("yaml.alias", message, _place(event), end=_end(event), hint=hint)
    faults.stop()
