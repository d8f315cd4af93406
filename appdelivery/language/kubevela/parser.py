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

from appdelivery.language.kubevela import lexer
from appdelivery.language.kubevela.lexer import NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.language.kubevela.lexer import Token

    Tree = tuple[Any, ...]

DEEPEST = 50
WORDS = {"true": True, "false": False, "null": None}
COMPARE = ("==", "!=", "<", "<=", ">", ">=")
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


def parse(text: str, names: Iterable[str]) -> Tree:
    """The tree of one expression.  names: known names, of which those with a dash may follow a dot."""
    parser = _Parser(lexer.tokens(text, names))
    tree = parser.whole()
    kind, value, offset = parser.token
    if kind != "end":
        raise parser.refusal(value, offset, lines="\n" in text[:offset])
    return tree


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
        if kind == "text" and (text := _joined(value))[0] == "constant":
            return text
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
            return _joined(value)
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


def _joined(pieces: list[Any]) -> Tree:
    """The tree of a text from its pieces."""
    if all(isinstance(piece, str) for piece in pieces):
        return ("constant", "".join(pieces))
    return ("joined", *[("constant", piece) if isinstance(piece, str) else _Parser(piece).only() for piece in pieces])


def _shown(token: Token) -> str:
    kind, value, _ = token
    return {"end": "the end of the text", "text": "a text", "number": f"the number {value}"}.get(kind, f"'{value}'")
