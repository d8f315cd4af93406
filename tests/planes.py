"""Real control planes for tests, demonstrations and benchmarks: plain processes on loopback, no containers.

    python tests/planes.py up [NAME ...]     starts them, prints the path of one kubeconfig, leaves them running
    python tests/planes.py kubeconfig        that path again
    python tests/planes.py available         whether there are programs to start one with (exit code)
    python tests/planes.py down              stops them

Every plane NAME has these contexts: NAME (administrator by client certificate), NAME-token (administrator by token),
NAME-none (no rights), NAME-team (all rights in the namespace `team`, none elsewhere), NAME-proxy (may impersonate the
user `team` and do nothing else).  pytest uses tests/plane_fixtures.py, which keeps one set of planes per run.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import shutil
import signal
import sys
import time

from controlplane import plane, programs

DEFAULT = os.path.join(programs.CACHE, "planes")
NAMES = ("east", "west", "north", "south")


def names(count: int | None = None) -> tuple[str, ...]:
    return NAMES[: count or int(os.environ.get("APPCTL_TEST_PLANES", "2"))]


def start(folder: str, wanted: tuple[str, ...]) -> str:
    """Starts planes side by side and gives the path of their common kubeconfig."""
    found = programs.find()
    if found is None:
        raise RuntimeError("no programs of a control plane: run `make control-plane` or set KUBEBUILDER_ASSETS")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    planes = [plane.Plane(name, f"{folder}/{name}", found) for name in wanted]
    try:
        with concurrent.futures.ThreadPoolExecutor(len(planes)) as pool:
            for future in [pool.submit(one.start) for one in planes]:
                future.result()
    except BaseException:
        for one in planes:
            plane.stop(one.folder)
        raise
    return plane.write_kubeconfig(f"{folder}/kubeconfig", planes)


def stop(folder: str) -> None:
    """Stops every plane of a folder by the process ids it noted, and removes the folder."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        plane.stop(f"{folder}/{name}")
    if not os.environ.get("APPCTL_TEST_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


def running(folder: str) -> bool:
    if not os.path.exists(f"{folder}/kubeconfig"):
        return False
    inside = [f"{folder}/{name}" for name in os.listdir(folder) if os.path.exists(f"{folder}/{name}/pids.json")]
    return bool(inside) and all(plane.alive(one) for one in inside)


def keep(folder: str, wanted: tuple[str, ...], owner: int) -> None:
    """Holds planes for as long as the process `owner` lives: a test run that is killed leaves nothing behind."""
    stopped = False

    def finish(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C of the terminal is the test run's to handle
    start(folder, wanted)
    while not stopped and plane.lives(owner):
        time.sleep(0.2)
    stop(folder)


def spawn_keeper(folder: str, owner: int) -> int:
    """Starts `keep` as a process of its own session, and gives its id."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    command = [sys.executable, os.path.abspath(__file__), "keep", *names(), "--folder", folder, "--owner", str(owner)]
    environment = {**os.environ, "APPCTL_CACHE": programs.CACHE}  # tests replace HOME
    log = os.open(f"{folder}/keeper.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        files = [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        return os.posix_spawn(sys.executable, command, environment, file_actions=files, setsid=True)
    finally:
        os.close(log)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("up", "down", "kubeconfig", "available", "keep"))
    parser.add_argument("names", nargs="*", help="default: east west")
    parser.add_argument("--folder", default=DEFAULT)
    parser.add_argument("--owner", type=int, default=0, help="of keep: the process whose end stops the planes")
    given = parser.parse_args(arguments)
    wanted = tuple(given.names) or names()
    if given.command == "available":
        return 0 if programs.find() is not None else 1
    if given.command == "keep":
        keep(given.folder, wanted, given.owner)
    elif given.command == "down":
        stop(given.folder)
    elif running(given.folder):
        print(f"{given.folder}/kubeconfig")
    elif given.command == "kubeconfig":
        print("no planes are running: python tests/planes.py up", file=sys.stderr)
        return 1
    else:
        with contextlib.suppress(FileNotFoundError):
            stop(given.folder)
        print(start(given.folder, wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
