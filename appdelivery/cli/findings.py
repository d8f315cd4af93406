"""Findings of validate and lint: printed like errors, counted, answered by exit code 0 or 1."""

from __future__ import annotations

from appdelivery.cli import failures, printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from appdelivery.model.problem import Problem


def report(found: Sequence[Problem], args: Namespace) -> int:
    counted = [p for p in found if p.level == "error" or args.strict]
    if args.output == "json":
        kept = ("file", "line", "column", "level", "code", "message", "hint")
        printing.answer(
            {"items": [{**{name: getattr(p, name) for name in kept}, "path": list(p.path)} for p in found]}, "json"
        )
    else:
        failures.problems(found)
        errors = sum(p.level == "error" for p in found)
        words = [
            f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((errors, "error"), (len(found) - errors, "warning")) if n
        ]
        printing.notice(", ".join(words) or "no findings", args)
    return failures.NO if counted else failures.DONE
