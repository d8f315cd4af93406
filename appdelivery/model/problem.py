"""`Problem`: one thing wrong in a user's document.  Always reported in a list, sorted by position."""

from __future__ import annotations

from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    Path = tuple[str | int, ...]

LIMIT = 50  # problems collected per phase


@record
class Problem:
    """line and column count from 1; 0 = not located yet (language.source.locate finds them by document and path)."""

    message: str
    code: str = ""
    path: Path = ()  # from the root of the document
    file: str = ""
    document: int = 0  # which document of the file
    line: int = 0
    column: int = 0
    hint: str = ""
    excerpt: str = ""
    level: str = "error"  # or "warning"
    at_key: bool = False  # the position is the key of the last path segment, not its value

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.message}"


def dotted(path: Path) -> str:
    """spec.ports[1].port"""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else step
    return out
