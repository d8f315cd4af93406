"""The section `checks`: rules over several parameters, each a condition and a text that says what is wrong."""

from __future__ import annotations

from appdelivery.language import problems
from appdelivery.language.expressions import leaves
from appdelivery.language.problems import Wrong
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.model.problem import Path

    Node = Scalar | Mapping | Sequence

KEYS = ("must", "at", "message", "level")
LEVELS = ("error", "warning")


def section(_: Scalar, node: Node, spot: Spot) -> Any:
    """Python for a list of (path, message, level) of the checks that fail."""
    w = spot.w
    failed = w.fresh()
    spot.out.append(w.assign(failed, w.sequence([])))
    for index, item in enumerate(node.items if isinstance(node, Sequence) else [node]):
        here = spot.under(index)
        if not isinstance(item, Mapping):
            here.report(Wrong("definition.section", "a check is a map with must and message"), item)
            continue
        found = known(item, KEYS, here)
        missing = [one for one in ("must", "message") if one not in found]
        if missing:
            here.report(Wrong("definition.section", f"the check needs '{missing[0]}'"), item)
        else:
            _check(found, failed, here)
    return w.name(failed)


def known(node: Mapping, names: tuple[str, ...], spot: Spot) -> dict[str, Node]:
    """Entries by name; unknown ones are reported."""
    found = {}
    for key, value in node.pairs:
        if key.text in names:
            found[key.text] = value
        else:
            spot.report(problems.unknown("definition.section", "unknown key", key.text, names), key)
    return found


def _check(found: dict[str, Node], failed: str, spot: Spot) -> None:
    w = spot.w
    must, _ = leaves.bare(found["must"], spot.under("must"))
    message = found["message"]
    if not isinstance(message, Scalar):
        spot.report(Wrong("definition.section", "the message of a check is a text"), message)
        return
    then = spot.under("message").into([])
    text = w.call("line", leaves.leaf(message, then)[0])
    row = w.tuple([w.constant(_at(found.get("at"), spot)), text, w.constant(_level(found.get("level"), spot))])
    then.out.append(w.do(w.call("append", w.name(failed), row)))
    spot.at(found["must"])
    spot.out.append(w.when(w.negation(must), then.out))


def _at(node: Node | None, spot: Spot) -> Path:
    """`at: ports[0].port` as a path of the properties."""
    if node is None:
        return ()
    text = node.text if isinstance(node, Scalar) else ""
    steps: list[str | int] = []
    for part in text.split("."):
        name, *indexes = part.replace("]", "").split("[")
        if not all(index.isdigit() for index in indexes) or not (name or indexes):
            spot.report(Wrong("definition.section", f"at: '{text}' is not a path such as a.b[0]"), node)
            return ()
        steps += [name] if name else []
        steps += [int(index) for index in indexes]
    return tuple(steps)


def _level(node: Node | None, spot: Spot) -> str:
    if node is None:
        return LEVELS[0]
    shown = node.text if isinstance(node, Scalar) else "..."
    if shown not in LEVELS:
        spot.report(problems.unknown("definition.section", "unknown level", shown, LEVELS), node)
    return shown
