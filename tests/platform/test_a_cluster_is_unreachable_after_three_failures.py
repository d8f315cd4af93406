"""The arithmetic of probes: what three failures in 90 seconds mean, when the next probe is due, what is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery.model import reach

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def after(*steps: tuple[float, str], begin: reach.Reach | None = None) -> reach.Reach:
    """(seconds since the last step, what was seen)."""
    state, now = begin or reach.Reach(), NOW
    for seconds, seen in steps:
        now += timedelta(seconds=seconds)
        state = reach.after(state, seen, now, reason="" if seen == "ready" else seen)
    return state


def test_one_answer_makes_a_cluster_ready_at_once() -> None:
    lost = after(*[(30, "unreachable")] * 5)
    assert lost.state == "unreachable"
    back = after((30, "ready"), begin=lost)
    assert (back.state, back.reason, back.failures, back.failed_at) == ("ready", "", 0, ())


def test_two_failures_leave_a_cluster_ready_and_the_third_does_not() -> None:
    ready = after((0, "ready"))
    two = after((30, "unreachable"), (30, "unreachable"), begin=ready)
    assert (two.state, two.failures, two.reason) == ("ready", 2, "unreachable")
    assert after((30, "unreachable"), (30, "unreachable"), (30, "unreachable"), begin=ready).state == "unreachable"


def test_failures_that_lie_far_apart_do_not_add_up() -> None:
    ready = after((0, "ready"))
    assert after(*[(46, "unreachable")] * 9, begin=ready).state == "ready"
    assert after(*[(45, "unreachable")] * 3, begin=ready).state == "unreachable"


def test_who_is_not_let_in_is_unauthorized_at_once_and_not_unreachable() -> None:
    found = after((0, "ready"), (30, "unreachable"), (30, "unauthorized"))
    assert (found.state, found.failures) == ("unauthorized", 0)
    # A cluster that then stops answering is only called unreachable after three failures.
    assert after((30, "unreachable"), (30, "unreachable"), begin=found).state == "unauthorized"


def test_a_state_keeps_the_time_at_which_it_began() -> None:
    ready = after((0, "ready"))
    assert after((30, "ready"), (30, "ready"), begin=ready).since == ready.since
    lost = after(*[(30, "unreachable")] * 3, begin=ready)
    assert lost.since is not None
    assert lost.since > NOW
    assert after((30, "unreachable"), begin=lost).since == lost.since


def test_a_cluster_that_stays_away_is_asked_less_and_less_often() -> None:
    pauses = [reach.pause(after(*[(30, "unreachable")] * count)) for count in range(1, 9)]
    assert pauses == [30, 30, 30, 60, 120, 240, 300, 300]
    assert reach.pause(after((0, "ready"))) == 30
    assert reach.pause(after((0, "unauthorized"))) == 60


@given(st.lists(st.tuples(st.floats(0, 400), st.sampled_from(["ready", "unreachable", "unauthorized"])), max_size=30))
def test_unreachable_always_stands_on_three_failures_within_ninety_seconds(steps: list[tuple[float, str]]) -> None:
    now, times, state = NOW, [], reach.Reach()
    for seconds, seen in steps:
        now += timedelta(seconds=seconds)
        before, state = state, reach.after(state, seen, now, reason="why")
        times = [*times, now] if seen == "unreachable" else []
        if state.state == "unreachable" and before.state != "unreachable":
            assert times[-1] - times[-3] <= timedelta(seconds=90)
        if seen != "unreachable":
            assert state.state == seen
        assert state.failures == len(times)
        assert len(state.failed_at) <= 3
        assert 30 <= reach.pause(state) <= 300


@pytest.mark.parametrize(
    ("admin", "seen", "shown"),
    [
        ("open", "ready", "ready"),
        ("open", "unknown", "unknown"),
        ("open", "unauthorized", "unauthorized"),
        ("cordoned", "ready", "cordoned"),
        ("cordoned", "unknown", "cordoned"),
        ("cordoned", "unreachable", "unreachable"),
        ("draining", "unauthorized", "unauthorized"),
        ("draining", "ready", "draining"),
        ("forgotten", "unreachable", "forgotten"),
    ],
)
def test_the_worse_of_what_people_say_and_probes_see_is_shown(admin: str, seen: str, shown: str) -> None:
    assert reach.shown(admin, seen) == shown
