"""Verdicts of others on the same objects: the built-in kinds of gitops-engine, a sample of Argo CD's custom resources.

The gates are those of the design (delivery.md 10.1); of counts that it gives for 1,123 cases, the share.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appdelivery.delivery import health
from appdelivery.delivery.health import generic
from appdelivery.delivery.health.conditions import Facts
from appdelivery.model.live import Live
from appdelivery.model.refs import ref_of

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = f"{os.path.dirname(os.path.abspath(__file__))}/corpus"
LATER = datetime(2030, 1, 1, tzinfo=UTC)  # every patience is over
NOT_HEALTHY = 804  # of the design's corpus


@dataclass
class Score:
    exact: float
    ready: float
    false_healthy: list[str]
    not_healthy: int
    wrong: list[str]

    def allowed(self, of_804: int) -> float:
        return of_804 / NOT_HEALTHY * self.not_healthy

    def __str__(self) -> str:
        return (
            f"exact {self.exact:.1%}, ready or not {self.ready:.1%}, "
            f"false healthy {len(self.false_healthy)} of {self.not_healthy}: {', '.join(self.false_healthy)}"
        )


def cases(name: str) -> list[dict[str, Any]]:
    with open(f"{CORPUS}/{name}.json", encoding="utf-8") as file:
        document = json.load(file)
    assert document["license"] == "Apache-2.0"
    assert document["source"]
    return list(document["cases"])


def score(name: str, judge: Callable[[dict[str, Any], datetime], str]) -> Score:
    known = cases(name)
    seen = [(c, judge(c["object"], datetime.fromisoformat(c["now"]) if "now" in c else LATER)) for c in known]
    return Score(
        exact=sum(got == c["want"] for c, got in seen) / len(known),
        ready=sum((got == "healthy") == (c["want"] == "healthy") for c, got in seen) / len(known),
        false_healthy=[c["name"] for c, got in seen if got == "healthy" != c["want"]],
        not_healthy=sum(c["want"] != "healthy" for c in known),
        wrong=[f"{c['name']}: {got}, not {c['want']}" for c, got in seen if got != c["want"]],
    )


def by_all_rules(body: dict[str, Any], now: datetime) -> str:
    return health.judge(Live(ref_of(body), body), now=now).state


def by_the_generic_rule(body: dict[str, Any], now: datetime) -> str:
    facts = Facts(body, now)
    return "progressing" if facts.deleting else generic.judge(facts).state


def test_built_in_kinds_are_judged_as_gitops_engine_judges_them() -> None:
    found = score("gitops-engine", by_all_rules)
    assert found.wrong == []


def test_the_generic_rule_alone_is_mostly_right_on_custom_resources() -> None:
    found = score("argo-cd", by_the_generic_rule)
    assert found.exact >= 0.60, found
    assert found.ready >= 0.82, found
    assert len(found.false_healthy) <= found.allowed(80), found


def test_with_the_table_custom_resources_are_judged_right() -> None:
    found = score("argo-cd", by_all_rules)
    assert found.exact >= 0.85, found
    assert found.ready >= 0.95, found
    assert len(found.false_healthy) <= found.allowed(15), found


def test_the_corpus_is_wide() -> None:
    known = cases("argo-cd")
    kinds = {(ref_of(c["object"]).group, ref_of(c["object"]).kind) for c in known}
    assert len(known) >= 150
    assert len(kinds) >= 40
    states = Counter(c["want"] for c in known)
    assert all(states[state] >= 5 for state in ("healthy", "progressing", "degraded", "suspended")), states
    assert len(cases("gitops-engine")) >= 49
