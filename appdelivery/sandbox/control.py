"""The control route: what a running sandbox is told and asked beside the protocol, by `appctl sandbox`, tests and scripts.

Mounted at /sandbox/control of every cluster's listener, for the administrator's token only, and never struck by faults.
What concerns one cluster is chosen with ?cluster=GLOB; without it a request is for all of them.  Bodies are JSON.
"""

from __future__ import annotations

import fnmatch
import json

from appdelivery.sandbox import status
from appdelivery.sandbox.faults import reading
from appdelivery.sandbox.http import access as accesses
from appdelivery.sandbox.member import bearer
from appdelivery.sandbox.traffic import script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from appdelivery.sandbox.member import Member

    class Controlled(Protocol):
        """The running sandbox."""

        members: list[Member]

        def set_speed(self, speed: float) -> None: ...
        def reset(self) -> None: ...
        def login(self) -> str: ...
        def stop(self) -> None: ...
        def shown(self) -> dict[str, Any]: ...

    Tree = Any
    Handler = Callable[["Control", "Asked"], Tree]

PREFIX = "/sandbox/control"
LARGEST = 16 << 20
DESCRIPTION = {"loads": script.load, "behaviours": script.behaviour, "answers": script.answer}


class Asked:
    """rest: the path below the resource; body: the parsed JSON, None without."""

    __slots__ = ("body", "members", "method", "rest")

    def __init__(self, method: str, rest: str, members: list[Member], body: Tree) -> None:
        self.method = method
        self.rest = rest
        self.members = members
        self.body = body

    def field(self, name: str) -> Any:
        if not isinstance(self.body, dict) or name not in self.body:
            raise status.bad_request(f"the body has no {name}")
        return self.body[name]


class Control:
    """An ASGI application."""

    def __init__(self, sandbox: Controlled) -> None:
        self.sandbox = sandbox

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            self._admit(bearer(scope))
            body = await _body(receive)
            code, answer = 200, self._handle(scope, body)
        except status.Refusal as refusal:
            code, answer = refusal.code, refusal.body()
        text = json.dumps(answer, separators=(",", ":")).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    def _admit(self, token: str) -> None:
        found = [member.access.of(token) for member in self.sandbox.members]
        if not any(found):
            raise status.unauthorized()
        if not any(identity and "system:masters" in identity.groups for identity in found):
            raise status.Refusal(403, "Forbidden", "the sandbox is controlled with the administrator's token only")

    def _handle(self, scope: Any, text: bytes) -> Tree:
        resource, _, rest = scope["path"].removeprefix(PREFIX).strip("/").partition("/")
        handler = ROUTES.get((scope["method"], resource))
        if handler is None:
            known = ", ".join(sorted({f"{method} {PREFIX}/{name}".rstrip("/") for method, name in ROUTES}))
            raise status.Refusal(404, "NotFound", f"there is no {scope['method']} {scope['path']}; there are {known}")
        query = scope["query_string"].decode("latin-1")
        wanted = query.removeprefix("cluster=") if query.startswith("cluster=") else "*"
        chosen = [member for member in self.sandbox.members if fnmatch.fnmatchcase(member.name, wanted)]
        if not chosen:
            names = ", ".join([member.name for member in self.sandbox.members])
            raise status.Refusal(404, "NotFound", f"there is no cluster '{wanted}'; there are {names}")
        return handler(self, Asked(scope["method"], rest, chosen, _parsed(text)))


# --- the sandbox as a whole ---


def show(control: Control, _asked: Asked) -> Tree:
    return control.sandbox.shown()


def speed(control: Control, asked: Asked) -> Tree:
    wanted = asked.field("speed")
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        raise status.bad_request(f"speed: {wanted!r} is no number")
    try:
        control.sandbox.set_speed(float(wanted))
    except ValueError as error:
        raise status.bad_request(str(error)) from error
    return {"speed": float(wanted)}


def reset(control: Control, _asked: Asked) -> Tree:
    control.sandbox.reset()
    return control.sandbox.shown()


def login(control: Control, _asked: Asked) -> Tree:
    return {"token": control.sandbox.login()}


def stop(control: Control, _asked: Asked) -> Tree:
    control.sandbox.stop()
    return {"stopping": True}


def compact(_control: Control, asked: Asked) -> Tree:
    """Watches from before get 410 from now on."""
    for member in asked.members:
        member.cluster.storage.forget()
    return {"compacted": [member.name for member in asked.members]}


# --- faults ---


def faults(_control: Control, asked: Asked) -> Tree:
    return {"items": [row for member in asked.members for row in member.faults.listed()]}


def add_fault(_control: Control, asked: Asked) -> Tree:
    rule = reading.rule(asked.body)
    made = [made for member in asked.members if (made := member.faults.add(rule)) is not None]
    if not made:
        raise status.bad_request(f"cluster: no cluster is called '{rule.cluster}'")
    return reading.tree(made[0])


def drop_faults(_control: Control, asked: Asked) -> Tree:
    """One, or all.  removed: ids, however many clusters had them."""
    ids = {row["id"] for member in asked.members for row in member.faults.listed()}
    if asked.rest:
        if asked.rest not in ids:
            raise status.Refusal(404, "NotFound", f"there is no fault '{asked.rest}'")
        ids = {asked.rest}
    for member in asked.members:
        for id in ids:
            member.faults.remove(id)
    return {"removed": sorted(ids)}


# --- requests and rights ---


def requests(_control: Control, asked: Asked) -> Tree:
    return {"items": [{"cluster": member.name, **one.summary()} for member in asked.members for one in member.log]}


def drop_requests(_control: Control, asked: Asked) -> Tree:
    for member in asked.members:
        member.log.clear()
    return {}


def grant(_control: Control, asked: Asked) -> Tree:
    """{token, user, groups, allow: [{verbs, groups, kinds, namespaces, names, urls}], deny: [...]}: a token and its rules."""
    token, user = asked.field("token"), asked.field("user")
    groups = asked.body.get("groups", ["system:authenticated"])
    if not all(isinstance(one, str) and one for one in (token, user)) or not isinstance(groups, list):
        raise status.bad_request("token and user are texts, groups is a list of texts")
    allow, deny = (tuple([_rule(name, one) for one in asked.body.get(name, ())]) for name in ("allow", "deny"))
    identity = accesses.Identity(user, tuple(groups), allow=allow, deny=deny)
    for member in asked.members:
        member.access.tokens[token] = identity
        member.access.users[user] = identity
        member.faults.renewed(token)
    return {"user": user}


def _rule(name: str, tree: Tree) -> accesses.Rule:
    try:
        return accesses.Rule(**{key: tuple(value) for key, value in tree.items()})
    except (TypeError, AttributeError) as error:
        raise status.bad_request(f"{name}: {tree!r} is no rule of verbs, groups, kinds, namespaces, names, urls") from error


# --- traffic ---


def traffic(_control: Control, asked: Asked) -> Tree:
    return {"items": [{"cluster": member.name, **row} for member in asked.members for row in member.traffic.shown()]}


def script_traffic(_control: Control, asked: Asked) -> Tree:
    """POST traffic/loads, /behaviours, /answers, /series: one of them, or a list."""
    given = asked.body if isinstance(asked.body, list) else [asked.body]
    if asked.rest == "series":
        series = [script.points(one) for one in given]
        for member in asked.members:
            for name, labels, points in series:
                member.traffic.database.points(name, labels).add(points)
        return {"added": len(series)}
    if asked.rest not in DESCRIPTION:
        raise status.bad_request(f"traffic has no {asked.rest or 'such part'}; it has {', '.join(DESCRIPTION)}, series")
    made: list[Any] = [DESCRIPTION[asked.rest](one) for one in given]
    for member in asked.members:
        getattr(member.traffic.script, asked.rest).extend(made)
        member.traffic.move()
        member.traffic.settle()
    return {"added": len(made)}


def drop_traffic(_control: Control, asked: Asked) -> Tree:
    parts = [asked.rest] if asked.rest else [*DESCRIPTION, "series"]
    for member in asked.members:
        for part in parts:
            if part == "series":
                member.traffic.database.drop()
            elif part in DESCRIPTION:
                getattr(member.traffic.script, part).clear()
            else:
                raise status.bad_request(f"traffic has no {part}; it has {', '.join(DESCRIPTION)}, series")
        member.traffic.move()
        member.traffic.settle()
    return {}


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", ""): show,
    ("PUT", "speed"): speed,
    ("POST", "reset"): reset,
    ("POST", "login"): login,
    ("POST", "stop"): stop,
    ("POST", "compact"): compact,
    ("GET", "faults"): faults,
    ("POST", "faults"): add_fault,
    ("DELETE", "faults"): drop_faults,
    ("GET", "requests"): requests,
    ("DELETE", "requests"): drop_requests,
    ("POST", "access"): grant,
    ("GET", "traffic"): traffic,
    ("POST", "traffic"): script_traffic,
    ("DELETE", "traffic"): drop_traffic,
}


def _parsed(text: bytes) -> Tree:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise status.bad_request(f"the body is no JSON: {error}") from error


async def _body(receive: Any) -> bytes:
    found = bytearray()
    while True:
        message = await receive()
        found += message.get("body", b"")
        if len(found) > LARGEST:
            raise status.Refusal(413, "RequestEntityTooLarge", f"the body is larger than {LARGEST} bytes")
        if not message.get("more_body"):
            return bytes(found)
