"""Whether a lease's holder lives decides whether its work is taken over at once."""

from __future__ import annotations

import os
import socket

import pytest

from appdelivery.platform import identity

proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc tells when a process started")


@proc
def test_this_process_lives_and_one_of_its_number_that_started_earlier_does_not():
    assert identity.alive(identity.worker()) is True
    assert identity.alive(f"{socket.gethostname()}:{os.getpid()}:1") is False


def test_of_another_computer_nothing_is_known():
    assert identity.alive(f"elsewhere:{os.getpid()}:1") is None


@proc
def test_a_process_that_has_ended_is_dead_before_its_parent_has_asked():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
        with open(f"/proc/{pid}/stat") as file:
            started = file.read().rpartition(")")[2].split()[19]
        assert identity.alive(f"{socket.gethostname()}:{pid}:{started}") is False
    finally:
        os.waitpid(pid, 0)
