"""Who wrote what to an object, and the errors of patches.  For patch only, which exports Writes and PatchError.

A log is a tree like the object's: below a field or the identity of a list item stands a further dict or a leaf
(author, value); below None stands who made an empty map.
"""

from __future__ import annotations

from appdelivery.language.patch import listkeys
from appdelivery.model import secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Log = dict[Any, Any]

SHOWN = 60  # characters of a value in a message


class PatchError(Exception):
    """path is where in the object, as text: spec.template.spec.containers[web].image."""

    def __init__(self, code: str, message: str, hint: str = "", path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.path = path


class Writes:
    """The writes to one object so far; one for each object that several authors patch."""

    __slots__ = ("log",)

    def __init__(self) -> None:
        self.log: Log = {}


class Stop(Exception):
    """A PatchError on its way up: every level adds its step, so that good patches pay for no paths."""

    def __init__(self, code: str, say: Callable[[str], str], hint: str = "", below: tuple[Any, ...] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.say = say  # from the path, as text, to the message
        self.hint = hint
        self.steps: list[Any] = [*reversed(below)]  # innermost first

    def error(self) -> PatchError:
        path = listkeys.dotted(self.steps[::-1])
        return PatchError(self.code, self.say(path), self.hint, path)


def write(log: Log, key: Any, author: str, value: Any) -> None:
    """One value: a scalar, or a list that has no merge key."""
    before = log.get(key)
    if type(before) is dict:
        _refuse_foreign(before, author, lambda other, was: _both(other, author, was=was, now=value))
    elif before is not None and before[0] != author:
        if not same(before[1], value):
            raise Stop("render.conflict", _both(before[0], author, was=before[1], now=value))
        return
    log[key] = author, value


def enter(log: Log, key: Any, author: str, value: Any) -> Log:
    """The log below a map or a keyed list that is merged."""
    before = log.get(key)
    if type(before) is dict:
        return before
    if before is not None and before[0] != author:
        raise Stop("render.conflict", _both(before[0], author, was=before[1], now=value))
    inner: Log = {}
    log[key] = inner
    return inner


def erase(log: Log, key: Any, author: str) -> None:
    """A removal: whatever stands there or below must not be another author's."""
    before = log.get(key)
    if type(before) is dict:
        clear(before, author)
    elif before is not None and before[0] != author:
        raise Stop("render.conflict", _removes(before[0], author, before[1]))
    log.pop(key, None)


def clear(log: Log, author: str) -> None:
    """A replacement of all that is here."""
    _refuse_foreign(log, author, lambda other, was: _removes(other, author, was))
    log.clear()


def _refuse_foreign(log: Log, author: str, say: Callable[[str, Any], Callable[[str], str]]) -> None:
    for path, (other, was) in _leaves(log, ()):
        if other != author:
            raise Stop("render.conflict", say(other, was), below=path)


def _leaves(log: Log, path: tuple[Any, ...]) -> list[tuple[tuple[Any, ...], tuple[str, Any]]]:
    found: list[tuple[tuple[Any, ...], tuple[str, Any]]] = []
    for key, value in log.items():
        below = path if key is None else (*path, key)
        found += _leaves(value, below) if type(value) is dict else [(below, value)]
    return found


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, where true is not 1."""
    return bool(one == other) and (type(one) is bool) == (type(other) is bool)


def shown(value: Any) -> str:
    """A value in a message: short, secrets masked."""
    if isinstance(value, (dict, list)):
        import json

        text = json.dumps(secret.masked(value), ensure_ascii=False)
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    else:
        text = value.mask() if isinstance(value, secret.Secret) else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _both(one: str, other: str, *, was: Any, now: Any) -> Callable[[str], str]:
    return lambda path: f"traits '{one}' and '{other}' both set {path} ({shown(was)} and {shown(now)})"


def _removes(one: str, other: str, was: Any) -> Callable[[str], str]:
    return lambda path: f"trait '{other}' removes {path}, which trait '{one}' set ({shown(was)})"
