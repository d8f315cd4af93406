"""`policy-check`: rules over every object that the release wants; a rule that fails fails the step or is a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.language import inline
from appdelivery.model.refs import ref_of
from appdelivery.workflow.model import Done, Fail
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.workflow.model import Result, StepContext

NAMES = frozenset(("object", "cluster"))
SHOWN = 10


async def run(at: StepContext) -> Result:
    objects = await world.of(at).desired()
    failed: list[str] = []
    warned: list[str] = []
    for rule in at.properties["rules"]:
        broken = _broken(rule, objects)
        (failed if rule["level"] == "error" else warned).extend(broken)
    if failed:
        more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        return Fail("step.policy", f"{len(failed)} objects break a rule: {'; '.join(failed[:SHOWN])}{more}", retryable=False)
    for line in warned:
        at.log(line)
    kept = {"checked": len(objects), "warnings": warned[:100]}
    return Done(kept, f"{len(objects)} objects checked" + (f", {len(warned)} warnings" if warned else ""))


def _broken(rule: dict[str, Any], objects: Sequence[world.Wanted]) -> list[str]:
    """One line an object for which the rule does not hold, or cannot be asked."""
    condition = inline.condition(rule["must"], NAMES)
    lines = []
    for one in objects:
        if rule.get("kinds") and one.body["kind"] not in rule["kinds"]:
            continue
        try:
            holds = condition.value({"object": one.body, "cluster": one.cluster})
            said = rule["message"]
        except errors.SpecError as error:
            holds, said = False, f"the rule cannot be asked: {error.message}"
        if not holds:
            lines.append(f"{ref_of(one.body)}{' in ' + one.cluster if one.cluster else ''}: {said}")
    return lines
