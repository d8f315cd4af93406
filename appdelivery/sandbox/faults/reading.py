"""Rules from and to plain trees, as the control route and the command line write them.  Raises a 400 that names the field."""

from __future__ import annotations

import dataclasses
import math

from appdelivery.model import suggest
from appdelivery.sandbox import status
from appdelivery.sandbox.faults.rules import ACTIONS, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
TEXTS = ("id", "cluster", "namespace", "name", "subresource")
LISTS = ("verbs", "kinds")
FIELDS = tuple([field.name for field in dataclasses.fields(Rule)])
CODES = range(400, 600)


def rule(tree: Any) -> Rule:
    if not isinstance(tree, dict):
        raise status.bad_request("a fault rule is a map such as {do: status, value: 503, verbs: [patch]}")
    for name in tree:
        if name not in FIELDS:
            raise status.bad_request(f"a fault rule has no field '{name}'{_near(name, FIELDS)}; it has {', '.join(FIELDS)}")
    given = {name: value for name, value in tree.items() if value is not None}
    for name in TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise status.bad_request(f"{name}: {given[name]!r} is no text")
    for name in LISTS:
        given[name] = _texts(name, given.get(name, ()))
    for verb in given["verbs"]:
        if verb not in VERBS:
            raise status.bad_request(f"verbs: there is no verb '{verb}'{_near(verb, VERBS)}; choose from {', '.join(VERBS)}")
    _action(given)
    _dice(given)
    return Rule(**given)


def tree(made: Rule) -> dict[str, Any]:
    """What differs from the defaults, always with id and do."""
    found = dataclasses.asdict(made)
    plain = {field.name: field.default for field in dataclasses.fields(Rule)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
        if name in ("id", "do", "seed") or value != plain[name]
    }


def _action(given: dict[str, Any]) -> None:
    do = given.get("do")
    if not isinstance(do, str) or do not in ACTIONS:
        raise status.bad_request(
            f"do: there is no fault '{do}'{_near(str(do), tuple(ACTIONS))}; choose from {', '.join(ACTIONS)}"
        )
    action = ACTIONS[do]
    meaningless = [name for name in ("verbs", "kinds") if action.whole and given[name]]
    if meaningless:
        raise status.bad_request(f"{meaningless[0]}: the fault {do} is of the whole cluster, whatever is asked")
    value = given.get("value")
    if not action.value:
        if value is not None:
            raise status.bad_request(f"value: the fault {do} takes none")
        return
    if value is None:
        raise status.bad_request(f"value: the fault {do} needs {action.value}, such as {do}={503 if do == 'status' else 2}")
    given["value"] = number = _number("value", value)
    if do == "status" and (number not in CODES):
        raise status.bad_request(f"value: {value} is no status of a failure; it is 400 to 599")
    if do == "stale" and (number < 1 or number % 1):
        raise status.bad_request(f"value: {value} is no number of changes; it is a whole number from 1 on")
    if do in ("delay", "throttle") and number < 0:
        raise status.bad_request(f"value: {value} seconds are in the past")


def _dice(given: dict[str, Any]) -> None:
    count = given.get("count")
    if count is not None and (type(count) is not int or count < 1):
        raise status.bad_request(f"count: {count!r} is no number of requests; it is a whole number from 1 on")
    if "probability" in given:
        given["probability"] = chance = _number("probability", given["probability"])
        if not 0 < chance <= 1:
            raise status.bad_request(f"probability: {chance} is not above 0 and at most 1")
    if type(given.get("seed", 0)) is not int:
        raise status.bad_request(f"seed: {given['seed']!r} is no whole number")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise status.bad_request(f"{name}: {value!r} is no number")
    return float(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise status.bad_request(f"{name}: {value!r} is no list of texts")
    return tuple(value)


def _near(word: str, known: tuple[str, ...]) -> str:
    near = suggest.nearest(word, list(known))
    return f" (did you mean '{near}'?)" if near else ""
