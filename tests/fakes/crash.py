"""Crash points: a counter that every request and every journal call of the fakes passes, and that kills at one of them.

A killed process makes no further call: until `revive` everything raises.  Crash is no Exception, as a kill -9 is none:
nothing in the product may catch it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Crash(BaseException):
    pass


class CrashPoints:
    """kill(n, after=...) dies at the n-th call from now (1 = the next one), before or after it took effect."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dead = False
        self._at = 0
        self._after = False
        self._interrupt: tuple[int, Callable[[], Awaitable[None]]] | None = None

    def kill(self, call: int, *, after: bool = False) -> None:
        self.calls, self.dead, self._at, self._after = [], False, call, after

    def interrupt(self, call: int, work: Callable[[], Awaitable[None]]) -> None:
        """Before the n-th call another process does something, to its end; it passes no crash points itself."""
        self.calls, self.dead, self._at, self._interrupt = [], False, 0, (call, work)

    async def elsewhere(self) -> None:
        if self._interrupt and len(self.calls) >= self._interrupt[0]:
            (_, work), self._interrupt = self._interrupt, None
            await work()

    def revive(self) -> None:
        self.calls, self.dead, self._at, self._interrupt = [], False, 0, None

    def before(self, label: str) -> None:
        self._alive()
        self.calls.append(label)
        if len(self.calls) == self._at and not self._after:
            self.dead = True
            raise Crash(f"before call {self._at}: {label}")

    def before_effect(self) -> None:
        """A request that waited its turn finds out that its process died meanwhile."""
        self._alive()

    def after(self, label: str) -> None:
        self._alive()
        if self._at and self._after and len(self.calls) >= self._at:
            self.dead = True
            raise Crash(f"after call {self._at}: {label}")

    def _alive(self) -> None:
        if self.dead:
            raise Crash("this process is dead")
