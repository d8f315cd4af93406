"""The gate: one writer of a SQLite store at a time, over threads and processes (store.md section 6).

A lock of the process plus `flock` on `<store>.lock`, held for each write transaction and each checkpoint.  Fair, where
SQLite's own busy handler sleeps; and some SQLite versions in use may corrupt a WAL database when two connections write
and checkpoint at one moment.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST, LONGEST = 0.0005, 0.005  # seconds between two looks at another process's lock


class Gate:
    """path '' = a store in memory: only the lock of the process."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._path = f"{path}.lock" if path else ""
        self._store = path
        self._timeout = timeout_s
        self._mine = threading.Lock()
        self._file = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        deadline = time.monotonic() + self._timeout
        if not self._mine.acquire(timeout=self._timeout):
            raise self._busy()
        try:
            if not self._path:
                yield
                return
            import fcntl

            self._wait(deadline)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._mine.release()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _wait(self, deadline: float) -> None:
        import fcntl

        if self._file < 0:
            try:
                self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise files.cannot("lock the store", self._path, error) from error
        pause = SHORTEST
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._busy() from None
                time.sleep(pause)
                pause = min(pause * 2, LONGEST)
            else:
                return

    def _busy(self) -> errors.Busy:
        return errors.Busy(
            f"write to the store {self._store}: another process has been writing for {self._timeout:g}s",
            hint="wait for the other appctl to finish, then run the command again",
        )
