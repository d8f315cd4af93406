"""What can be said about a patch before it meets an object: items of keyed lists must carry their key."""

from __future__ import annotations

from appdelivery.language.patch import listkeys
from appdelivery.language.problems import Wrong
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.language.compiling.frames import Spot

PORTS = (listkeys.CONTAINER_PORT[0], listkeys.SERVICE_PORT[0])


def report(node: Scalar | Mapping | Sequence, spot: Spot) -> None:
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            report(item, spot.under(index))
    elif isinstance(node, Mapping):
        for key, value in node.pairs:
            here = spot.under(key.text)
            keys = PORTS if key.text == "ports" else listkeys.KEYS.get(key.text, ())
            if keys and isinstance(value, Sequence):
                _items(key.text, value, keys, here)
            report(value, here)


def _items(name: str, node: Sequence, keys: tuple[str, ...], spot: Spot) -> None:
    items = [(item, [key.text for key, _ in item.pairs]) for item in node.items if isinstance(item, Mapping)]
    if any("$key" in given for _, given in items):
        return
    for item, given in items:
        hidden = any(one in ("$patch", "$spread", "$value") or "${{" in one for one in given)
        if not hidden and not any(key in given for key in keys):
            wrong = Wrong("patch.key", f"{name}: every patch item needs '{keys[0]}'")
            spot.report(wrong, item)
