"""From the text of a leaf to pieces, and from the text of an expression to Jinja2 nodes.

We find `${{ }}` and `${% %}` ourselves, because Jinja2 tells lines only and we need columns; Jinja2 parses what is
inside.  A dotted path, which most leaves are, never enters Jinja2: its lexer would be half of the compile time, and a
definition that holds nothing else does not import it at all.
"""

from __future__ import annotations

import functools

from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from jinja2 import Environment
    from jinja2.parser import Parser

LONGEST = 4096  # characters of one expression
DEEPEST = 50  # brackets in brackets
OPENING, CLOSING = "([{", ")]}"
HIDING = frozenset("'\"{")  # characters that may hide closing brackets
WORDS = frozenset(("and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"))
SPELLINGS = (("&&", "and"), ("||", "or"), ("!", "not"), ("?", "a if c else b"))


class Dotted:
    """A path of plain names; stands for Jinja2's chain of Getattr over Name."""

    __slots__ = ("names",)

    def __init__(self, names: list[str]) -> None:
        self.names = names


class Piece:
    """kind: text, expression or statement; content without its brackets; start and end are offsets in the leaf."""

    __slots__ = ("content", "end", "kind", "start")

    def __init__(self, kind: str, content: str, start: int, end: int) -> None:
        self.kind = kind
        self.content = content
        self.start = start
        self.end = end


def live(text: str) -> bool:
    """Whether a leaf is more than literal text; escapes count."""
    return "${{" in text or "${%" in text


def pieces(text: str) -> list[Piece]:
    """Literal text, expressions and statements of a leaf, in order; escapes are resolved."""
    found: list[Piece] = []
    literal, at = "", 0
    while True:
        start = _next(text, at)
        if start < 0:
            literal += text[at:]
            break
        if start and text[start - 1] == "$":
            literal += text[at : start - 1] + text[start : start + 3]
            at = start + 3
            continue
        literal += text[at:start]
        if literal:
            found.append(Piece("text", literal, at, start))
        statement = text[start + 2] == "%"
        end = _end(text, start + 3, "%}" if statement else "}}")
        found.append(Piece("statement" if statement else "expression", text[start + 3 : end], start, end + 2))
        literal, at = "", end + 2
    if literal:
        found.append(Piece("text", literal, at, len(text)))
    return found


def _next(text: str, at: int) -> int:
    one, two = text.find("${{", at), text.find("${%", at)
    return max(one, two) if one < 0 or two < 0 else min(one, two)


def _end(text: str, start: int, closing: str) -> int:
    """Where the brackets of an expression close: not inside a string, nor inside the braces of a map."""
    end = text.find(closing, start)
    if end >= 0 and HIDING.isdisjoint(text[start:end]):
        return end
    braces = 0
    for index, character in code(text, start):
        if character == "{":
            braces += 1
        elif text.startswith(closing, index) and not (character == "}" and braces):
            return index
        elif character == "}" and braces:
            braces -= 1
    shown = text[start:].strip()
    raise Wrong("expression.syntax", f"expected '{closing}', got 'end of text' in expression: {_short(shown)}")


def code(text: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """Index and character of everything outside strings."""
    quote, index = "", start
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        else:
            yield index, character
        index += 1


def bare(text: str) -> str:
    """The expression after `$if` or `$for`, where `${{ }}` around it is accepted."""
    stripped = text.strip()
    if not live(stripped):
        return stripped
    found = pieces(stripped)
    if len(found) == 1 and found[0].kind == "expression":
        return found[0].content.strip()
    raise Wrong("expression.syntax", f"expected one expression, got text around it: {_short(stripped)}")


def dotted(source: str) -> list[str] | None:
    """Names of a plain path, or None when it is anything else."""
    if not source.isascii():
        return None
    names = source.split(".")
    for name in names:
        if not name.isidentifier():
            return None
    return None if names[0] in WORDS else names


def expression(source: str) -> Any:
    """Jinja2's node of an expression, or a Dotted.  Raises Wrong."""
    source = source.strip()
    if names := dotted(source):
        return Dotted(names)
    parser = _parser(source)
    return _parsed(source, parser, parser.parse_expression)


def loop(source: str) -> tuple[list[str], Any, Any]:
    """`x in expr`, `k, v in expr if condition`: names, iterable, condition or None."""
    source = source.strip()
    head, found, rest = source.partition(" in ")
    names = [name.strip() for name in head.split(",")]
    if not found or not all(name.isidentifier() and name.isascii() and name not in WORDS for name in names):
        raise Wrong("expression.syntax", f"expected 'name in expression', got: {_short(source)}")
    if len(names) > 2:
        raise Wrong("expression.syntax", f"a loop takes one or two names, not {len(names)}")
    if path := dotted(rest.strip()):
        return names, Dotted(path), None
    parser = _parser(rest.strip())

    def iterable() -> tuple[Any, Any]:
        node = parser.parse_tuple(with_condexpr=False)
        return node, parser.parse_expression() if parser.stream.skip_if("name:if") else None

    node, condition = _parsed(rest.strip(), parser, iterable)
    return names, node, condition


def _parsed(source: str, parser: Parser, parse: Any) -> Any:
    from jinja2.exceptions import TemplateSyntaxError
    from jinja2.lexer import describe_token

    try:
        node = parse()
        if not parser.stream.eos:
            raise _syntax(f"expected the end, got '{describe_token(parser.stream.current)}'", source)
    except TemplateSyntaxError as error:
        raise _syntax(error.message or "this cannot be read", source) from None
    except RecursionError:
        raise Wrong("expression.limit", f"the expression is nested more than {DEEPEST} deep: {_short(source)}") from None
    return node


def _parser(source: str) -> Parser:
    from jinja2.exceptions import TemplateSyntaxError
    from jinja2.parser import Parser

    bounded(source)
    if not source:
        raise Wrong("expression.syntax", "the expression is empty")
    try:
        return Parser(_environment(), source, state="variable")
    except TemplateSyntaxError as error:
        raise _syntax(error.message or "this cannot be read", source) from None


def bounded(source: str) -> None:
    """Before the parser sees it: length, and depth of brackets."""
    if len(source) > LONGEST:
        raise Wrong("expression.limit", f"the expression has {len(source):,} characters; {LONGEST:,} are allowed")
    if sum([source.count(bracket) for bracket in OPENING]) <= DEEPEST:
        return
    depth = 0
    for _, character in code(source):
        if character in OPENING:
            depth += 1
            if depth > DEEPEST:
                raise Wrong("expression.limit", f"brackets are nested more than {DEEPEST} deep: {_short(source)}")
        elif character in CLOSING:
            depth -= 1


@functools.cache
def _environment() -> Environment:
    """Brackets that never occur: an expression is handed over without its own."""
    from jinja2 import Environment

    odd = {
        f"{what}_{side}_string": f"\x00{what}{side}"
        for what in ("variable", "block", "comment")
        for side in ("start", "end")
    }
    return Environment(**odd)  # type: ignore[arg-type]  # noqa: S701 - nothing is ever rendered by Jinja2


def _syntax(message: str, source: str) -> Wrong:
    clean = message.replace("end of template", "end of text").replace("expected token", "expected")
    hint = ""
    for other, ours in SPELLINGS:
        if any(source.startswith(other, index) and source[index : index + 2] != "!=" for index, _ in code(source)):
            hint = f"write '{ours}' for '{other}'"
            break
    return Wrong("expression.syntax", f"{clean} in expression: {_short(source)}", hint)


def _short(source: str) -> str:
    line = " ".join(source.split())
    return line if len(line) <= 80 else line[:77] + "..."
