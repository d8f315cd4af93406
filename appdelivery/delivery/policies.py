"""The policies that delivery carries out, read once from the Application: health, conflict, drift, take-over, read-only,
garbage-collect.  Their structure was checked when the Application was read; what is here gives them their meaning.

In every rule list the first matching rule wins; the rules of several policies of one type follow each other in order.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from appdelivery.delivery import paths
from appdelivery.delivery.health.rule import Rule
from appdelivery.model import duration, marks
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.model.application import Policy
    from appdelivery.model.refs import Ref

    Evaluate = Callable[[dict[str, Any]], dict[str, Any]]
    Compile = Callable[[Mapping[str, Any]], Evaluate]  # expressions of a health rule to a function of a live body


@record
class Selector:
    """Lists are ANDed, the values of one ORed; names may hold an anchored `*`."""

    components: tuple[str, ...] = ()
    component_types: tuple[str, ...] = ()
    resource_roles: tuple[str, ...] = ()  # WORKLOAD, TRAIT
    trait_types: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def matches(self, desired: Desired) -> bool:
        labels = desired.body["metadata"].get("labels") or {}
        pairs = (
            (self.components, desired.subject.component),
            (self.component_types, desired.component_type),
            (self.resource_roles, str(labels.get(marks.RESOURCE_TYPE, ""))),
            (self.trait_types, desired.origin.trait),
            (self.kinds, desired.subject.ref.kind),
            (self.names, desired.subject.ref.name),
        )
        return any(wanted for wanted, _ in pairs) and all(
            any(fnmatch.fnmatchcase(value, glob) for glob in wanted) for wanted, value in pairs if wanted
        )


@record
class HealthRule:
    selector: Selector
    expressions: Mapping[str, Any]  # healthy, failed, suspended, message
    wait: str = ""


@record
class Patience:
    """When waiting ends; seconds."""

    deadline: float = 900.0
    no_activity: float = 240.0
    error_budget: float = 1.0
    rules: tuple[HealthRule, ...] = ()


@record
class ConflictRule:
    do: str  # yield, force, fail
    selector: Selector | None = None  # None = every object
    paths: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()

    def matches(self, desired: Desired, path: str, manager: str) -> bool:
        return (
            (self.selector is None or self.selector.matches(desired))
            and (not self.paths or any(paths.covers(pattern, path) for pattern in self.paths))
            and (not self.managers or any(fnmatch.fnmatchcase(manager, glob) for glob in self.managers))
        )


@record
class DriftRule:
    mode: str  # off, observe, heal
    selector: Selector | None = None
    paths: tuple[str, ...] = ()


@record
class CollectRule:
    selector: Selector
    strategy: str = "onAppUpdate"  # onAppUpdate, onAppDelete, never
    propagation: str = ""  # orphan, cascading, '' = by kind


@record
class Policies:
    patience: Patience = Patience()
    conflict: tuple[ConflictRule, ...] = ()
    drift_mode: str = "observe"
    drift: tuple[DriftRule, ...] = ()
    take_over: tuple[Selector, ...] = ()
    read_only: tuple[Selector, ...] = ()
    collect: tuple[CollectRule, ...] = ()
    keep_legacy: bool = False
    continue_on_failure: bool = False

    def collects(self, desired: Desired) -> CollectRule | None:
        return next((rule for rule in self.collect if rule.selector.matches(desired)), None)

    def is_read_only(self, desired: Desired) -> bool:
        return any(selector.matches(desired) for selector in self.read_only)

    def takes_over(self, desired: Desired) -> bool:
        return any(selector.matches(desired) for selector in self.take_over)

    def drift_of(self, desired: Desired, path: str) -> str:
        """off or observe: what is done about a drifted field.  `path` as the API server writes it."""
        for rule in self.drift:
            if (rule.selector is None or rule.selector.matches(desired)) and (
                not rule.paths or any(paths.covers(pattern, path) for pattern in rule.paths)
            ):
                return rule.mode
        return self.drift_mode

    def selectors(self) -> list[tuple[str, Selector]]:
        """Every selector with what it belongs to, for the warning about those that match nothing."""
        named: list[tuple[str, Selector | None]] = [("health", rule.selector) for rule in self.patience.rules]
        named += [("conflict", rule.selector) for rule in self.conflict] + [("drift", rule.selector) for rule in self.drift]
        named += [("take-over", one) for one in self.take_over] + [("read-only", one) for one in self.read_only]
        named += [("garbage-collect", rule.selector) for rule in self.collect]
        return [(name, selector) for name, selector in named if selector is not None]


def read(given: Iterable[Policy]) -> Policies:
    """Policies of other types act elsewhere and are passed over."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for policy in given:
        by_type.setdefault(policy.type.partition("@")[0], []).append(policy.properties or {})
    drift = (by_type.get("drift") or [{}])[0]
    collect = (by_type.get("garbage-collect") or [{}])[0]
    return Policies(
        patience=_patience(by_type.get("health", [])),
        conflict=tuple([_conflict(rule) for rule in _rules(by_type.get("conflict", []))]),
        drift_mode=str(drift.get("mode") or "observe"),
        drift=tuple([_drift(rule) for rule in drift.get("rules") or ()]),
        take_over=tuple([selector(rule.get("selector")) for rule in _rules(by_type.get("take-over", []))]),
        read_only=tuple([selector(rule.get("selector")) for rule in _rules(by_type.get("read-only", []))]),
        collect=tuple([_collect(rule) for rule in collect.get("rules") or ()]),
        keep_legacy=bool(collect.get("keepLegacyResource")),
        continue_on_failure=bool(collect.get("continueOnFailure")),
    )


def selector(tree: Mapping[str, Any] | None) -> Selector:
    given = tree or {}
    fields = ("componentNames", "componentTypes", "oamTypes", "traitTypes", "resourceTypes", "resourceNames")
    return Selector(*[tuple(given.get(field) or ()) for field in fields])


def health_rules(policies: Policies, desired: Sequence[Desired], compile: Compile) -> tuple[Rule, ...]:
    """The rules of policy `health` in the form that the judge and the wait classes understand."""
    return tuple([_health_rule(rule, desired, compile) for rule in policies.patience.rules])


def unmatched(policies: Policies, desired: Sequence[Desired]) -> list[str]:
    """Warnings: a rule that matches no object is most likely a typo."""
    return [
        f"a rule of policy {name} matches no object of the application: {_shown(one)}"
        for name, one in policies.selectors()
        if not any(one.matches(item) for item in desired)
    ]


def _health_rule(rule: HealthRule, desired: Sequence[Desired], compile: Compile) -> Rule:
    meant = frozenset([item.subject.ref.identity for item in desired if rule.selector.matches(item)])

    def applies(ref: Ref) -> bool:
        return ref.identity in meant

    evaluate = compile(rule.expressions) if rule.expressions else None
    return Rule(applies, evaluate, rule.wait)


def _rules(properties: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for one in properties for rule in one.get("rules") or ()]


def _patience(given: list[dict[str, Any]]) -> Patience:
    """Of several health policies the first that says a limit sets it."""
    default = Patience()

    def limit(name: str, usual: float) -> float:
        value = next((one[name] for one in given if one.get(name) is not None), None)
        return usual if value is None else duration.parse(value) if isinstance(value, str) else float(value)

    return Patience(
        deadline=limit("deadline", default.deadline),
        no_activity=limit("noActivity", default.no_activity),
        error_budget=limit("errorBudget", default.error_budget),
        rules=tuple([_health(rule) for rule in _rules(given)]),
    )


def _health(rule: dict[str, Any]) -> HealthRule:
    expressions: dict[str, Any] = {
        name: rule[name] for name in ("healthy", "failed", "suspended", "message") if name in rule
    }
    return HealthRule(selector(rule.get("selector")), expressions, str(rule.get("wait") or ""))


def _conflict(rule: dict[str, Any]) -> ConflictRule:
    chosen = selector(rule["selector"]) if rule.get("selector") else None
    return ConflictRule(rule["do"], chosen, tuple(rule.get("paths") or ()), tuple(rule.get("managers") or ()))


def _drift(rule: dict[str, Any]) -> DriftRule:
    chosen = selector(rule["selector"]) if rule.get("selector") else None
    return DriftRule(str(rule.get("mode") or "observe"), chosen, tuple(rule.get("paths") or ()))


def _collect(rule: dict[str, Any]) -> CollectRule:
    return CollectRule(
        selector(rule.get("selector")), str(rule.get("strategy") or "onAppUpdate"), str(rule.get("propagation") or "")
    )


def _shown(one: Selector) -> str:
    fields = ("components", "component_types", "resource_roles", "trait_types", "kinds", "names")
    return ", ".join([f"{field.replace('_', ' ')} {'|'.join(found)}" for field in fields if (found := getattr(one, field))])
