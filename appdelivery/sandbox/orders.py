"""What a running sandbox can be told: one function for every request of the control route.

Each takes the sandbox and what was asked, and answers a plain tree; what is wrong is a Status as everywhere.
"""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.faults import reading
from appdelivery.sandbox.http import access as accesses
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
    Order = Callable[[Controlled, "Asked"], Tree]

SCRIPTS = {"loads": script.load, "behaviours": script.behaviour, "answers": script.answer}


class Asked:
    """rest: the path below the resource; body: the parsed JSON, None without."""

    __slots__ = ("body", "members", "rest")

    def __init__(self, rest: str, members: list[Member], body: Tree) -> None:
        self.rest = rest
        self.members = members
        self.body = body

    def field(self, name: str) -> Any:
        if not isinstance(self.body, dict) or name not in self.body:
            raise status.bad_request(f"the body has no {name}")
        return self.body[name]


# --- the sandbox as a whole ---


def show(sandbox: Controlled, _asked: Asked) -> Tree:
    return sandbox.shown()


def speed(sandbox: Controlled, asked: Asked) -> Tree:
    wanted = asked.field("speed")
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        raise status.bad_request(f"speed: {wanted!r} is no number")
    try:
        sandbox.set_speed(float(wanted))
    except ValueError as error:
        raise status.bad_request(str(error)) from error
    return {"speed": float(wanted)}


def reset(sandbox: Controlled, _asked: Asked) -> Tree:
    sandbox.reset()
    return sandbox.shown()


def login(sandbox: Controlled, _asked: Asked) -> Tree:
    return {"token": sandbox.login()}


def stop(sandbox: Controlled, _asked: Asked) -> Tree:
    sandbox.stop()
    return {"stopping": True}


def compact(_sandbox: Controlled, asked: Asked) -> Tree:
    """Watches from before get 410 from now on."""
    for member in asked.members:
        member.cluster.storage.forget()
    return {"compacted": [member.name for member in asked.members]}


# --- faults ---


def faults(_sandbox: Controlled, asked: Asked) -> Tree:
    return {"items": [row for member in asked.members for row in member.faults.listed()]}


def add_fault(_sandbox: Controlled, asked: Asked) -> Tree:
    rule = reading.rule(asked.body)
    made = [made for member in asked.members if (made := member.faults.add(rule)) is not None]
    if not made:
        raise status.bad_request(f"cluster: no cluster is called '{rule.cluster}'")
    return reading.tree(made[0])


def drop_faults(_sandbox: Controlled, asked: Asked) -> Tree:
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


def requests(_sandbox: Controlled, asked: Asked) -> Tree:
    return {"items": [{"cluster": member.name, **one.summary()} for member in asked.members for one in member.log]}


def drop_requests(_sandbox: Controlled, asked: Asked) -> Tree:
    for member in asked.members:
        member.log.clear()
    return {}


def grant(_sandbox: Controlled, asked: Asked) -> Tree:
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


def traffic(_sandbox: Controlled, asked: Asked) -> Tree:
    return {"items": [{"cluster": member.name, **row} for member in asked.members for row in member.traffic.shown()]}


def script_traffic(_sandbox: Controlled, asked: Asked) -> Tree:
    """POST traffic/loads, /behaviours, /answers, /series: one of them, or a list."""
    given = asked.body if isinstance(asked.body, list) else [asked.body]
    if asked.rest == "series":
        series = [script.points(one) for one in given]
        for member in asked.members:
            for name, labels, points in series:
                member.traffic.database.points(name, labels).add(points)
        return {"added": len(series)}
    if asked.rest not in SCRIPTS:
        raise status.bad_request(f"traffic has no {asked.rest or 'such part'}; it has {', '.join(SCRIPTS)}, series")
    made: list[Any] = [SCRIPTS[asked.rest](one) for one in given]
    for member in asked.members:
        getattr(member.traffic.script, asked.rest).extend(made)
        member.traffic.move()
        member.traffic.settle()
    return {"added": len(made)}


def drop_traffic(_sandbox: Controlled, asked: Asked) -> Tree:
    parts = [asked.rest] if asked.rest else [*SCRIPTS, "series"]
    for member in asked.members:
        for part in parts:
            if part == "series":
                member.traffic.database.drop()
            elif part in SCRIPTS:
                getattr(member.traffic.script, part).clear()
            else:
                raise status.bad_request(f"traffic has no {part}; it has {', '.join(SCRIPTS)}, series")
        member.traffic.move()
        member.traffic.settle()
    return {}


# --- figures for autoscalers ---


def figures(_sandbox: Controlled, asked: Asked) -> Tree:
    names = ("namespace", "subject", "metric", "value", "shared")
    return {
        "items": [
            {"cluster": member.name, **dict(zip(names, row, strict=True))}
            for member in asked.members
            for row in member.controllers.context.figures.all()
        ]
    }


def set_figure(_sandbox: Controlled, asked: Asked) -> Tree:
    """{namespace, subject: Deployment/web, metric: cpu, value: 250m, shared}: what a metrics server would say."""
    namespace, subject, metric, value = [asked.field(name) for name in ("namespace", "subject", "metric", "value")]
    if not all(isinstance(one, str) for one in (namespace, subject, metric)):
        raise status.bad_request("namespace, subject and metric are texts")
    try:
        for member in asked.members:
            figures = member.controllers.context.figures
            figures.set(namespace, subject, metric, value, shared=bool(asked.body.get("shared")))
    except (TypeError, ValueError) as error:
        raise status.bad_request(f"figures: {error}") from error
    return {"subject": subject}


def drop_figures(_sandbox: Controlled, asked: Asked) -> Tree:
    for member in asked.members:
        figures = member.controllers.context.figures
        for namespace, subject, metric, *_ in figures.all():
            figures.remove(namespace, subject, metric)
    return {}


ROUTES: dict[tuple[str, str], Order] = {
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
    ("GET", "figures"): figures,
    ("POST", "figures"): set_figure,
    ("DELETE", "figures"): drop_figures,
    ("GET", "traffic"): traffic,
    ("POST", "traffic"): script_traffic,
    ("DELETE", "traffic"): drop_traffic,
}
