"""`Plan`: what is to go wrong with one request.  The fault rules make it, the application around the protocol carries it out.

The parts are independent and may come together: a delay, then an end before anything happened, else the work, then
an end after it took effect.  `plan` of a rule set answers None for a request that nothing is to happen to.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, Protocol

    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.status import Refusal

    Before = Refusal | Literal["reset"] | None
    After = Literal["reset", "truncate"] | None
    Watch = Literal["stall", "expired", "duplicate", "reorder"] | None

    class Asked(Protocol):
        """What rules look at; the request of the protocol room has it all."""

        @property
        def verb(self) -> str: ...  # as in access rules: get, list, watch, create, update, patch, delete, deletecollection
        @property
        def kind(self) -> Kind | None: ...  # None = discovery, health, version
        @property
        def namespace(self) -> str: ...
        @property
        def name(self) -> str: ...
        @property
        def subresource(self) -> str: ...
        @property
        def token(self) -> str: ...  # the bearer token as it was sent, "" without

    class Planner(Protocol):
        """What the application asks, once for every request, before it does anything."""

        def plan(self, request: Asked) -> Plan | None: ...


ABORT = "appdelivery.abort"
"""scope["extensions"][ABORT]() ends the connection at once, without an answer or in the middle of it; what the response has
sent before still goes out.  The listener offers it; callers in process may, and see `Aborted` raised otherwise."""


class Aborted(Exception):
    """A connection that ended by a fault, where nobody offered to end it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """delay: wall seconds before anything else.

    before: a refusal to answer with instead of working, or "reset": the connection ends without an answer; the request
    took no effect.  after: the work is done and committed, then the connection ends without an answer ("reset") or
    after half of the body, with the length of the whole announced ("truncate").

    stale: a get or list is answered as things stood so many revisions ago, as far as the history of the collection
    reaches (resourceVersion and all), unless the request asks for a version that is at least newer.

    watch, of watch requests: "stall" opens the stream and never sends anything, bookmarks neither, until the client goes or
    its timeout passes; "expired" sends an ERROR event with a 410 Status and ends the stream; "duplicate" sends every event
    twice; "reorder" holds back every second event and sends it after the next one (or after a second without a next one);
    bookmarks stay where they were.
    """

    delay: float = 0.0
    before: Before = None
    after: After = None
    stale: int = 0
    watch: Watch = None
