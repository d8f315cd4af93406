"""The clusters that one delivery concerns: asked who they are, under the names the store knows them by, and the Fleet that
speaks to all of them.

A cluster that does not answer is a value here, not an exception: the others go on, and what was meant for it is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.model.record import changed
from appdelivery.platform import discovered, identity, reaching, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.clusters.credentials import Credentials
    from appdelivery.clusters.fleet import ClusterFleet
    from appdelivery.model.history import Managed
    from appdelivery.model.live import ClusterFacts
    from appdelivery.model.refs import AppKey, Kind
    from appdelivery.platform.local import Platform


@dataclass(slots=True)
class Targets:
    """home: the cluster that is meant where nothing names one.  facts: of those that answer, errors: of the others."""

    home: str
    fleet: ClusterFleet
    verdicts: rules.Verdicts
    credentials: dict[str, Credentials]
    facts: dict[str, ClusterFacts] = field(default_factory=dict)
    errors: dict[str, errors.ClusterError] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return sorted({*self.facts, *self.errors})

    def server(self, name: str) -> str:
        return self.credentials[name].server


async def reach(p: Platform, app: AppKey | None = None, wanted: Iterable[str] = ()) -> Targets:
    """The named clusters; '' or none is the one that the user means.  Clusters in which the application still
    stands can be spoken to beside them.  Raises when no cluster answers."""
    import asyncio

    inventory = p.journal.inventory(app) if app else ()
    names = list(dict.fromkeys(wanted)) or [""]
    reached = {name: reaching.credentials(p, name or _home(p, inventory)) for name in names}
    asked = dict(reached.values())
    others = {place: reaching.credentials(p, place)[1] for place in _elsewhere(p, inventory, asked)}
    found = {**others, **asked}
    verdicts = rules.Verdicts(identity.clock)
    bare = {(row.cluster, row.ref.identity): row.bare for row in inventory if row.bare}
    kept = {name: discovered.read(name, one) for name, one in found.items()}

    def fleet_of() -> ClusterFleet:
        return reaching.fleet(p, found, judge=verdicts.judge, bare=bare, facts=kept)

    home, _ = reached.get("") or reached[names[0]]
    made = Targets(home, fleet_of(), verdicts, found)
    answers = await asyncio.gather(*[_asked(made.fleet, name) for name in asked])
    if all(isinstance(answer, errors.ClusterError) for answer in answers):
        raise next(answer for answer in answers if isinstance(answer, errors.ClusterError))
    renamed = False
    for name, answer in zip(asked, answers, strict=True):
        if isinstance(answer, errors.ClusterError):
            made.errors[name] = answer
            continue
        if kept[name] is None:
            discovered.write(answer, found[name])
        own = reaching.known_as(p, answer, found[name].server)
        if own != name:
            renamed, answer = True, changed(answer, name=own)
            found[own], kept[own] = found.pop(name), answer
            made.home = own if made.home == name else made.home
        made.facts[own] = answer
    if renamed:
        made.fleet = fleet_of()
    _expect_lists(made, inventory)
    return made


def _expect_lists(made: Targets, inventory: Sequence[Managed]) -> None:
    """Next comes a list of each kind that is there, or the question whether the namespace exists."""
    for name in made.facts:
        made.fleet.expect(name, max(1, len({row.ref.of for row in inventory if row.cluster == name})))


async def looked_again(found: Targets, name: str, kinds: Iterable[Kind]) -> None:
    """Facts kept from an earlier command do not know a kind that has come since."""
    if name not in found.facts or all(kind in found.facts[name].served for kind in kinds):
        return
    facts = await found.fleet.facts(name, refresh=True)
    discovered.write(facts, found.credentials[name])
    found.facts[name] = changed(facts, name=name)


async def _asked(fleet: ClusterFleet, name: str) -> ClusterFacts | errors.ClusterError:
    try:
        return await fleet.facts(name)
    except errors.ClusterError as error:
        return error


def _elsewhere(p: Platform, inventory: Sequence[Managed], asked: Iterable[str]) -> list[str]:
    return [place for place in sorted({row.cluster for row in inventory}.difference(asked)) if reaching.known(p, place)]


def _home(p: Platform, inventory: Sequence[Managed]) -> str:
    """The cluster an application stands in already, when none is named and it stands in one."""
    if p.options.cluster:
        return p.options.cluster
    places = {row.cluster for row in inventory}
    if len(places) != 1:
        return ""
    (place,) = places
    return place if reaching.known(p, place) else ""
