"""Sandboxes: the use cases behind `appctl sandbox`.  `serve` is the process itself, everything else speaks to it.

What runs is found by the sandbox's folder; it is told things over its control route, as any script may tell it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.platform import identity
from appdelivery.platform.guard import guard
from appdelivery.platform.sandbox_home import Home

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from appdelivery.sandbox.member import Setup
    from appdelivery.sandbox.state import State

MOST = 50  # clusters in one process
REGIONS = 3  # clusters of the preset multi-region, unless a number is given
LARGEST = 16 << 20  # bytes of a file of nodes
PATIENCE = 10.0  # seconds for an answer of the control route, and for an end


@dataclass(frozen=True, slots=True)
class Start:
    """clusters: 0 = what the state file holds, else what the preset is for.  nodes: a file; preset: where there is none.  port: of the first
    cluster, the others follow; 0 = that of the last run, else any."""

    clusters: int = 0
    nodes: str = ""
    preset: str = "small"
    state: str = ""
    speed: float = 1.0
    port: int = 0


def serve(how: Start, ready: Callable[[dict[str, Any]], None]) -> None:
    """Runs a sandbox in this process until it is told to stop.  ready: called once, with what `status` would say."""
    import asyncio

    guard(identity.local_user(), "create", "sandbox")
    _check(how)
    home = Home()
    home.make()
    held = home.hold()
    try:
        asyncio.run(_work(replace(how, state=os.path.abspath(how.state) if how.state else ""), home, ready))
    finally:
        home.tell(None)
        held.close()


async def _work(how: Start, home: Home, ready: Callable[[dict[str, Any]], None]) -> None:
    from appdelivery.sandbox import running
    from appdelivery.sandbox import serve as serving
    from appdelivery.sandbox import state as states

    state = states.State(how.state) if how.state else None
    names = _names(how, state)
    kept = home.identity(names)
    authority = home.certificates()
    setups = _setups(how, names, kept, authority)
    sockets = [_socket(how.port + place if how.port else 0, kept["ports"].get(name, 0)) for place, name in enumerate(names)]
    clusters = [
        {"name": name, "server": f"https://{serving.HOST}:{one.getsockname()[1]}"}
        for name, one in zip(names, sockets, strict=True)
    ]
    kept["ports"] |= {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}

    def login(token: str) -> None:
        kept["tokens"]["admin"] = token
        home.keep(kept)
        home.write_kubeconfig(clusters, authority, kept["tokens"])

    def answering(_: running.Sandbox) -> None:
        login(kept["tokens"]["admin"])
        home.tell({"pid": os.getpid(), "clusters": clusters, "kubeconfig": home.kubeconfig, "state": how.state})
        ready({"pid": os.getpid(), "clusters": clusters, "kubeconfig": home.kubeconfig})

    context = serving.context(home.certificate, home.key)
    await running.run(running.Plan(setups, sockets, context, speed=how.speed, state=state, on_login=login), answering)


def _check(how: Start) -> None:
    from appdelivery.sandbox import clock

    if not 0 <= how.clusters <= MOST:
        raise errors.UsageError(f"--clusters {how.clusters}: a sandbox has 1 to {MOST} clusters")
    if not 0 <= how.speed <= clock.FASTEST:
        raise errors.UsageError(f"--speed {how.speed:g}: the speed is 0 to {clock.FASTEST:.0f}")
    if not 0 <= how.port <= 65535 - MOST:
        raise errors.UsageError(f"--port {how.port}: a port is 1 to {65535 - MOST}")


def _names(how: Start, state: State | None) -> list[str]:
    known = state.names() if state is not None else []
    count = how.clusters or len(known) or (REGIONS if how.preset == "multi-region" else 1)
    names = ["sandbox"] if count == 1 else [f"sandbox-{number + 1}" for number in range(count)]
    if known and names != known:
        raise errors.Conflict(
            f"start {count} cluster{'s' if count > 1 else ''}: the state file {how.state} holds {', '.join(known)}",
            hint=f"leave --clusters out, say --clusters {len(known)}, or name another file with --state",
        )
    return names


def _setups(how: Start, names: Sequence[str], kept: dict[str, Any], authority: bytes) -> list[Setup]:
    from appdelivery.sandbox.controllers import presets
    from appdelivery.sandbox.member import Setup

    try:
        given = presets.checked(_documents(how.nodes)) if how.nodes else None
        nodes = [given if given is not None else presets.nodes(how.preset, place) for place in range(len(names))]
    except presets.BrokenNodes as error:
        if how.nodes:
            raise errors.SourceError(f"read nodes from {how.nodes}: {error}", code="sandbox.nodes") from error
        raise errors.UsageError(f"--preset {how.preset}: {error}") from error
    return [
        Setup(
            name,
            nodes=nodes[place],
            uid=kept["uids"][name],
            tokens=kept["tokens"],
            certificate=authority.decode(),
            seed=place,
        )
        for place, name in enumerate(names)
    ]


def _documents(path: str) -> list[Any]:
    from appdelivery.language.text import yaml_in

    try:
        with open(path, "rb") as file:
            return yaml_in.load(file.read(LARGEST), path)
    except OSError as error:
        raise errors.SourceError(f"read nodes from {path}: {error.strerror}", code="sandbox.nodes") from error


def _socket(port: int, before: int) -> socket.socket:
    """The port that was asked for, else that of the last run where it is free, else any."""
    from appdelivery.sandbox import serve as serving

    if port or not before:
        return serving.bind(port)
    try:
        return serving.bind(before)
    except errors.SourceError:
        return serving.bind(0)


# --- speaking to the one that runs ---


def stop() -> bool:
    """Ends the running sandbox and answers when it is gone; False when none runs."""
    import signal

    guard(identity.local_user(), "delete", "sandbox")
    home = Home()
    found = home.running()
    if found is None:
        return False
    try:
        control(home, found, "POST", "stop")
    except errors.Unreachable:  # hangs, or is only starting
        if found.get("pid"):
            os.kill(found["pid"], signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while home.running() is not None:
        if time.monotonic() > end:
            raise errors.TimedOut(
                f"stop the sandbox: process {found.get('pid', '?')} has not ended within {PATIENCE:.0f} s",
                hint=f"its log: {home.log}",
            )
        time.sleep(0.02)  # nothing tells when another process has ended
    return True


def status() -> dict[str, Any] | None:
    """pid, speed, state, kubeconfig and a row for every cluster; None when none runs."""
    guard(identity.local_user(), "get", "sandbox")
    home = Home()
    found = home.running()
    if not found:
        return None
    servers = {one["name"]: one["server"] for one in found["clusters"]}
    told: dict[str, Any] = control(home, found, "GET", "")
    rows = [row | {"server": servers[row["name"]]} for row in told["clusters"]]
    return told | {"pid": found["pid"], "kubeconfig": home.kubeconfig, "clusters": rows}


def kubeconfig(*, login: bool = False) -> str:
    """Where it is.  login: after a new token has been issued and written into it."""
    guard(identity.local_user(), "get", "sandbox")
    home = Home()
    found = home.wanted()
    if login:
        control(home, found, "POST", "login")
    return home.kubeconfig


def tell(doing: str, method: str, resource: str, body: Any = None) -> Any:
    """One request to the control route of the running sandbox; its refusals are ours.  doing: for messages."""
    guard(identity.local_user(), "update", "sandbox")
    home = Home()
    return control(home, home.wanted(), method, resource, body, doing=doing)


def control(
    home: Home, found: dict[str, Any], method: str, resource: str, body: Any = None, *, doing: str = "speak to the sandbox"
) -> Any:
    import http.client
    import json
    import ssl
    from urllib.parse import urlsplit

    if not found.get("clusters"):
        raise errors.Unreachable(f"{doing}: the sandbox is starting")
    address = urlsplit(found["clusters"][0]["server"])
    token = home.token()
    try:
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=PATIENCE, context=ssl.create_default_context(cafile=home.authority)
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/sandbox/control/{resource}", body=text, headers=headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise errors.Unreachable(
            f"{doing}: the sandbox at {address.netloc} does not answer: {error}", hint=f"its log: {home.log}"
        ) from error
    if answer.status >= 400:
        kind = errors.NotFound if answer.status == 404 else errors.UsageError
        raise kind(f"{doing}: {told.get('message', told)}")
    return told
