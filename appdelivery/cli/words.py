"""Reads the words of a command line in their plain forms: `--flag`, `--flag value`, `--flag=value`, `-f value`, names.

Everything else (help, a mistake, joined short flags, a flag set by the environment) gives None, and argparse reads the
same declarations: tests/cli/test_plain_words.py compares the two.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

STORE, SWITCH, APPEND = "store", "store_true", "append"


class Argument:
    """A flag, or a positional argument, as it was declared."""

    __slots__ = ("action", "choices", "default", "dest", "names", "nargs", "plain", "type")

    def __init__(
        self,
        names: tuple[str, ...],
        *,
        action: str = STORE,
        nargs: str | None = None,
        default: Any = None,
        type: Callable[[str], Any] | None = None,
        choices: Sequence[str] | None = None,
        dest: str = "",
        metavar: str | None = None,
        help: str = "",
        **other: Any,
    ) -> None:
        del metavar, help  # of interest to argparse only
        self.plain = not other and action in (STORE, SWITCH, APPEND) and nargs in (None, "?", "*", "+")
        self.names = names if names[0][0] == "-" else ()
        long = next((name for name in names if name[:2] == "--"), names[0])
        self.dest = dest or long.lstrip("-").replace("-", "_")
        self.action = action
        self.nargs = nargs
        self.default = False if action == SWITCH and default is None else default
        self.type = type
        self.choices = choices


class Declared:
    """Takes a command's declarations in the place of argparse's parser."""

    def __init__(self) -> None:
        self.flags: dict[str, Argument] = {}
        self.positional: list[Argument] = []
        self.plain = True  # nothing was declared that only argparse knows

    def add_argument(self, *names: str, **how: Any) -> None:
        argument = Argument(names, **how)
        self.plain = self.plain and argument.plain
        self.flags |= dict.fromkeys(argument.names, argument)
        if not argument.names:
            self.positional.append(argument)

    def add_argument_group(self, _: str) -> Declared:
        return self


class Given:
    """The values by name, as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__ = values


class _Unusual(Exception):
    """argparse has to look."""


def variable(flag: str) -> str:
    """The environment variable that gives a flag's default."""
    return "APPCTL_" + flag[2:].replace("-", "_").upper()


def read(declared: Declared, words: Sequence[str]) -> Given | None:
    """The arguments' values, or None when the words are not plain."""
    if not declared.plain or any(name[:2] == "--" and variable(name) in os.environ for name in declared.flags):
        return None
    values = {flag.dest: flag.default for flag in declared.flags.values()}
    try:
        names = _flags(declared, words, values)
        _positional(declared.positional, names, values)
    except _Unusual:
        return None
    return Given(values)


def _flags(declared: Declared, words: Sequence[str], values: dict[str, Any]) -> list[str]:
    """Puts the flags' values into `values` and answers the other words, which must stand side by side."""
    names: list[str] = []
    last = 0  # where the last of them stood
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word[:1] != "-" or word == "-":
            if names and last != at - 1:
                raise _Unusual
            names.append(word)
            last = at
            continue
        name, sign, value = word.partition("=") if word[:2] == "--" else (word, "", "")
        flag = declared.flags.get(name)
        if flag is None or flag.nargs is not None:
            raise _Unusual
        if flag.action == SWITCH:
            if sign:
                raise _Unusual
            values[flag.dest] = True
            continue
        if not sign:
            value = words[at] if at < len(words) else "--"
            at += 1
            if value[:1] == "-" and value != "-":
                raise _Unusual
        found = _value(flag, value)
        values[flag.dest] = [*(values[flag.dest] or ()), found] if flag.action == APPEND else found
    return names


def _positional(arguments: Sequence[Argument], names: list[str], values: dict[str, Any]) -> None:
    """Each takes as many words as it may, from left to right; the later ones keep what they need."""
    for i, argument in enumerate(arguments):
        room = len(names) - sum(1 for later in arguments[i + 1 :] if later.nargs in (None, "+"))
        many = argument.nargs in ("*", "+")
        count = max(room, 0) if many else 1 if argument.nargs is None else min(max(room, 0), 1)
        if count > len(names) or (argument.nargs == "+" and not count):
            raise _Unusual
        taken, names = [_value(argument, name) for name in names[:count]], names[count:]
        absent = argument.default if argument.default is not None or not many else []
        values[argument.dest] = absent if not taken else taken if many else taken[0]
    if names:
        raise _Unusual


def _value(argument: Argument, word: str) -> Any:
    try:
        value = argument.type(word) if argument.type else word
    except ValueError:
        raise _Unusual from None
    if argument.choices is not None and value not in argument.choices:
        raise _Unusual
    return value
