"""From an exception to what a person reads, and to the exit code (interface.md 1.5, 1.9)."""

from __future__ import annotations

import errno
import os
import sys

from appdelivery import errors
from appdelivery.cli import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.problem import Problem

SHOWN = 20
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
DONE, NO, FAILED, TIMEOUT, USAGE, BUG, INTERRUPTED = 0, 1, 2, 3, 64, 70, 130


def report(error: Exception, words: list[str]) -> int:
    """Prints the failure to stderr and answers the exit code."""
    if isinstance(error, OSError) and error.filename is None and error.errno in FULL:
        sys.stderr.write(f"error: write the answer: {error.strerror}\n")
        return FAILED
    if isinstance(error, errors.Bug) or not isinstance(error, errors.AppError):
        return _bug(error, words)
    code = exit_code(error)
    if _wants_json(words):
        import json

        sys.stderr.write(clean.json(json.dumps(as_problem_json(error), ensure_ascii=False)) + "\n")
        return code
    if error.problems:
        problems(error.problems)
    else:
        sys.stderr.write(f"error: {clean.text(error.message)}\n")
    if error.hint and error.hint not in [problem.hint for problem in error.problems]:
        sys.stderr.write(indented(error.hint))
    if "--debug" in words and error.__cause__ is not None:
        sys.stderr.write(f"  cause: {type(error.__cause__).__name__}: {clean.text(str(error.__cause__))}\n")
    return code


def exit_code(error: errors.AppError) -> int:
    if isinstance(error, errors.UsageError):
        return USAGE
    return TIMEOUT if error.code == "release.timed-out" else FAILED


def problems(found: Sequence[Problem], *, limit: int = SHOWN) -> None:
    """Problems with position, excerpt and hint; at most `limit`, and the count of the rest."""
    shown = found[:limit]
    for index, problem in enumerate(shown):
        level = "" if problem.level == "error" and problem.file else f"{problem.level}: "
        where = str(problem)[: -len(problem.message)] if problem.message else str(problem)
        sys.stderr.write(f"{clean.text(where)}{level}{clean.text(problem.message)}\n")
        if problem.excerpt:
            sys.stderr.write(clean.lines(problem.excerpt).rstrip("\n") + "\n")
        if problem.hint and not (index + 1 < len(shown) and shown[index + 1].hint == problem.hint):
            sys.stderr.write(indented(f"hint: {problem.hint}"))
    if len(found) > limit:
        sys.stderr.write(f"and {len(found) - limit} more problems\n")


def as_problem_json(error: errors.AppError) -> dict[str, object]:
    """problem+json of interface.md 2.2, as the REST API answers it."""
    kept = ("file", "line", "column", "path", "message", "hint", "code", "level")
    return {
        "type": f"https://appdelivery.dev/errors/{error.code}",
        "title": type(error).__name__,
        "code": error.code,
        "detail": error.message,
        "hint": error.hint,
        "problems": [{name: getattr(p, name) if name != "path" else list(p.path) for name in kept} for p in error.problems],
    }


def indented(text: str) -> str:
    """What to do, below what is wrong."""
    return "".join(f"  {line}\n" for line in clean.lines(text).splitlines())


def _wants_json(words: list[str]) -> bool:
    return (
        "--output=json" in words
        or "-ojson" in words
        or any(word in ("-o", "--output") and "json" in words[i + 1 : i + 2] for i, word in enumerate(words))
    )


def _bug(error: Exception, words: list[str]) -> int:
    """One line, the place of the saved trace, exit code 70."""
    import traceback

    from appdelivery.model import redact

    text = redact.text("".join(traceback.format_exception(error)))
    place = _saved(text)
    sys.stderr.write(f"error: this is a bug in appctl: {type(error).__name__}: {clean.text(redact.text(str(error)))}\n")
    sys.stderr.write(f"  the trace is in {place}; please report it\n" if place else clean.lines(text))
    if "--debug" in words and place:
        sys.stderr.write(clean.lines(text))
    return BUG


def _saved(text: str) -> str:
    import time

    from appdelivery import settings

    folder = f"{settings.folders(os.environ).cache}/traces"
    path = f"{folder}/{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return ""  # then the trace itself is printed: nothing is lost
    return path
