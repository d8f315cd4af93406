"""Policy `topology`: a fixed fan-out over registered clusters, by name or by label (oam.md 4.2).

Called by the deploy step, once for all topology policies that it lists.  What a cluster can take, and whether it answers,
is not asked here: every selected cluster gets the whole application, and one that is away catches up when it returns.
Whether another namespace than the application's may be used is the project's right, judged by the caller.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import suggest
from appdelivery.model.problem import Problem
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from appdelivery.model.application import Policy
    from appdelivery.model.problem import Path

TYPE = "topology"
SELECTORS = ("clusterLabelSelector", "clusterSelector")  # the second is the old spelling
CLOSED = ("cordoned", "draining")  # nothing new comes there; what stands there stays and is updated
LOCAL = "local"  # what KubeVela calls the cluster that it runs in


@record
class Registered:
    """What the registry says of a cluster.  admin: what people said, reach: what probes see."""

    name: str
    labels: Mapping[str, str]
    admin: str = "open"  # open, cordoned, draining, forgotten
    reach: str = "ready"  # unknown, ready, unreachable, unauthorized


@record
class Placed:
    cluster: str
    namespace: str = ""  # '' = the application's


def topology(
    policies: Iterable[Policy],
    clusters: Iterable[Registered],
    *,
    default: str,
    standing: Collection[str] = (),
) -> tuple[Placed, ...]:
    """Where the policies put an application, in their order, without doubles; policies of other types are passed over.

    default: the cluster that is meant where nothing names one.  standing: clusters the application stands in already,
    which it does not leave because they are cordoned.  SpecError with every problem, each with its path in the document.
    """
    known = {one.name: one for one in sorted(clusters, key=lambda one: one.name) if one.admin != "forgotten"}
    problems: list[Problem] = []
    found: dict[Placed, None] = {}
    given = [policy for policy in policies if policy.type.partition("@")[0] == TYPE]
    for policy in given:
        namespace = policy.properties.get("namespace") or ""
        names = _of(policy, known, default=default, standing=standing, problems=problems)
        found |= dict.fromkeys([Placed(name, namespace) for name in names])
    if problems:
        raise SpecError(problems)
    return tuple(found) if given else (Placed(default),)


def _of(
    policy: Policy,
    known: Mapping[str, Registered],
    *,
    default: str,
    standing: Collection[str],
    problems: list[Problem],
) -> Sequence[str]:
    given, inside = policy.properties, (*policy.path, "properties")
    if given.get("clusters") is not None:
        return _named(policy, known, standing=standing, problems=problems)
    field = next((name for name in SELECTORS if given.get(name) is not None), "")
    if not field:
        return (default,)
    labels = given[field]
    meant = [one for one in known.values() if labels.items() <= one.labels.items()]
    free = [one.name for one in meant if one.admin not in CLOSED or one.name in standing]
    if not free and not given.get("allowEmpty"):
        problems.append(_selects_nothing((*inside, field), labels, meant, known))
    return free


def _named(
    policy: Policy, known: Mapping[str, Registered], *, standing: Collection[str], problems: list[Problem]
) -> Sequence[str]:
    names: list[str] = policy.properties["clusters"]
    inside: Path = (*policy.path, "properties", "clusters")
    if not names and not policy.properties.get("allowEmpty"):
        message = f"topology '{policy.name}' names no cluster"
        problems.append(Problem(message, code="placement.empty", path=inside, hint=_allow(known)))
    for index, name in enumerate(names):
        if name not in known:
            problems.append(_unknown((*inside, index), name, known))
        elif known[name].admin in CLOSED and name not in standing:
            message = f"cluster '{name}' is {known[name].admin}: nothing new is placed there"
            hint = f"take it out of the policy, or open it again: appctl cluster uncordon {name}"
            problems.append(Problem(message, code="placement.closed", path=(*inside, index), hint=hint))
    return names


def _unknown(path: Path, name: str, known: Mapping[str, Registered]) -> Problem:
    message = f"there is no cluster '{name}'{suggest.meant(name, known)}"
    hint = _registered(known)
    if name == LOCAL:
        hint += f"; for the cluster that is meant without a topology leave clusters out, or register one named {LOCAL}"
    return Problem(message, code="placement.cluster", path=path, hint=hint)


def _registered(known: Mapping[str, Registered]) -> str:
    return f"registered: {', '.join(known)}" if known else "no cluster is registered: appctl cluster add NAME"


def _allow(known: Mapping[str, Registered]) -> str:
    return f"{_registered(known)}; if no cluster is fine too: allowEmpty: true"


def _selects_nothing(
    path: Path, labels: Mapping[str, str], meant: Sequence[Registered], known: Mapping[str, Registered]
) -> Problem:
    wanted = ", ".join([f"{key}={value}" for key, value in labels.items()]) or "every cluster"
    if meant:
        closed = ", ".join([f"{one.name} is {one.admin}" for one in meant])
        message = f"no cluster with {wanted} takes anything new: {closed}"
        return Problem(message, code="placement.closed", path=path, hint="open one again: appctl cluster uncordon NAME")
    have = sorted({f"{key}={value}" for one in known.values() for key, value in one.labels.items()})
    there = f"labels that exist: {', '.join(have)}" if have else "no registered cluster has a label"
    hint = f"{there if known else _registered(known)}; if no cluster is fine too: allowEmpty: true"
    return Problem(f"no cluster has {wanted}", code="placement.empty", path=path, hint=hint)
