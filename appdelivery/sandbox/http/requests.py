"""`Request`: one request as the rest of the room sees it; `RequestLog`: the last ones, in order.

Fault rules look at requests, tests and `appctl sandbox status` at the log.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from urllib.parse import parse_qsl

from appdelivery.sandbox.http import routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from appdelivery.sandbox.http.access import Identity
    from appdelivery.sandbox.kinds import Kind, Kinds

KEPT = 5_000
LONGEST_MANAGER = 128


@dataclass(slots=True)
class Request:
    """verb: as in access rules; "" for methods that have none.  kind None: no resource, or none that is served.

    token: as it was sent, "" without.  received and status are filled in as the request is served.
    """

    method: str
    path: str
    query: Mapping[str, str]
    place: routes.Place
    kind: Kind | None
    token: str
    accept: str = ""
    content_type: str = ""
    agent: str = ""
    condition: str = ""  # If-None-Match
    host: str = ""
    impersonated: tuple[tuple[str, str], ...] = ()  # header and value
    identity: Identity | None = None
    received: int = 0
    status: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        return self.place.verb

    @property
    def namespace(self) -> str:
        return self.place.namespace

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def subresource(self) -> str:
        return self.place.subresource

    @property
    def key(self) -> tuple[str, str]:
        """Where the named object is stored."""
        namespaced = self.kind is not None and self.kind.namespaced
        return (self.place.namespace if namespaced else "", self.place.name)

    @property
    def user(self) -> str:
        return self.identity.user if self.identity else ""

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    @property
    def manager(self) -> str:
        """The field manager: as asked for, else what the client calls itself."""
        asked = self.query.get("fieldManager")
        if asked:
            return asked
        name = self.agent.partition("/")[0].encode()[:LONGEST_MANAGER].decode(errors="ignore")
        return "".join([c for c in name if c.isprintable()])

    def flag(self, name: str) -> bool:
        """A boolean parameter: present means true unless it says otherwise."""
        return name in self.query and self.query[name] not in ("false", "0")

    def summary(self) -> dict[str, Any]:
        """What the log tells."""
        return {
            "method": self.method, "verb": self.verb, "path": self.path, "query": dict(self.query), "user": self.user,
            "manager": self.manager, "dryRun": self.dry_run, "bytes": self.received, "status": self.status,
        }  # fmt: skip


def read(scope: Mapping[str, Any], kinds: Kinds) -> Request:
    """The request of an ASGI scope."""
    given: dict[bytes, str] = {}
    impersonated = []
    for key, value in scope["headers"]:
        if key.startswith(b"impersonate-"):
            impersonated.append((key.decode("latin-1"), value.decode("latin-1")))
        elif key in given and key == b"accept":
            given[key] += "," + value.decode("latin-1")
        else:
            given[key] = value.decode("latin-1")
    text = scope["query_string"]
    query: dict[str, str] = {}
    if text:
        for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True):
            query.setdefault(name, value)
    method = scope["method"]
    place = routes.place(method, scope["path"], query)
    scheme, _, token = given.get(b"authorization", "").partition(" ")
    return Request(
        method=method,
        path=scope["path"],
        query=query,
        place=place,
        kind=kinds.at(place.group, place.version, place.plural) if place.plural else None,
        token=sys.intern(token.strip()) if scheme.lower() == "bearer" else "",
        accept=sys.intern(given.get(b"accept", "")),
        content_type=sys.intern(given.get(b"content-type", "")),
        agent=sys.intern(given.get(b"user-agent", "")),
        condition=given.get(b"if-none-match", ""),
        host=given.get(b"host", ""),
        impersonated=tuple(impersonated),
    )


class RequestLog:
    """The last requests, oldest first; health checks and the control route are not in it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._requests: deque[Request] = deque(maxlen=kept)
        self.total = 0

    def add(self, request: Request) -> None:
        self._requests.append(request)
        self.total += 1

    def clear(self) -> None:
        self._requests.clear()

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)
