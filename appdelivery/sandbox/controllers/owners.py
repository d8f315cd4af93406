"""Which controller an event concerns: the owner of the object, or those that may adopt it."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Event, Key


def of(kind: str) -> Callable[[Context, Event], Iterable[Key]]:
    """The owner of this kind, before and after the event; for an orphan, everybody who selects it."""
    family = next(found for (_, name), found in objects.CONTROLLER_FAMILIES.items() if name == kind)

    def hear(context: Context, event: Event) -> Iterator[Key]:
        bodies = [event.item.body] if event.old is None else [event.item.body, event.old.body]
        found: dict[Key, None] = {}
        for body in bodies:
            owner = objects.controller_of(body)
            if owner is not None:
                if owner["kind"] == kind:
                    found[body["metadata"]["namespace"], owner["name"]] = None
            elif event.type != "DELETED":
                found.update(dict.fromkeys(context.index.selecting(family, body)))
        return iter(found)

    return hear
