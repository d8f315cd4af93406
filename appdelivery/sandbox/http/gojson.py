"""JSON as the server's decoder reads it: what is there twice is told, and what is wrong is said in Go's words."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
KINDS_OF_GO = {dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "bool"}


class WrongText(Exception):
    """What a Go parser would say."""


class Sent(NamedTuple):
    """A body that could be read.  twice: what is said of members that were there more than once; the last one counts."""

    tree: Any
    twice: tuple[str, ...] = ()
    is_yaml: bool = False

    @property
    def fault(self) -> str:
        """What a strict reader says."""
        lines = "\n  ".join(self.twice)
        return f"yaml: unmarshal errors:\n  {lines}" if self.is_yaml else ", ".join(self.twice)


def strict(text: bytes) -> Sent:
    """JSON, with what was there twice."""
    found: list[bool] = []

    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        tree = dict(pairs)
        if len(tree) != len(pairs):
            found.append(True)
        return tree

    tree = parse(text, whole)
    if SURROGATE.search(text):
        tree = mended(tree)
    twice = dict.fromkeys(_twice(text)) if found else ()
    return Sent(tree, tuple([f'duplicate field "{path}"' for path in twice]))


def _twice(text: bytes) -> Iterator[str]:
    """The paths of members that are there again."""

    class Pairs(list[tuple[str, Any]]):
        pass

    def walk(tree: Any, path: str) -> Iterator[str]:
        if isinstance(tree, Pairs):
            seen = set()
            for key, value in tree:
                below = f"{path}.{key}" if path else key
                if key in seen:
                    yield below
                seen.add(key)
                yield from walk(value, below)
        elif isinstance(tree, list):
            for index, value in enumerate(tree):
                yield from walk(value, f"{path}[{index}]")

    yield from walk(parse(text, Pairs), "")


def _refuse(constant: str) -> None:
    """NaN and infinities, which Python would read."""
    said = constant.lstrip("-")[0]
    where = "in numeric literal" if constant.startswith("-") else "looking for beginning of value"
    raise WrongText(f"invalid character '{said}' {where}")


def mended(tree: Any) -> Any:
    """With halves of surrogate pairs replaced: they cannot be written again."""
    if isinstance(tree, str):
        return tree if tree.isascii() else tree.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(tree, dict):
        return {mended(key): mended(value) for key, value in tree.items()}
    return [mended(value) for value in tree] if isinstance(tree, list) else tree


def parse(text: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The tree; WrongText when it is no JSON."""
    try:
        tree = json.loads(text.decode("utf-8", "replace"), object_pairs_hook=pairs, parse_constant=_refuse)
        return mended(tree) if pairs is None and SURROGATE.search(text) else tree
    except json.JSONDecodeError as error:
        raise WrongText(_in_go(error)) from None
    except RecursionError:
        raise WrongText("exceeded max depth") from None


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


def kind_of(tree: Any) -> str:
    return KINDS_OF_GO.get(type(tree), "value")
