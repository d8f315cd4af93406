"""Which parts of an application go where, and by which step of its workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.model.record import record
from appdelivery.platform.stored import Place

if TYPE_CHECKING:
    from appdelivery.model.application import Application
    from appdelivery.platform.local import Platform


@record
class Placed:
    """What one step delivers: the application as its policies make it, and where."""

    app: Application
    places: tuple[Place, ...]


def of(p: Platform, app: Application) -> tuple[Placed, ...]:
    del p
    return (Placed(app, (Place(),)),)
