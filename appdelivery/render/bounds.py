"""How much an application may render; what one definition may make is bounded by the language itself."""

from __future__ import annotations

OBJECTS = 5_000
