"""A commit costs more than an apply: what is recorded while answers are on their way waits for them, nothing waits alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from fakes.clock import FakeClock
from fakes.stage import Part, Stage, config

from appdelivery.delivery import recorder
from appdelivery.model.history import Actor, Lease, Release
from appdelivery.model.refs import AppKey
from appdelivery.model.run import WorkKey

APP = AppKey("shop", "web")


class Commits:
    """The journal's `record` alone: when each commit came, and how many facts it held."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.begun = clock.now()
        self.seen: list[tuple[float, int]] = []

    def record(self, _lease: Lease, facts: list[object]) -> int:
        self.seen.append(((self._clock.now() - self.begun).total_seconds(), len(facts)))
        return 1


def recording() -> tuple[recorder.Recorder, Commits, FakeClock]:
    clock = FakeClock()
    commits = Commits(clock)

    async def in_thread(call):
        return call()

    actor = Actor("user", "ana", "cli")
    release = Release("r", APP, 1, 1, "user", actor, "running", datetime(2026, 1, 1, tzinfo=UTC))
    lease = Lease(WorkKey("app", str(APP)), "here", 1, clock.now())
    return recorder.Recorder(commits, lease, release, in_thread, clock.sleep, clock.now), commits, clock


async def answered(one: recorder.Recorder, clock: FakeClock, after: float) -> None:
    """A request that is answered so many seconds from now, and its record."""
    with one.coming():
        await clock.sleep(after)
    await one.record([one.event("object.changed", "x")])


async def test_three_hundred_answers_of_a_second_are_a_dozen_commits() -> None:
    one, commits, clock = recording()
    await asyncio.gather(*[answered(one, clock, 0.003 * n) for n in range(300)])
    assert sum(count for _, count in commits.seen) == 300
    assert len(commits.seen) <= 15


async def test_the_last_answer_waits_for_nobody() -> None:
    one, commits, clock = recording()
    await asyncio.gather(*[answered(one, clock, 0.003 * n) for n in range(300)])
    assert commits.seen[-1][0] <= 0.003 * 299 + 0.001


async def test_an_answer_waits_a_fifth_of_a_second_at_most() -> None:
    one, commits, clock = recording()
    slow = [asyncio.create_task(answered(one, clock, 60.0)) for _ in range(50)]
    for _ in range(recorder.BURST):
        await one.record([one.event("x", "x")])
    await one.record([one.event("x", "x")])
    assert commits.seen[-1][0] <= recorder.PACE_S + 0.001
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_whoever_starts_at_the_same_moment_shares_the_first_commit() -> None:
    one, commits, _ = recording()
    await asyncio.gather(*[one.alone([one.event("x", "x")]) for _ in range(20)])
    assert [count for _, count in commits.seen] == [20]


async def test_a_large_application_is_recorded_in_few_calls() -> None:
    stage = Stage()
    await stage.deliver(Part("web", [config(f"c{n}") for n in range(100)]))
    assert stage.journal.calls.count("record") <= 12
    stage.journal.calls.clear()
    await stage.delete(Part("web", [config(f"c{n}") for n in range(100)]))
    assert stage.journal.calls.count("record") <= 12
