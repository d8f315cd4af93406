"""Strict reading of a tree, piece by piece: what a field may hold, and the Problems when it holds something else.

A check is a function `(reader, path, value)` that reports and returns nothing; the makers below combine them, so that
the shape of a document stands as data in `reading`, `reading_policies` and `reading_workflow`.  What these shapes let
through is safe to build records from.
"""

from __future__ import annotations

from appdelivery.model import duration, names, suggest, wording
from appdelivery.model.problem import LIMIT, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from appdelivery.model.problem import Path

    Check = Callable[["Reader", Path, Any], None]

EXPRESSION = "${{"
PLACES = "expressions may stand in properties of components, traits and steps, in valueFrom and in if"


class Enough(Exception):
    """As many problems as one phase reports: the rest of the document is not looked at."""


class Reader:
    """Collects the problems and warnings of one document."""

    def __init__(self, file: str, document: int, *, lenient: bool) -> None:
        self.file = file
        self.document = document
        self.lenient = lenient
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.left_out: list[Path] = []  # unknown properties that lenient reading drops

    def refuse(
        self, path: Path, message: str, hint: str = "", *, code: str = "application.field", at_key: bool = False
    ) -> None:
        self.problems.append(self._problem(path, message, hint, code, at_key=at_key))
        if len(self.problems) >= LIMIT:
            raise Enough

    def warn(
        self, path: Path, message: str, hint: str = "", *, code: str = "application.ignored", at_key: bool = False
    ) -> None:
        self.warnings.append(self._problem(path, message, hint, code, at_key=at_key, level="warning"))

    def soften(self, path: Path, message: str, hint: str = "", *, code: str, at_key: bool = False) -> None:
        """An error; when reading leniently a warning."""
        (self.warn if self.lenient else self.refuse)(path, message, hint, code=code, at_key=at_key)

    def _problem(self, path: Path, message: str, hint: str, code: str, *, at_key: bool, level: str = "error") -> Problem:
        return Problem(message, code, path, self.file, self.document, hint=hint, level=level, at_key=at_key)

    def sound(self, path: Path) -> bool:
        """Whether nothing was refused at a place or inside it."""
        return not any(problem.path[: len(path)] == path for problem in self.problems)

    def holds(self, check: Check, path: Path, value: Any) -> bool:
        """Whether a value has a shape; what is wrong with it is reported."""
        before = len(self.problems)
        check(self, path, value)
        return len(self.problems) == before


def anything(_: Reader, __: Path, ___: Any) -> None:
    pass


def expression(reader: Reader, path: Path, value: Any) -> None:
    """Text in which expressions are read."""
    if not isinstance(value, str) or not value.strip():
        hint = wording.QUOTES if isinstance(value, (int, float)) else ""
        reader.refuse(path, f"expected text, got {wording.kind(value)}", hint)


def text(reader: Reader, path: Path, value: Any) -> None:
    expression(reader, path, value)
    if isinstance(value, str) and EXPRESSION in value:
        reader.refuse(path, f"'{EXPRESSION}' is not evaluated here", PLACES)


def any_text(reader: Reader, path: Path, value: Any) -> None:
    """Text that may be empty, such as the value of a label."""
    if value != "":
        text(reader, path, value)


def label(reader: Reader, path: Path, value: Any) -> None:
    """A DNS label."""
    if not reader.holds(text, path, value):
        return
    if not names.is_dns_label(value):
        better = names.dnsname(value)
        hint = f"for example {better}" if names.is_dns_label(better) else ""
        message = f"{wording.shown(value)} is not a name: up to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
        reader.refuse(path, message, hint, code="application.name")


def component_name(reader: Reader, path: Path, value: Any) -> None:
    """The value of a label.  KubeVela's users write dots and capitals too; an object that is named after such a component
    is refused where its own name is checked."""
    if not reader.holds(text, path, value):
        return
    plain = value.replace("-", "").replace("_", "").replace(".", "")
    if not (plain.isascii() and plain.isalnum() and len(value) <= 63 and value[0].isalnum() and value[-1].isalnum()):
        message = f"{wording.shown(value)} is not a name: up to 63 letters, digits, '-', '_' and '.', no sign at either end"
        reader.refuse(path, message, f"for example {names.dnsname(value)}", code="application.name")


def flag(reader: Reader, path: Path, value: Any) -> None:
    if not isinstance(value, bool):
        hint = "write it without quotes" if value in ("true", "false") else ""
        reader.refuse(path, f"expected true or false, got {wording.kind(value)}", hint)


def number(reader: Reader, path: Path, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        reader.refuse(path, f"expected a number, got {wording.kind(value)}")


def scalar(reader: Reader, path: Path, value: Any) -> None:
    if value is None or isinstance(value, (dict, list)):
        reader.refuse(path, f"expected text or a number, got {wording.kind(value)}")


def time(reader: Reader, path: Path, value: Any) -> None:
    """A duration."""
    if not reader.holds(text, path, value):
        return
    try:
        duration.parse(value)
    except ValueError as error:
        reader.refuse(path, str(error))


def whole(least: int = 0, most: int = 2**31 - 1) -> Check:
    def check(reader: Reader, path: Path, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            reader.refuse(path, f"expected a whole number, got {wording.kind(value)}")
        elif not least <= value <= most:
            reader.refuse(path, f"{value} is not between {least} and {most}")

    return check


def share(reader: Reader, path: Path, value: Any) -> None:
    """A count, or a percentage as text."""
    percent = isinstance(value, str) and value.endswith("%") and value[:-1].isascii() and value[:-1].isdigit()
    if not (percent and int(value[:-1]) <= 100) and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        reader.refuse(path, f"expected a count or a percentage such as 25%, got {wording.kind(value)}")


def choice(*words: str) -> Check:
    def check(reader: Reader, path: Path, value: Any) -> None:
        if value not in words or not isinstance(value, str):
            meant = suggest.meant(value, words) if isinstance(value, str) else ""
            reader.refuse(path, f"expected one of {', '.join(words)}, got {wording.kind(value)}{meant}")

    return check


def either(one: Check, two: Check, *, first: type | tuple[type, ...]) -> Check:
    """One of two forms, told apart by the type of the value."""

    def check(reader: Reader, path: Path, value: Any) -> None:
        (one if isinstance(value, first) else two)(reader, path, value)

    return check


def list_of(item: Check, *, least: int = 0, most: int = 10_000, noun: str = "item") -> Check:
    def check(reader: Reader, path: Path, value: Any) -> None:
        if not isinstance(value, list):
            reader.refuse(path, f"expected a list, got {wording.kind(value)}")
            return
        if len(value) < least:
            reader.refuse(path, f"at least {wording.count(least, noun)} must be given")
        if len(value) > most:
            message = f"{wording.count(len(value), noun)}, at most {most} are allowed"
            reader.refuse(path, message, code="application.limit")
            return
        for index, entry in enumerate(value):
            item(reader, (*path, index), entry)

    return check


def map_of(item: Check) -> Check:
    def check(reader: Reader, path: Path, value: Any) -> None:
        if not isinstance(value, dict):
            reader.refuse(path, f"expected a map, got {wording.kind(value)}")
            return
        for name, entry in value.items():
            item(reader, (*path, name), entry)

    return check


def fields(
    known: Mapping[str, Check],
    *,
    required: tuple[str, ...] = (),
    refused: Mapping[str, str] | None = None,
    drop: bool = False,
) -> Check:
    """A map of named fields.  A field without a value counts as absent.  refused: known names with the reason why they
    cannot be given; drop: unknown names are left out with a warning when reading leniently."""

    def check(reader: Reader, path: Path, value: Any) -> None:
        if not isinstance(value, dict):
            reader.refuse(path, f"expected a map, got {wording.kind(value)}")
            return
        for name, entry in value.items():
            place = (*path, name)
            if name in known:
                if entry is not None:
                    known[name](reader, place, entry)
            elif refused and name in refused:
                reader.refuse(place, f"{name}: {refused[name]}", at_key=True)
            else:
                _unknown(reader, place, known, drop=drop)
        if absent := [f"'{name}'" for name in required if value.get(name) is None]:
            reader.refuse(path, f"missing {' and '.join(absent)}", code="application.missing")

    return check


def _unknown(reader: Reader, path: Path, known: Mapping[str, Check], *, drop: bool) -> None:
    name = str(path[-1])
    message = f"unknown field '{name[:60]}'{suggest.meant(name, known)}"
    if drop and reader.lenient:
        reader.left_out.append(path)
        reader.warn(path, f"{message} (left out)", code="application.unknown", at_key=True)
    else:
        reader.refuse(path, message, suggest.listed(known), code="application.unknown", at_key=True)


def definition_type(reader: Reader, path: Path, value: Any) -> None:
    """NAME, NAME@1.2.0 or NAME@v3."""
    if not reader.holds(text, path, value):
        return
    name, at, version = value.partition("@")
    if not all(names.is_dns_label(part) for part in name.split(".")):
        reader.refuse(path, f"{wording.shown(value)} is not the name of a definition", code="application.name")
    elif at and not _is_version(version):
        hint = f"{name}@1.2.0, or {name}@v3 for the third published one"
        reader.refuse(path, f"{wording.shown(version)} is not a version", hint, code="application.name")


def _is_version(version: str) -> bool:
    if version.startswith("v"):
        return version[1:].isascii() and version[1:].isdigit()
    core, _, rest = version.partition("-")
    parts = core.split(".")
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+")
    return len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts) and set(rest) <= plain
