"""`Sandbox`: several clusters in one process, each with its listener, and the state file that they may share.

`run` is the whole life of the process: it opens, says when it is ready, and works until it is told to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import secrets
import signal

from appdelivery import errors
from appdelivery.sandbox import control, serve
from appdelivery.sandbox.member import MOMENT, Member, Setup

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Sequence
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.state import State


class Plan:
    """What to run.  sockets: one for every cluster, bound already; on_login: told of the administrator's new token."""

    __slots__ = ("context", "on_login", "setups", "sockets", "speed", "state")

    def __init__(
        self,
        setups: Sequence[Setup],
        sockets: Sequence[socket.socket],
        context: ssl.SSLContext,
        *,
        speed: float = 1.0,
        state: State | None = None,
        on_login: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.setups = setups
        self.sockets = sockets
        self.context = context
        self.speed = speed
        self.state = state
        self.on_login = on_login


class Sandbox:
    """Satisfies `orders.Controlled`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.members: list[Member] = []
        self.listeners: list[serve.Listener] = []
        self.trouble: BaseException | None = None
        self.speed = plan.speed
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        if plan.state is not None:
            plan.state.on_change = self._later_flush

    # --- life ---

    async def open(self) -> None:
        for place, setup in enumerate(self.plan.setups):
            self.members.append(self._member(place, setup, self._attach))
            self.listeners.append(self._listener(place))
        self.flush()
        for listener, bound in zip(self.listeners, self.plan.sockets, strict=True):
            await listener.open(bound, self.plan.context)
        self._tasks = [self._running(member) for member in self.members]

    async def work(self) -> None:
        """Until somebody says stop, or something is beyond repair."""
        await self._stop.wait()
        if self.trouble is not None:
            raise self.trouble

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for listener in self.listeners:
            listener.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.plan.state is not None:
            self.plan.state.close()

    # --- what the control route asks for ---

    def set_speed(self, speed: float) -> None:
        for member in self.members:
            member.cluster.clock.speed = speed
        self.speed = speed

    def reset(self) -> None:
        """Every cluster as it was at the start, with versions that go on, so that nobody takes old for new."""
        if self.plan.state is not None:
            self.plan.state.wipe()
        for task in self._tasks:
            task.cancel()
        for place, old in enumerate(self.members):
            self.members[place] = self._member(place, old.setup, self._emptied(old.cluster.storage.revision))
            self.listeners[place].cut_soon()
        self._tasks = [self._running(member) for member in self.members]

    def login(self) -> str:
        token = secrets.token_urlsafe(24)
        for member in self.members:
            member.login(token)
            member.setup.tokens["admin"] = token
        self.plan.on_login(token)
        return token

    def stop(self) -> None:
        self._loop.call_soon(self._stop.set)

    def shown(self) -> dict[str, Any]:
        return {
            "speed": self.speed,
            "state": self.plan.state.path if self.plan.state is not None else "",
            "clusters": [member.shown() for member in self.members],
        }

    # --- parts ---

    def flush(self) -> None:
        """Called before anything leaves; a state file that cannot be written ends the sandbox."""
        if self.plan.state is not None:
            try:
                self.plan.state.flush()
            except errors.AppError as error:
                self.trouble = error
                self.stop()
                raise

    def _later_flush(self) -> None:
        self._loop.call_soon(self._flush_quietly)

    def _flush_quietly(self) -> None:
        with contextlib.suppress(errors.AppError):  # `work` raises it
            self.flush()

    def _attach(self, cluster: Cluster) -> None:
        if self.plan.state is not None:
            self.plan.state.attach(cluster)

    def _emptied(self, revision: int) -> Callable[[Cluster], None]:
        def restore(cluster: Cluster) -> None:
            cluster.storage.restore(revision, iter(()))
            self._attach(cluster)

        return restore

    def _member(self, place: int, setup: Setup, restore: Callable[[Cluster], None]) -> Member:
        return Member(
            setup,
            restore=restore,
            speed=self.speed,
            more={control.PREFIX: control.Control(self)},
            on_partition=functools.partial(self._cut, place),
            soon=functools.partial(self._loop.call_later, MOMENT),
        )

    def _listener(self, place: int) -> serve.Listener:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self.members[place].app(scope, receive, send)

        return serve.Listener(app, before=self.flush, now=lambda: self.members[place].cluster.clock.now().timestamp())

    def _cut(self, place: int) -> None:
        """Once whoever asked for it has heard that it is so."""
        self.listeners[place].cut_soon()

    def _running(self, member: Member) -> asyncio.Task[None]:
        task = self._loop.create_task(member.run())
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A cluster whose controllers or clock fail takes the sandbox with it, with the reason."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.trouble = error
            self.stop()


async def run(plan: Plan, ready: Callable[[Sandbox], None]) -> None:
    """The whole life.  ready: called once, when every cluster answers."""
    sandbox = Sandbox(plan)
    try:
        await sandbox.open()
        _on_signals(sandbox)
        # What is there from the start stays; looking at it again and again costs more than all requests.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        ready(sandbox)
        await sandbox.work()
    finally:
        await sandbox.close()


def _on_signals(sandbox: Sandbox) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; a thread of a test
            loop.add_signal_handler(number, sandbox.stop)
