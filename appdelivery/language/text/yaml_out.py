"""Writes trees as YAML that every reader, 1.1 or 1.2, takes for the same values.  Called by cli, server and store.

Block style, two spaces, list dashes at the column of their key, keys as given.  Pure and without state; what is quoted
depends on fixed ranges of characters, not on the interpreter's Unicode tables, so equal trees give equal bytes
everywhere.
"""

from __future__ import annotations

from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable
    from typing import Any

WORDS = frozenset(
    form
    for word in ("true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf")
    for form in (word, word.capitalize(), word.upper(), "NaN")
)
# Patterns are texts, and `re` is imported where one is needed: most texts need none.
# Controls, line separators, what steers text direction or cannot be seen, halves of pairs, private use, non-characters.
HIDDEN = (
    "[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u200b-\u200f\u2028-\u202f\u205f-\u206f"
    "\ud800-\uf8ff\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U0010ffff]"
)
FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_(")
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
SPECIAL = '["\\\\]|' + HIDDEN
REMEMBERED = 64  # shorter texts recur: keys, names, kinds
LONGEST_KEY = 1_000  # beyond, a parser no longer looks for the ':'


def dump(value: Any) -> str:
    """One document."""
    return _document(value, {})


def dump_all(values: Iterable[Any]) -> str:
    seen: dict[str, str] = {}
    return "".join([_document(value, seen) for value in values])


def _document(value: Any, seen: dict[str, str]) -> str:
    """`seen` remembers how short texts are written: most of them recur."""
    lines = ["---"]
    if isinstance(value, dict) and value:
        _map(value, "", lines, seen)
    elif isinstance(value, list) and value:
        _list(value, "", lines, seen)
    else:
        lines.append(_word(value, seen))
    lines.append("")
    return "\n".join(lines)


def _map(tree: dict[str, Any], indent: str, lines: list[str], seen: dict[str, str]) -> None:
    deeper = indent + "  "
    line, known = lines.append, seen.get
    for key, value in tree.items():
        name = known(key) or _key(key, indent, seen)
        kind = type(value)
        if kind is str:
            line(f"{indent}{name}: {known(value) or _leaf(value, deeper, seen)}")
        elif kind is dict and value:
            line(f"{indent}{name}:")
            _map(value, deeper, lines, seen)
        elif kind is list and value:
            line(f"{indent}{name}:")
            _list(value, indent, lines, seen)
        else:
            line(f"{indent}{name}: {_word(value, seen)}")


def _list(items: list[Any], indent: str, lines: list[str], seen: dict[str, str]) -> None:
    deeper = indent + "  "
    for item in items:
        kind = type(item)
        if kind in (dict, list) and item:
            start = len(lines)
            (_map if kind is dict else _list)(item, deeper, lines, seen)
            lines[start] = f"{indent}- {lines[start][len(deeper) :]}"
        else:
            lines.append(f"{indent}- {_leaf(item, deeper, seen)}")


def _key(key: str, indent: str, seen: dict[str, str]) -> str:
    name = _word(key, seen)
    return name if len(name) <= LONGEST_KEY else f"? {name}\n{indent}"


def _leaf(value: Any, indent: str, seen: dict[str, str]) -> str:
    """A value behind its key or dash; `indent` is for the further lines of a text."""
    return _text(value, indent) if type(value) is str and "\n" in value else _word(value, seen)


def _word(value: Any, seen: dict[str, str]) -> str:
    """A value on one line."""
    kind = type(value)
    if kind is str:
        word = _quoted(value)
        if len(value) < REMEMBERED:
            seen[value] = word
        return word
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        return _real(value)
    if isinstance(value, Secret):
        return _quoted(value.mask())
    if kind in (dict, list):
        return "{}" if kind is dict else "[]"
    raise TypeError(f"a {kind.__name__} cannot be written as YAML")


def _real(value: float) -> str:
    """YAML 1.1 reads 1e+16 as text: it wants the point."""
    if value != value:  # noqa: PLR0124 - NaN is the one value unlike itself
        return ".nan"
    text = repr(value)
    if text in ("inf", "-inf"):
        return text.replace("inf", ".inf")
    return text if "." in text else text.replace("e", ".0e")


def _hides(text: str) -> bool:
    if text.isascii() and text.isprintable():
        return False
    import re

    return re.search(HIDDEN, text) is not None


def _quoted(text: str) -> str:
    if _hides(text):
        return _escaped(text)
    if text[:1] in FIRST and text not in WORDS and ": " not in text and " #" not in text and text[-1] not in ": ":
        return text
    return _escaped(text) if "'" in text else f"'{text}'"


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    import re

    return '"' + re.sub(SPECIAL, _escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return ESCAPES.get(character) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _text(text: str, indent: str) -> str:
    """Several lines: a literal block where its form keeps every character, else double quotes."""
    rows = text.split("\n")
    solid = next((row for row in rows if row), "")
    if not solid or any(row[-1:] in (" ", "\t") or _hides(row.replace("\t", "")) for row in rows):
        return _escaped(text)
    sign = "2" if solid[0] in " \t" else ""  # the reader cannot guess the indentation from such a line
    end = "-" if rows[-1] else "+" if text.endswith("\n\n") else ""
    rows = rows if rows[-1] else rows[:-1]
    return f"|{sign}{end}\n" + "\n".join([indent + row if row else "" for row in rows])
