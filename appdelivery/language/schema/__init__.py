"""Schemas of parameters: the entry for everybody who has one (language.md 7).

`close` turns what a definition's author wrote into one closed JSON Schema without references; `source` turns that into
Python source of `check(value)`, to be executed in a copy of NAMESPACE; `check` raises Refusal, and
`explain.findings` says why.  Called by the definition compiler; a cached definition needs only NAMESPACE.
"""

from __future__ import annotations

from appdelivery.language.schema import helpers
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.problem import Path

NAMESPACE = helpers.NAMESPACE
Refusal = helpers.Refusal


@record
class Finding:
    """One thing wrong, at a path: from ('parameters', ...) or ('types', ...) in a schema, from the root in a value."""

    path: Path
    code: str
    message: str
    hint: str = ""
    at_key: bool = False  # the name of the last step is wrong, not what it holds


class SchemaRefused(Exception):
    """A schema that cannot be used; findings says everything that is wrong with it."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join([f"{'.'.join(map(str, f.path))}: {f.message}" for f in findings[:3]]))
        self.findings = findings


def close(parameters: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """One schema with every reference inlined and every object closed; SchemaRefused with all findings."""
    from appdelivery.language.schema import closing

    return closing.close(parameters, types)


def source(closed: dict[str, Any]) -> str:
    """Python source of `check(value)`, for a closed schema."""
    from appdelivery.language.schema import generate

    return generate.source(closed)
