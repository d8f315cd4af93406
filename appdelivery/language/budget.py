"""What one evaluation of a definition may spend: loop turns, and work that grows with its input.

The budget is a list of two integers made for each evaluation: turns left and work left, one unit of work being about
one leaf, so that template size times turns is bounded too.  Every helper of generated code charges before it works.
"""

from __future__ import annotations

from appdelivery.language.problems import RenderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Budget = list[int]

TURNS = 100_000  # one evaluation of one definition
ITEMS = 10_000  # one list
WORK = 250_000
TEXT = 1 << 20
SHORT = 32  # characters of a text that cost nothing beyond the leaf that holds it
CHARACTERS = 5  # log2 of the characters that cost one unit of work


def fresh() -> Budget:
    return [TURNS, WORK]


def limit(what: str, value: int, setting: str) -> RenderError:
    return RenderError("render.limit", f"more than {value:,} {what}", f"setting limits.{setting}")


def spend(b: Budget, turns: int, work: int = 1) -> None:
    b[0] -= turns
    b[1] -= turns * work
    if b[0] < 0:
        raise limit("loop turns in one render", TURNS, "loopTurns")
    if b[1] < 0:
        raise limit("values made in loops of one render", WORK, "loopWork")


def spend_text(b: Budget, length: int) -> None:
    """Before a text of this length is made or searched."""
    if length > TEXT:
        raise limit("characters in one text", TEXT, "textLength")
    b[1] -= length >> CHARACTERS
    if b[1] < 0:
        raise limit("characters of text made in one render", WORK << CHARACTERS, "loopWork")
