"""Expressions in policies: what they may name, and which of them cannot be compiled.  The light path: validate asks too."""

from __future__ import annotations

from appdelivery import errors
from appdelivery.language import inline
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.model.application import Application
    from appdelivery.model.problem import Problem

HEALTH_NAMES = frozenset(("output", "context"))
HEALTH_FIELDS = ("healthy", "failed", "suspended", "message")


def problems(app: Application) -> list[Problem]:
    """Of the policies' health rules, each with its place in the document."""
    found: list[Problem] = []
    for policy in app.policies:
        for index, rule in enumerate(policy.properties.get("rules") or () if policy.type == "health" else ()):
            for name in HEALTH_FIELDS:
                if isinstance(rule.get(name), str):
                    path = (*policy.path, "properties", "rules", index, name)
                    found += [changed(p, path=path, file=app.file, document=app.index) for p in _wrong(rule[name])]
    return found


def check(app: Application) -> None:
    if found := problems(app):
        raise errors.SpecError(found)


def _wrong(text: str) -> tuple[Problem, ...]:
    try:
        inline.condition(text, HEALTH_NAMES)
    except errors.SpecError as error:
        return error.problems
    return ()
