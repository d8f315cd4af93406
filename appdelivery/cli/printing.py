"""Answers on stdout: tables, JSON, YAML, names.  Plain text by this module; rich only on a terminal (progress)."""

from __future__ import annotations

import os
import sys

from appdelivery.cli import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import Any, TextIO

COLOURS = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}
BY_WORD = {
    "healthy": "green",
    "succeeded": "green",
    "ready": "green",
    "degraded": "red",
    "failed": "red",
    "missing": "red",
    "progressing": "yellow",
    "running": "yellow",
    "partial": "yellow",
    "suspended": "yellow",
    "unknown": "yellow",
    "unchanged": "dim",
    "superseded": "dim",
    "unreachable": "red",
    "unauthorized": "red",
}


def answer(tree: Any, form: str) -> None:
    """A stable answer as JSON or YAML."""
    if form == "yaml":
        from appdelivery.language.text import yaml_out

        sys.stdout.write(yaml_out.dump(tree))
    else:
        import json

        sys.stdout.write(clean.json(json.dumps(tree, indent=2, ensure_ascii=False)) + "\n")


def items(rows: Sequence[dict[str, Any]], columns: Sequence[str], args: Namespace, *, kind: str = "application") -> None:
    """A list in the form asked for: rows are plain trees, columns their keys in upper-case headers."""
    form = getattr(args, "output", None) or "table"
    if form in ("json", "yaml"):
        answer({"items": list(rows)}, form)
    elif form == "name":
        for row in rows:
            place = f"{row['namespace']}/" if row.get("namespace") else ""
            sys.stdout.write(clean.text(f"{kind}/{place}{row['name']}") + "\n")
    else:
        chosen = args.columns.split(",") if getattr(args, "columns", None) else columns
        unknown = [c for c in chosen if rows and c not in rows[0]]
        if unknown:
            from appdelivery import errors

            raise errors.UsageError(f"there is no column '{unknown[0]}'; known: {', '.join(rows[0])}")
        table(rows, chosen, headers=not getattr(args, "no_headers", False), colour=colours(args, sys.stdout))


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, headers: bool = True, colour: bool = False) -> None:
    """No borders; the last column is cut to the terminal's width."""
    cells = [[clean.text(_cell(row.get(c))) for c in columns] for row in rows]
    if headers:
        cells.insert(0, [c.replace("_", " ").upper() for c in columns])
    widths = [max((len(line[i]) for line in cells), default=0) for i in range(len(columns))]
    limit = _width() if sys.stdout.isatty() else 0
    for line in cells:
        out, used = [], 0
        for i, cell in enumerate(line):
            last = i == len(line) - 1
            shown = cell if not last or not limit or used + len(cell) <= limit else cell[: max(limit - used - 1, 8)] + "…"
            out.append(paint(shown, BY_WORD.get(cell, ""), on=colour) + ("" if last else " " * (widths[i] - len(shown) + 3)))
            used += widths[i] + 3
        sys.stdout.write("".join(out).rstrip() + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "-"
    return str(value) if value != "" else "-"


def paint(text: str, colour: str, *, on: bool) -> str:
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if on and colour else text


def colours(args: Namespace, stream: TextIO) -> bool:
    """--color, NO_COLOR, CLICOLOR_FORCE, TERM=dumb, in this order."""
    choice = getattr(args, "color", None) or "auto"
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _width() -> int:
    return os.get_terminal_size(sys.stdout.fileno()).columns


def notice(text: str, args: Namespace | None = None) -> None:
    """Everything that is not the answer goes to stderr."""
    if args is None or not getattr(args, "quiet", False):
        sys.stderr.write(clean.lines(text).rstrip("\n") + "\n")


def age(seconds: float) -> str:
    """As kubectl shows ages: 45s, 12m, 3h, 5d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (unit == "d" and seconds >= size):
            return f"{int(seconds // size)}{unit}"
    return f"{max(int(seconds), 0)}s"
