"""What a write is asked to do and what it gives back; the protocol and the controllers make the first from their requests."""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.storage import Body

IGNORE, WARN, STRICT = "Ignore", "Warn", "Strict"
BACKGROUND, FOREGROUND, ORPHAN = "Background", "Foreground", "Orphan"


@dataclass(frozen=True, slots=True)
class Options:
    """manager: the field manager; validation: what becomes of unknown fields; subresource: "", status, scale, ..."""

    manager: str
    dry_run: bool = False
    validation: str = IGNORE
    force: bool = False
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Deletion:
    """uid, resource_version: preconditions.  propagation: Background, Foreground, Orphan or as the kind has it."""

    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    grace: int | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """body: as stored, or as it would be by a dry run; warnings: the texts of Warning headers."""

    body: Body
    created: bool = False
    warnings: tuple[str, ...] = ()
