"""KubeVela's bare expressions in `if` and `valueFrom` as expressions of our language (oam.md section 9).

`to_expression` gives text to be compiled in live mode: missing paths are null, as in CUE's `_|_` tests.  Called by
`inline`, for texts without `${{ }}`.
"""

from __future__ import annotations

import json

from appdelivery.language.kubevela import parser
from appdelivery.language.kubevela.lexer import NotSupported
from appdelivery.model import suggest

__all__ = ["NotSupported", "to_expression"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from appdelivery.language.kubevela.parser import Tree

    Names = Iterable[str] | Mapping[str, Any]

ROOTS = {"parameter": "parameters"}
ALWAYS = "always"

# Name to number of arguments and how they are spelled; a text beside it means that an argument must be this constant.
FUNCTIONS: dict[str, tuple[tuple[Any, ...], Callable[..., str]]] = {
    "len": ((...,), lambda x: f"({x} | length)"),
    "strconv.FormatInt": ((..., 10), lambda x: f"({x} | string)"),
    "strconv.Itoa": ((...,), lambda x: f"({x} | string)"),
    "strconv.Atoi": ((...,), lambda x: f"({x} | int)"),
    "strconv.FormatFloat": ((..., None, None, None), lambda x: f"({x} | string)"),
    "strconv.FormatBool": ((...,), lambda x: f"({x} | string)"),
    "base64.Decode": ((None, ...), lambda x: f"({x} | b64decode)"),
    "base64.Encode": ((None, ...), lambda x: f"({x} | b64encode)"),
    "strings.Contains": ((..., ...), lambda a, b: f"({b} in {a})"),
    "strings.HasPrefix": ((..., ...), lambda a, b: f"{a}.startswith({b})"),
    "strings.HasSuffix": ((..., ...), lambda a, b: f"{a}.endswith({b})"),
    "strings.ToLower": ((...,), lambda x: f"({x} | lower)"),
    "strings.ToUpper": ((...,), lambda x: f"({x} | upper)"),
    "strings.TrimSpace": ((...,), lambda x: f"({x} | trim)"),
    "strings.Replace": ((..., ..., ..., -1), lambda s, a, b: f"({s} | replace({a}, {b}))"),
    "strings.Split": ((..., ...), lambda s, sep: f"({s} | split({sep}))"),
    "strings.Join": ((..., ...), lambda xs, sep: f"({xs} | join({sep}))"),
    "json.Marshal": ((...,), lambda x: f"({x} | tojson)"),
    "json.Unmarshal": ((...,), lambda x: f"({x} | fromjson)"),
}
NEAREST = {
    "list.Contains": "${{ x in xs }}",
    "list.Sum": "${{ xs | sum }}",
    "list.Max": "${{ xs | max }}",
    "list.Min": "${{ xs | min }}",
    "list.Sort": "${{ xs | sort }}",
    "strconv.ParseInt": "strconv.Atoi(s), or ${{ s | int }}",
    "strconv.ParseFloat": "${{ s | float }}",
    "strings.TrimSuffix": "${{ s | replace(...) }}",
    "strings.TrimPrefix": "${{ s | replace(...) }}",
    "regexp.Match": "strings.HasPrefix, strings.HasSuffix or strings.Contains",
    "yaml.Marshal": "${{ x | toyaml }}",
    "sha256.Sum256": "${{ x | sha256 }}",
}


def to_expression(text: str, names: Names, *, condition: bool = False) -> str:
    """Our expression for a bare text; NotSupported with position and our nearest spelling.

    names: known names, or a mapping from a name in scope to those of its members: a dash in one of them is no minus.
    condition: the field is `if`, where 'always' stands.
    """
    if text.strip() == ALWAYS:
        if not condition:
            raise NotSupported(f"'{ALWAYS}' is a condition, not a value", 0)
        return "true"
    return _spelled(parser.parse(text, _known(names)))


def _known(names: Names) -> set[str]:
    found = set(names)
    for members in names.values() if isinstance(names, dict) else ():
        if members is not None and not isinstance(members, str):
            found |= {name for name in members if isinstance(name, str)}
    return found


def _spelled(tree: Tree) -> str:
    return _KINDS[tree[0]](*tree[1:])


def _constant(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return (
        {True: "true", False: "false"}[value] if isinstance(value, bool) else "none" if value is None else json.dumps(value)
    )


def _path(root: Any, *steps: Tree) -> str:
    start = ROOTS.get(root, root) if isinstance(root, str) else _spelled(root)
    return start + "".join([_step(step) for step in steps])


def _step(step: Tree) -> str:
    if step[0] == "constant" and isinstance(step[1], str) and step[1].isidentifier() and step[1].isascii():
        return f".{step[1]}"
    return f"[{_spelled(step)}]"


def _binary(sign: str, left: Tree, right: Tree) -> str:
    missing = [side for side in (left, right) if side[0] == "missing"]
    if not missing:
        return f"({_spelled(left)} {sign} {_spelled(right)})"
    known = right if left[0] == "missing" else left
    if sign not in ("==", "!=") or known[0] == "missing":
        _missing(missing[0][1])
    return f"({_spelled(known)} is {'' if sign == '==' else 'not '}none)"


def _missing(offset: int) -> str:
    raise NotSupported("_|_ is only compared with == or !=", offset, "write x != _|_, or ${{ x is not none }}")


def _call(name: str, offset: int, *given: Tree) -> str:
    if name not in FUNCTIONS:
        hint = f"in our language: {NEAREST[name]}" if name in NEAREST else suggest.listed(FUNCTIONS)
        raise NotSupported(f"unknown function '{name}'{suggest.meant(name, FUNCTIONS)}", offset, hint)
    wanted, spell = FUNCTIONS[name]
    if len(given) != len(wanted):
        raise NotSupported(f"{name} takes {len(wanted)} arguments, got {len(given)}", offset)
    free = name == "strconv.FormatFloat"  # any format: a number has one text in our language
    for want, argument in zip(wanted, given, strict=True):
        if want is not ... and not free and _number(argument) != ("constant", want):
            raise NotSupported(f"{name}: only {_constant(want)} is available here, not {_spelled(argument)}", offset)
    return spell(*[_spelled(argument) for want, argument in zip(wanted, given, strict=True) if want is ...])


def _number(tree: Tree) -> Tree:
    return ("constant", -tree[1][1]) if tree[0] == "minus" and isinstance(tree[1][1], int) else tree


def _each(name: str, offset: int, source: Tree, condition: Tree | None, value: Tree) -> str:
    """[for x in xs if x.a == b {x.c}] is xs | where('a', b) | pluck('c')."""
    out = _spelled(source)
    for part in _conjunction(condition):
        key, wanted = _equality(part, name, offset)
        out += f" | where({_constant(key)}, {wanted})"
    field = _key(value, name)
    if field is None:
        raise NotSupported(f"the value of a list is a path of '{name}'", offset, f"write {{{name}.field}}")
    return f"({out} | pluck({_constant(field)}))" if field else f"({out} | default([]))"


def _conjunction(tree: Tree | None) -> list[Tree]:
    if tree is None:
        return []
    return [*_conjunction(tree[2]), *_conjunction(tree[3])] if tree[:2] == ("binary", "and") else [tree]


def _equality(tree: Tree, name: str, offset: int) -> tuple[str, str]:
    for part, wanted in ((tree, "true"), (tree[1] if tree[0] == "not" else tree, "false")):
        if key := _key(part, name):
            return key, wanted
    if tree[:2] == ("binary", "=="):
        for side, other in ((tree[2], tree[3]), (tree[3], tree[2])):
            key = _key(side, name)
            if key and other[0] != "missing" and not _mentions(other, name):
                return key, _spelled(other)
    hint = f"write {name}.field == value, several joined with &&"
    raise NotSupported(f"a condition in a list compares a field of '{name}' with ==", offset, hint)


def _key(tree: Tree, name: str) -> str | None:
    """Dotted key of a path below the loop name; '' for the name itself, None for anything else."""
    if tree[:2] != ("path", name):
        return None
    steps = [str(step[1]) for step in tree[2:] if step[0] == "constant" and isinstance(step[1], str) and "." not in step[1]]
    return ".".join(steps) if len(steps) == len(tree) - 2 else None


def _mentions(tree: Any, name: str) -> bool:
    return isinstance(tree, tuple) and (tree[:2] == ("path", name) or any(_mentions(part, name) for part in tree))


_KINDS: dict[str, Callable[..., str]] = {
    "constant": _constant,
    "path": _path,
    "binary": _binary,
    "missing": _missing,
    "not": lambda tree: f"(not {_spelled(tree)})",
    "minus": lambda tree: f"(-{_spelled(tree)})",
    "or else": lambda *trees: "(" + " | default(".join(map(_spelled, trees)) + ")" * len(trees),
    "call": _call,
    "joined": lambda *pieces: "(" + " ~ ".join(map(_spelled, pieces)) + ")",
    "list": lambda *items: f"[{', '.join(map(_spelled, items))}]",
    "each": _each,
}
