"""Crash points: a counter that every request and every journal call of the fakes passes, and that kills at one of them.

A killed process makes no further call: until `revive` everything raises.  Crash is no Exception, as a kill -9 is none:
nothing in the product may catch it.
"""

from __future__ import annotations


class Crash(BaseException):
    pass


class CrashPoints:
    """kill(n, after=...) dies at the n-th call from now (1 = the next one), before or after it took effect."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dead = False
        self._at = 0
        self._after = False

    def kill(self, call: int, *, after: bool = False) -> None:
        self.calls, self.dead, self._at, self._after = [], False, call, after

    def revive(self) -> None:
        self.calls, self.dead, self._at = [], False, 0

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
