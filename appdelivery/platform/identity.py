"""Who we are: clock, ids of releases, this process as a worker, the actor of the command line.

They enter here and nowhere else, so that tests fix them.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime

from appdelivery.model.history import Actor

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def clock() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits, sortable by time."""
    number = int(clock().timestamp() * 1000) << 80 | int.from_bytes(os.urandom(10))
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def worker() -> str:
    """host:pid:start-time; the start time tells a re-used pid from the process that was meant."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid) or 0}"


def alive(name: str) -> bool | None:
    """Whether that worker's process runs; None when it is another computer's, or this system cannot say."""
    host, _, process = name.partition(":")
    pid, _, started = process.partition(":")
    if host != socket.gethostname() or not pid.isdigit() or not started.isdigit():
        return None
    if os.path.isdir("/proc/self"):
        return _started(int(pid)) == int(started)
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    return None  # some process has that pid; whether it is ours cannot be said here


def _started(pid: int) -> int | None:
    """Clock ticks since boot at which a process started, from /proc; of one that has ended and nobody has asked after
    (a zombie) None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            # The command's name may hold spaces and brackets: fields are counted after its closing one.
            told = file.read().rpartition(")")[2].split()
            return None if told[0] in ("Z", "X") else int(told[19])
    except (OSError, ValueError, IndexError):
        return None


def local_user() -> Actor:
    import getpass

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Actor("user", f"{name}@{socket.gethostname()}", "cli")
