"""The policies that delivery carries out, read once from the Application: health, conflict, drift, take-over, read-only,
shared-resource, apply-once, resource-update, labels, garbage-collect.  Their structure was checked when the Application
was read; what is here gives them their meaning.

In every rule list the first matching rule wins; the rules of several policies of one type follow each other in order.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from appdelivery.delivery import paths
from appdelivery.delivery import selector as selecting
from appdelivery.delivery.health.rule import Rule
from appdelivery.delivery.selector import Selector
from appdelivery.model import duration
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.model.application import Policy
    from appdelivery.model.history import Managed
    from appdelivery.model.refs import Ref

    Evaluate = Callable[[dict[str, Any]], dict[str, Any]]
    Compile = Callable[[Mapping[str, Any]], Evaluate]  # expressions of a health rule to a function of a live body


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
class OnceRule:
    """Fields that are ours to set once: afterwards the live value counts."""

    affect: str  # onUpdate, onStateKeep, always
    paths: tuple[str, ...]
    selector: Selector | None = None

    @property
    def on_update(self) -> bool:
        return self.affect in ("onUpdate", "always")

    @property
    def on_drift(self) -> bool:
        return self.affect in ("onStateKeep", "always")


@record
class UpdateRule:
    selector: Selector
    op: str = "patch"  # patch (server-side apply), replace (PUT: fields that we do not render go)
    recreate_fields: tuple[str, ...] = ()  # a change in one of these means delete and create


@record
class LabelRule:
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    selector: Selector | None = None


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
    once: tuple[OnceRule, ...] = ()
    shared: tuple[Selector, ...] = ()
    update: tuple[UpdateRule, ...] = ()
    labels: tuple[LabelRule, ...] = ()

    def collects(self, desired: Desired) -> CollectRule | None:
        return next((rule for rule in self.collect if rule.selector.matches(desired)), None)

    def collects_row(self, row: Managed) -> CollectRule | None:
        """The rule for an object that is wanted no more, so that a rule written now counts too."""
        return next((rule for rule in self.collect if rule.selector.matches_row(row)), None)

    def is_shared(self, desired: Desired) -> bool:
        return any(one.matches(desired) for one in self.shared)

    def once_of(self, desired: Desired) -> OnceRule | None:
        return next((rule for rule in self.once if rule.selector is None or rule.selector.matches(desired)), None)

    def update_of(self, desired: Desired) -> UpdateRule | None:
        return next((rule for rule in self.update if rule.selector.matches(desired)), None)

    def marks_of(self, desired: Desired) -> tuple[dict[str, str], dict[str, str]]:
        """Labels and annotations that policies add to an object; of two the later wins."""
        labels: dict[str, str] = {}
        annotations: dict[str, str] = {}
        for rule in self.labels:
            if rule.selector is None or rule.selector.matches(desired):
                labels |= rule.labels
                annotations |= rule.annotations
        return labels, annotations

    def is_read_only(self, desired: Desired) -> bool:
        return any(selector.matches(desired) for selector in self.read_only)

    def takes_over(self, desired: Desired) -> bool:
        return any(selector.matches(desired) for selector in self.take_over)

    def drift_of(self, desired: Desired, path: str) -> str:
        """off, observe or heal: what is done about a drifted field.  `path` as the API server writes it, '' = all of it."""
        mode = self._drift_of(desired, path)
        once = self.once_of(desired) if mode == "heal" else None
        if once is not None and once.on_drift and any(paths.covers(pattern, path, any_index=True) for pattern in once.paths):
            return "observe"
        return mode

    def _drift_of(self, desired: Desired, path: str) -> str:
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
        named += [("apply-once", rule.selector) for rule in self.once] + [("labels", rule.selector) for rule in self.labels]
        named += [("shared-resource", one) for one in self.shared]
        named += [("resource-update", rule.selector) for rule in self.update]
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
        take_over=tuple([selecting.read(rule.get("selector")) for rule in _rules(by_type.get("take-over", []))]),
        read_only=tuple([selecting.read(rule.get("selector")) for rule in _rules(by_type.get("read-only", []))]),
        collect=tuple([_collect(rule) for rule in collect.get("rules") or ()]),
        keep_legacy=bool(collect.get("keepLegacyResource")),
        continue_on_failure=bool(collect.get("continueOnFailure")),
        once=_once((by_type.get("apply-once") or [{"enable": False}])[0]),
        shared=tuple([selecting.read(rule.get("selector")) for rule in _rules(by_type.get("shared-resource", []))]),
        update=tuple([_update(rule) for rule in _rules(by_type.get("resource-update", []))]),
        labels=tuple([_labels(one) for one in by_type.get("labels", [])]),
    )


def health_rules(policies: Policies, desired: Sequence[Desired], compile: Compile) -> tuple[Rule, ...]:
    """The rules of policy `health` in the form that the judge and the wait classes understand."""
    return tuple([_health_rule(rule, desired, compile) for rule in policies.patience.rules])


def unmatched(policies: Policies, desired: Sequence[Desired]) -> list[str]:
    """Warnings: a rule that matches no object is most likely a typo."""
    return [
        f"a rule of policy {name} matches no object of the application: {one}"
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
    return HealthRule(selecting.read(rule.get("selector")), expressions, str(rule.get("wait") or ""))


def _conflict(rule: dict[str, Any]) -> ConflictRule:
    chosen = selecting.read(rule["selector"]) if rule.get("selector") else None
    return ConflictRule(rule["do"], chosen, tuple(rule.get("paths") or ()), tuple(rule.get("managers") or ()))


def _drift(rule: dict[str, Any]) -> DriftRule:
    chosen = selecting.read(rule["selector"]) if rule.get("selector") else None
    return DriftRule(str(rule.get("mode") or "observe"), chosen, tuple(rule.get("paths") or ()))


def _collect(rule: dict[str, Any]) -> CollectRule:
    return CollectRule(
        selecting.read(rule.get("selector")), str(rule.get("strategy") or "onAppUpdate"), str(rule.get("propagation") or "")
    )


EVERYTHING = "/"


def _once(given: dict[str, Any]) -> tuple[OnceRule, ...]:
    """Without rules the whole application is meant."""
    if not given.get("enable", True):
        return ()
    rules = given.get("rules") or ()
    return tuple([_once_rule(rule) for rule in rules]) if rules else (OnceRule("always", (EVERYTHING,)),)


def _once_rule(rule: dict[str, Any]) -> OnceRule:
    strategy = rule.get("strategy") or {}
    found = tuple([paths.written(one) for one in strategy.get("path") or ("*",)])
    return OnceRule(strategy.get("affect") or "always", found, _some(rule.get("selector")))


def _update(rule: dict[str, Any]) -> UpdateRule:
    strategy = rule.get("strategy") or {}
    fields = tuple([paths.written(one) for one in strategy.get("recreateFields") or ()])
    return UpdateRule(selecting.read(rule.get("selector")), str(strategy.get("op") or "patch"), fields)


def _labels(given: dict[str, Any]) -> LabelRule:
    return LabelRule(given.get("labels") or {}, given.get("annotations") or {}, _some(given.get("selector")))


def _some(tree: dict[str, Any] | None) -> Selector | None:
    return selecting.read(tree) if tree else None
