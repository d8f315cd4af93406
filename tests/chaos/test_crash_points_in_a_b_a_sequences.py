"""A-B-A: random sequences of desired sets over three clusters, stopped anywhere, overtaken by newer releases (delivery.md 9)."""

from __future__ import annotations

import asyncio

import pytest
import support
from fakes.crash import Crash
from fakes.stage import Part, Stage, config, deployment, ref
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from appdelivery.delivery import consent as consents
from appdelivery.model import marks

CLUSTERS = ("one", "two", "three")
NAMES = ("a", "b", "c", "d")
CONSENT = consents.Consent(allow_deletes=100)
FOREIGN = config("foreign", whose="somebody's")

# name to clusters; what happens: at which call, before or after it, killed or overtaken by the next set
sets = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(CLUSTERS), min_size=1), max_size=4)
stops = st.tuples(st.integers(0, 90), st.booleans(), st.sampled_from(("killed", "overtaken")), st.booleans())
sequences = st.lists(st.tuples(sets, stops), min_size=2, max_size=6)


def parts(wanted):
    return [
        Part(name, [deployment(name) if name == "a" else config(name)], clusters=tuple(sorted(places)))
        for name, places in sorted(wanted.items())
    ]


def identities(wanted):
    return at(parts(wanted))


def at(found):
    return {(place, ref(body).identity) for part in found for place in part.clusters for body in part.bodies}


class Witness:
    """Notes every deletion of what the two newest releases of that moment both want."""

    def __init__(self, stage):
        self.stage, self.wrong = stage, []
        for name, world in stage.fleet.worlds.items():
            world.listeners.append(lambda seen, name=name: self.saw(name, *seen))

    def saw(self, cluster, what, body):
        journal = self.stage.journal.state
        newest = [journal.requests[r.app, r.number] for r in journal.releases.get(self.stage.app, ())][-2:]
        place = cluster, ref(body).identity
        if what == "gone" and all(place in at(request.options["parts"]) for request in newest):
            self.wrong.append((place, len(journal.releases[self.stage.app])))


async def overtake(stage, wanted):
    """Another process opens a newer release while an older run is under way."""
    made, want, _ = await stage.planned(*parts(wanted), consent=CONSENT)
    stage.open(parts(wanted), made, want, consent=CONSENT)


async def play(sequence):
    stage = Stage(clusters=CLUSTERS)
    for cluster in CLUSTERS:
        stage.fleet.foreign(FOREIGN, cluster=cluster)
    witness = Witness(stage)
    index = 0
    while index < len(sequence):
        wanted, (call, after, how, goes_on) = sequence[index]
        index += 1
        if how == "overtaken" and call and index < len(sequence):
            newer = sequence[index][0]
            index += 1
            stage.crash.interrupt(call, lambda newer=newer: overtake(stage, newer))
        elif call:
            stage.crash.kill(call, after=after)
        try:
            await stage.deliver(*parts(wanted), consent=CONSENT)
        except Crash:
            pass
        stage.crash.revive()
        if goes_on:
            await stage.resume()
    await stage.deliver(*parts(sequence[-1][0]), consent=CONSENT)
    return stage, witness


def holds(stage, witness, last):
    assert witness.wrong == [], "an object that consecutive releases want was deleted"
    wanted = identities(last)
    live = set()
    for cluster, world in stage.fleet.worlds.items():
        for identity, body in world.objects.items():
            if marks.OWNER in (body["metadata"].get("annotations") or {}):
                live.add((cluster, identity))
        foreign = stage.live(FOREIGN, cluster)
        assert foreign["data"] == FOREIGN["data"]
        assert [entry["manager"] for entry in foreign["metadata"]["managedFields"]] == ["kubectl-create"]
    assert live == wanted
    assert set(stage.rows) == wanted, "rows and objects differ"
    assert stage.newest.outcome == "succeeded", stage.newest.message
    assert [r.outcome for r in stage.journal.state.releases[stage.app]].count("running") == 0


@pytest.mark.slow
# Shrinking such a sequence takes minutes and helps little: the example that failed is printed as it is.
@settings(max_examples=support.examples(40), phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(sequences)
@example(
    [
        ({"a": {"one"}}, (0, False, "killed", False)),
        ({"b": {"one"}}, (25, False, "overtaken", True)),
        ({"a": {"one"}}, (0, False, "killed", True)),
    ]
)
def test_nothing_that_is_wanted_is_ever_deleted(sequence):
    stage, witness = asyncio.run(play(sequence))
    holds(stage, witness, sequence[-1][0])


@pytest.mark.slow
def test_v1_v2_v1_stopped_and_overtaken_at_every_call_keeps_what_v1_wants():
    one, two = {"a": {"one"}, "b": {"one", "two"}}, {"c": {"one"}, "b": {"two"}}
    for how in ("killed", "overtaken"):
        for call in range(1, 60):
            sequence = [
                (one, (0, False, "killed", True)),
                (two, (call, True, how, False)),
                (one, (0, False, "killed", True)),
            ]
            stage, witness = asyncio.run(play(sequence))
            holds(stage, witness, one)
