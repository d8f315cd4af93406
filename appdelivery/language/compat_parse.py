r"""Parser of KubeVela's bare expressions: a small subset of CUE (oam.md section 9).

Text to a tree of tuples; what is outside the subset is refused with its position and our nearest spelling.  Called by
`compat`, which turns the tree into our language.

    ("constant", value)   ("missing", offset)                 CUE's _|_
    ("path", root, step, ...)                                 a step is a text, a number or a tree
    ("binary", sign, left, right)   ("not", tree)   ("minus", tree)   ("or else", first, second, ...)
    ("call", name, argument, ...)   ("joined", piece, ...)    "text \(a)"
    ("list", item, ...)   ("each", name, source, condition or None, value)
"""

from __future__ import annotations

import json

from appdelivery.errors import SpecError
from appdelivery.model.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Tree = tuple[Any, ...]
    Token = tuple[str, Any, int]  # kind, value, offset

LONGEST, DEEPEST = 4096, 50
SIGNS = (
    "_|_", "...", "=~", "!~", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "(", ")", "[", "]",
    "{", "}", ".", ",", "|", "&", ":", "=", "?", "%", "@",
)  # fmt: skip
WORDS = {"true": True, "false": False, "null": None}
COMPARE = ("==", "!=", "<", "<=", ">", ">=")
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$")
DIGITS = frozenset("0123456789")
REFUSED = {
    "&": ("'&' joins CUE values", "write two conditions with &&"),
    "=~": ("regular expressions are not available", "use strings.HasPrefix, strings.HasSuffix or strings.Contains"),
    "!~": ("regular expressions are not available", "use !strings.Contains(a, b)"),
    "{": ("a struct is not a value here", "in our language: ${{ {'key': value} }}"),
    "|": ("'|' is a choice of CUE", "write *a | b for 'b when a is null', or ${{ a | filter }} in our language"),
    "=": ("one '=' is no comparison", "write =="),
    "?": ("'?' is not available", "in our language: ${{ a if condition else b }}"),
    "%": ("'%' is not available", "in our language: ${{ a % b }}"),
    ":": ("a field or slice is not a value here", "in our language: ${{ list[1:3] }}"),
    "...": ("'...' is not available here", "write one value"),
    "@": ("an attribute is not available here", "write one value"),
    "let": ("'let' is not available", "write the value where it is used"),
    "if": ("'if' is only available inside [for x in xs if condition {x.name}]", "in our language: ${{ a if condition else b }}"),
    "for": ("'for' is only available as [for x in xs {x.name}]", "in our language: ${{ xs | pluck('name') }}"),
}  # fmt: skip


class NotSupported(SpecError):
    """A bare text outside the subset: what it is, where (offset in the text), and what to write instead."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        text = f"{message} (at character {offset + 1})"
        super().__init__([Problem(text, code="expression.syntax", hint=hint)])
        self.offset = offset
        self.hint = hint


def parse(text: str, names: Iterable[str]) -> Tree:
    """The tree of one expression.  names: known names, of which those with a dash may follow a dot."""
    if len(text) > LONGEST:
        raise NotSupported(f"an expression has at most {LONGEST} characters", LONGEST)
    dashed = sorted((name for name in names if "-" in name), key=len, reverse=True)
    parser = _Parser(_tokens(text, _after_imports(text), dashed))
    tree = parser.whole()
    kind, value, offset = parser.token
    if kind != "end":
        raise parser.refusal(value, offset, lines="\n" in text[:offset])
    return tree


def _after_imports(text: str) -> int:
    """Imports at the beginning are ignored: the functions are known anyway."""
    at = 0
    while True:
        start = at + len(text[at:]) - len(text[at:].lstrip())
        if text[start : start + 6] != "import" or text[start + 6 : start + 7] not in (" ", "\t", "(", '"'):
            return at
        rest = text[start + 6 :].lstrip()
        stop = ")" if rest.startswith("(") else "\n"
        end = text.find(stop, start)
        at = len(text) if end < 0 else end + 1


def _tokens(text: str, at: int, dashed: list[str]) -> list[Token]:
    tokens: list[Token] = []
    while at < len(text):
        letter = text[at]
        if letter.isspace():
            at += 1
        elif text.startswith("//", at):
            at = len(text) if (end := text.find("\n", at)) < 0 else end
        elif letter in "\"'" or (letter == "#" and text[at + 1 : at + 2] in ('"', "'", "#")):
            value, end = _string(text, at, dashed)
            tokens.append(("text", value, at))
            at = end
        elif letter in DIGITS:
            end = _number_end(text, at)
            tokens.append(("number", _number(text[at:end], at), at))
            at = end
        elif letter in LETTERS and not text.startswith("_|_", at):
            end = _name_end(text, at, dashed if tokens and tokens[-1][1] == "." else [])
            tokens.append(("name", text[at:end], at))
            at = end
        elif sign := next((sign for sign in SIGNS if text.startswith(sign, at)), ""):
            tokens.append(("sign", sign, at))
            at += len(sign)
        elif letter == "#":
            raise NotSupported("definitions of CUE such as #X are not available", at, "write a plain value")
        else:
            raise NotSupported(f"'{letter}' is not available here", at)
    return [*tokens, ("end", "", len(text))]


def _name_end(text: str, at: int, dashed: list[str]) -> int:
    for name in dashed:
        end = at + len(name)
        if text.startswith(name, at) and text[end : end + 1] not in LETTERS | DIGITS | {"-"}:
            return end
    end = at
    while end < len(text) and text[end] in LETTERS | DIGITS:
        end += 1
    return end


def _number_end(text: str, at: int) -> int:
    end = at
    while end < len(text) and (text[end] in DIGITS or text[end] in "._" or text[end] in LETTERS):
        end += 1
    return end


def _number(text: str, at: int) -> int | float:
    try:
        value: int | float = json.loads(text)
    except ValueError:
        value = float("inf")
    if value - value != 0:
        raise NotSupported(f"'{text[:40]}' is not a number", at, "write it in decimal")
    return value


def _string(text: str, at: int, dashed: list[str]) -> tuple[Tree, int]:
    r"""A quoted text, with \(expression) inside; between #" and "# nothing is special."""
    raw = len(text[at:]) - len(text[at:].lstrip("#"))
    quote = text[at + raw : at + raw + 1]
    if quote not in ('"', "'") or text.startswith(quote * 3, at + raw):
        raise NotSupported("this form of text is not available", at, 'write "text", with \\n for a new line')
    start, close, escape = at + raw + 1, quote + "#" * raw, "\\" + "#" * raw
    pieces: list[Any] = [""]
    while not text.startswith(close, start):
        if start >= len(text) or text[start] == "\n":
            raise NotSupported(f"the text that begins here has no closing {close}", at)
        if not text.startswith(escape, start):
            pieces[-1] += text[start]
            start += 1
        elif text.startswith("(", start + len(escape)):
            end = _closing(text, start + len(escape))
            inner = _Parser(
                [(kind, value, offset) for kind, value, offset in _tokens(text[:end], start + len(escape) + 1, dashed)]
            )
            pieces += [inner.only(), ""]
            start = end + 1
        else:
            letter, start = _escape(text, start + len(escape))
            pieces[-1] += letter
    kept = [piece for piece in pieces if piece != ""]
    if all(isinstance(piece, str) for piece in kept):
        return ("constant", "".join(kept)), start + len(close)
    return ("joined", *[("constant", piece) if isinstance(piece, str) else piece for piece in kept]), start + len(close)


def _closing(text: str, at: int) -> int:
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            return end
    raise NotSupported("'\\(' has no closing ')'", at)


def _escape(text: str, at: int) -> tuple[str, int]:
    letter = text[at : at + 1]
    size = {"u": 4, "U": 8}.get(letter, 0)
    if size:
        try:
            return chr(int(text[at + 1 : at + 1 + size], 16)), at + 1 + size
        except (ValueError, OverflowError):
            raise NotSupported(f"'\\{letter}' needs {size} hexadecimal digits", at) from None
    known = {
        "n": "\n",
        "t": "\t",
        "r": "\r",
        "b": "\b",
        "f": "\f",
        "a": "\a",
        "v": "\v",
        "\\": "\\",
        "/": "/",
        '"': '"',
        "'": "'",
    }
    if letter not in known:
        raise NotSupported(f"'\\{letter}' is no escape", at, "write \\\\ for a backslash")
    return known[letter], at + 1


class _Parser:
    """Recursive descent; loosest first: or else, or, and, not, comparison, sum, product, sign, path."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def taken(self, *values: str) -> str:
        """The next sign or word, if it is one of these."""
        kind, value, _ = self.token
        if kind in ("sign", "name") and value in values:
            self.at += 1
            return str(value)
        return ""

    def need(self, value: str) -> None:
        if not self.taken(value):
            kind, found, offset = self.token
            if kind == "sign" and found in REFUSED:
                raise self.refusal(found, offset)
            raise NotSupported(f"expected '{value}', got {_shown(self.token)}", offset)

    def refusal(self, value: Any, offset: int, *, lines: bool = False) -> NotSupported:
        if isinstance(value, str) and value in REFUSED:
            message, hint = REFUSED[value]
            return NotSupported(message, offset, hint)
        if lines:
            return NotSupported("several statements are not available", offset, "write one expression")
        return NotSupported(f"{_shown(self.token)} does not fit here", offset)

    def only(self) -> Tree:
        tree = self.whole()
        if self.token[0] != "end":
            raise self.refusal(self.token[1], self.token[2])
        return tree

    def whole(self) -> Tree:
        self.depth += 1
        if self.depth > DEEPEST:
            raise NotSupported(f"brackets nest deeper than {DEEPEST}", self.token[2])
        offset = self.token[2]
        preferred = bool(self.taken("*"))
        choices = [self.either()]
        while preferred and self.taken("|"):
            preferred = bool(self.taken("*"))
            choices.append(self.either())
        self.depth -= 1
        if len(choices) == 1 and preferred:
            raise NotSupported("'*' marks the first choice of several", offset, "write *a | b")
        return choices[0] if len(choices) == 1 else ("or else", *choices)

    def binary(self, inner: Any, signs: dict[str, str]) -> Tree:
        tree: Tree = inner()
        while sign := self.taken(*signs):
            tree = ("binary", signs[sign], tree, inner())
        return tree

    def either(self) -> Tree:
        return self.binary(self.both, {"||": "or", "or": "or"})

    def both(self) -> Tree:
        return self.binary(self.negated, {"&&": "and", "and": "and"})

    def negated(self) -> Tree:
        return ("not", self.nested(self.negated)) if self.taken("not") else self.compared()

    def compared(self) -> Tree:
        return self.binary(self.sum, {sign: sign for sign in COMPARE})

    def sum(self) -> Tree:
        return self.binary(self.product, {"+": "+", "-": "-"})

    def product(self) -> Tree:
        return self.binary(self.signed, {"*": "*", "/": "/"})

    def signed(self) -> Tree:
        if self.taken("!"):
            return ("not", self.nested(self.signed))
        if self.taken("-"):
            return ("minus", self.nested(self.signed))
        return self.nested(self.signed) if self.taken("+") else self.path()

    def nested(self, inner: Any) -> Tree:
        self.depth += 1
        if self.depth > DEEPEST:
            raise NotSupported(f"signs nest deeper than {DEEPEST}", self.token[2])
        tree: Tree = inner()
        self.depth -= 1
        return tree

    def path(self) -> Tree:
        tree = self.primary()
        steps: list[Any] = []
        while sign := self.taken(".", "[", "("):
            if sign == "(":
                tree, steps = self.call(tree, steps), []
            elif sign == "[":
                steps.append(self.whole())
                self.need("]")
            else:
                steps.append(self.step())
        steps = [step for step in steps if step != ("constant", "$returns")]
        return ("path", *(tree[1:] if tree[0] == "path" else (tree,)), *steps) if steps else tree

    def step(self) -> Tree:
        kind, value, offset = self.token
        self.at += 1
        if kind == "name":
            return ("constant", value)
        if kind == "text" and value[0] == "constant":
            return value  # type: ignore[no-any-return]
        raise NotSupported(f"expected a name after '.', got {_shown((kind, value, offset))}", offset)

    def call(self, tree: Tree, steps: list[Any]) -> Tree:
        offset = self.tokens[self.at - 1][2]
        plain = tree[0] == "path" and len(tree) == 2 and all(step[0] == "constant" for step in steps)
        if not plain:
            raise NotSupported("only functions can be called", offset)
        name = ".".join([str(tree[1]), *[str(step[1]) for step in steps]])
        arguments: list[Tree] = []
        while not self.taken(")"):
            arguments.append(self.whole())
            if not self.taken(","):
                self.need(")")
                break
        return ("call", name, offset, *arguments)

    def primary(self) -> Tree:
        kind, value, offset = self.token
        if kind == "sign" and value == "(":
            self.at += 1
            tree = self.whole()
            self.need(")")
            return tree
        if kind == "sign" and value == "[":
            self.at += 1
            return self.each() if self.taken("for") else self.items()
        self.at += 1
        if kind == "number":
            return ("constant", value)
        if kind == "text":
            return value  # type: ignore[no-any-return]
        if kind == "sign" and value == "_|_":
            return ("missing", offset)
        if kind == "name" and value in WORDS:
            return ("constant", WORDS[value])
        if kind == "name" and value not in REFUSED:
            return ("path", value)
        self.at -= 1
        raise self.refusal(value, offset)

    def items(self) -> Tree:
        items: list[Tree] = []
        while not self.taken("]"):
            items.append(self.whole())
            if not self.taken(","):
                self.need("]")
                break
        return ("list", *items)

    def each(self) -> Tree:
        kind, name, offset = self.token
        self.at += 1
        if kind != "name":
            raise NotSupported(f"expected a name after 'for', got {_shown((kind, name, offset))}", offset)
        if self.taken(","):
            raise NotSupported("one name after 'for' is available", offset, "write [for x in xs {x.name}]")
        self.need("in")
        source = self.whole()
        condition = self.whole() if self.taken("if") else None
        if self.token[1] in ("for", "if", "let"):
            raise NotSupported("one 'for' with one 'if' is available", self.token[2], "join conditions with &&")
        self.need("{")
        value = self.whole()
        self.need("}")
        self.need("]")
        return ("each", name, offset, source, condition, value)


def _shown(token: Token) -> str:
    kind, value, _ = token
    return {"end": "the end of the text", "text": "a text", "number": f"the number {value}"}.get(kind, f"'{value}'")
