"""`Rule`: which requests something is to go wrong with, and what.  Pure; the rule set counts and throws the dice."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.faults.plan import Asked
    from appdelivery.sandbox.kinds import Kind


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule may do.  value: what its number means, "" = it takes none; verbs: () = any; whole: the cluster has it
    as long as the rule stands, whoever asks."""

    text: str
    value: str = ""
    verbs: tuple[str, ...] = ()
    not_verbs: tuple[str, ...] = ()
    whole: bool = False


READS = ("get", "list")
WATCH = ("watch",)
ACTIONS: dict[str, Action] = {
    "delay": Action("answers so many seconds later", "seconds"),
    "status": Action("refuses with this HTTP status", "code"),
    "throttle": Action("refuses with 429 and this Retry-After", "seconds"),
    "reset": Action("ends the connection before the request takes effect"),
    "reset-after": Action("ends the connection after the request took effect, without an answer", not_verbs=WATCH),
    "truncate": Action("ends the connection in the middle of the answer", not_verbs=WATCH),
    "stale": Action("answers as things stood so many changes ago", "changes", READS),
    "stall": Action("opens a watch and never sends anything", verbs=WATCH),
    "expire": Action("ends a watch with 410", verbs=WATCH),
    "duplicate": Action("sends every event of a watch twice", verbs=WATCH),
    "reorder": Action("swaps neighbouring events of a watch", verbs=WATCH),
    "partition": Action("cuts the whole cluster off, open connections too", whole=True),
    "login": Action("refuses every token with 401 until `appctl sandbox kubeconfig --login`", whole=True),
    "skew": Action("sets the cluster's clock so many seconds ahead of the wall", "seconds", whole=True),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """cluster, namespace, name and each of kinds are globs.  verbs and kinds: () = any, discovery and health too.

    kinds match the plural, the plural with group, or the kind: deployments, deployments.apps, Deployment.
    subresource: "*" = with and without.  count: how many requests it strikes, None = all.  probability: of each.
    """

    do: str
    value: float = 0.0
    id: str = ""
    cluster: str = "*"
    verbs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    namespace: str = "*"
    name: str = "*"
    subresource: str = "*"
    count: int | None = None
    probability: float = 1.0
    seed: int = 0

    @property
    def action(self) -> Action:
        return ACTIONS[self.do]

    def of(self, cluster: str) -> bool:
        return fnmatch.fnmatchcase(cluster, self.cluster)

    def matches(self, request: Asked) -> bool:
        """Whether the request is one of those that are meant; the cluster has been looked at."""
        action = self.action
        return (
            (not self.verbs or request.verb in self.verbs)
            and (not action.verbs or request.verb in action.verbs)
            and request.verb not in action.not_verbs
            and (not self.kinds or (request.kind is not None and self._is_kind(request.kind)))
            and fnmatch.fnmatchcase(request.namespace, self.namespace)
            and fnmatch.fnmatchcase(request.name, self.name)
            and fnmatch.fnmatchcase(request.subresource, self.subresource)
        )

    def _is_kind(self, kind: Kind) -> bool:
        names = {kind.plural.lower(), kind.qualified.lower(), kind.kind.lower()}
        return any(fnmatch.fnmatchcase(name, wanted.lower()) for wanted in self.kinds for name in names)
