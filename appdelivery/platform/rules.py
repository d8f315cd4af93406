"""Health rules of an application: its policies' and its definitions' expressions, compiled once for one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appdelivery.delivery import health, policies
from appdelivery.delivery.health.rule import Rule
from appdelivery.language import inline
from appdelivery.model.record import changed
from appdelivery.platform import expressions as checked
from appdelivery.render import judging
from appdelivery.render.render import RenderContext, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.policies import Policies
    from appdelivery.model.application import Application
    from appdelivery.model.definition import Definition
    from appdelivery.model.live import Health, Live
    from appdelivery.model.manifest import Rendered, RenderedComponent
    from appdelivery.model.refs import Ref


@dataclass(frozen=True, slots=True)
class Again:
    """Renders an application anew, with values that are known only from live objects."""

    app: Application
    resolve: Callable[[str, str], Definition]
    context: RenderContext

    def __call__(self, live: Mapping[str, Mapping[str, Any]]) -> Rendered:
        return render(self.app, self.resolve, changed(self.context, live=live))


class Verdicts:
    """The judge handed to the Fleet: built-in rules at first, an application's own as soon as they are known."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._rules: tuple[Rule, ...] = ()

    def use(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def judge(self, live: Live) -> Health:
        return health.judge(live, now=self._clock(), rules=self._rules)

    def wait_class(self, ref: Ref, body: dict[str, Any]) -> str:
        return health.wait_class(ref, body, self._rules)


def of(given: Policies, desired: Sequence[Desired]) -> tuple[Rule, ...]:
    """Of the policies: they come before those of the definitions (delivery.md 10.1)."""
    return policies.health_rules(given, desired, _compiled)


def _compiled(expressions: Mapping[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    names = checked.HEALTH_NAMES
    made = {name: inline.condition(text, names) if isinstance(text, str) else text for name, text in expressions.items()}

    def evaluate(body: dict[str, Any]) -> dict[str, Any]:
        scope = {"output": body, "context": {}}
        return {name: one.value(scope) if isinstance(one, inline.Inline) else one for name, one in made.items()}

    return evaluate


def of_definitions(rendered: Rendered, again: Again) -> list[Rule]:
    """A component's `health` section judges its workload."""
    rules = []
    for component in rendered.components:
        if not component.manifests:
            continue
        definition = again.resolve("ComponentDefinition", component.definition.partition("@")[0] or component.type)
        rule = _of_component(definition, component)
        if rule is not None:
            rules.append(rule)
    return rules


def _of_component(definition: Definition, component: RenderedComponent) -> Rule | None:
    if judging.health(definition, component, {"output": None}) is None:
        return None  # no `health` section: the built-in rule of the kind decides
    workload = component.manifests[0].ref.identity
    words = {"healthy": "healthy", "degraded": "failed", "suspended": "suspended"}

    def applies(ref: Ref) -> bool:
        return ref.identity == workload

    def evaluate(body: dict[str, Any]) -> dict[str, Any]:
        state, message = judging.health(definition, component, {"output": body}) or ("progressing", "")
        return {words.get(state, "none"): True, "message": message}

    return Rule(applies, evaluate)
