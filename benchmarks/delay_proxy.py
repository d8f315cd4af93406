"""A TCP proxy on loopback that makes a server seem far away: every byte takes half the round-trip time to arrive.

It delays and never limits: no bandwidth, no loss, no queue that fills up.  Opening a connection costs a round trip too,
which loopback hides: the client's first bytes wait for the answer to a handshake that a distant server would still owe.
TLS passes through untouched.  Runs as a process of its own, so that its work is not the measured one's:

    python benchmarks/delay_proxy.py 127.0.0.1:6443 0.044      prints the address it listens on, until its input ends
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Pipe(asyncio.Protocol):
    """What one end sends reaches the other end `delay` later, in order."""

    def __init__(self, delay: float, hold: float = 0.0) -> None:
        self.other: asyncio.Transport | None = None  # None until the far side is connected
        self.transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._not_before = self._loop.time() + hold
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._put(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._put(None)

    def start(self, other: asyncio.Transport) -> None:
        self.other = other
        self._arm()

    def _put(self, data: bytes | None) -> None:
        self._waiting.append((max(self._loop.time(), self._not_before) + self._delay, data))
        self._arm()

    def _arm(self) -> None:
        if self._timer is None and self._waiting and self.other is not None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._arrive)

    def _arrive(self) -> None:
        assert self.other is not None
        self._timer = None
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, data = self._waiting.popleft()
            if data is None:
                self.other.close()
            else:
                self.other.write(data)
        self._arm()


async def serve(host: str, port: int, round_trip: float) -> asyncio.Server:
    """Listens on a free port of loopback and passes everything on to host:port."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    class Near(_Pipe):
        def __init__(self) -> None:
            super().__init__(round_trip / 2, hold=round_trip)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = loop.create_task(self._join())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        async def _join(self) -> None:
            assert self.transport is not None
            try:
                far, pipe = await loop.create_connection(lambda: _Pipe(round_trip / 2), host, port)
            except OSError:
                self.transport.close()
                return
            pipe.start(self.transport)
            self.start(far)

    return await loop.create_server(Near, "127.0.0.1", 0, backlog=256)


@contextlib.contextmanager
def running(host: str, port: int, round_trip: float) -> Iterator[int]:
    """The port of a proxy that lives as long as the block."""
    words = [sys.executable, __file__, f"{host}:{port}", f"{round_trip:g}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline().rpartition(":")[2])
        process.stdin.close()


async def _main(target: str, round_trip: float) -> None:
    host, _, port = target.rpartition(":")
    server = await serve(host, int(port), round_trip)
    print("{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], float(sys.argv[2])))
