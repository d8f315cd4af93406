"""A worker process over one store whose steps are tests of the engine: run as a program by tests and benchmarks.

    python worker_lab.py LOCATION JOURNAL LEASE_SECONDS [local|procrastinate]
    python worker_lab.py resume LOCATION APPLICATION

The first is a nursery: each line of its input starts one worker, whose pid it prints; so that a start costs no imports.  Every
call of an action leaves a line `app release step pid time` in JOURNAL.  Of each application the lock `JOURNAL.APP` is held while
an action runs: whoever finds it taken by another process writes `overlap`.
"""

# ruff: noqa: E402 - the path comes before the imports
from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if ROOT not in sys.path:
    sys.path[:0] = [ROOT, f"{ROOT}/tests"]

from appdelivery.delivery.ports import ReleaseEnded, ReleaseRequest, RunRequest
from appdelivery.model import canonical, change, manifest
from appdelivery.model.history import Actor
from appdelivery.model.run import Run, Spec, StepSpec, WorkKey
from appdelivery.platform import identity, local, working
from appdelivery.store import journal as journals
from appdelivery.store import open as opening
from appdelivery.workflow import decide, reconcile
from appdelivery.workflow.model import Done, Suspend, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.history import Lease
    from appdelivery.model.refs import AppKey
    from appdelivery.platform.local import Platform
    from appdelivery.workflow.model import Action, Result, StepContext

ANA = Actor("user", "ana", "cli")


def opened(location: str) -> Platform:
    """The platform of this process on a store."""
    worker = identity.worker()
    store = opening.open(
        location, mode="write", worker=worker, alive=identity.alive, clock=identity.clock, new_id=identity.new_id
    )
    return local.Platform(local.Options(location), store, journals.SqlJournal(store), ANA, worker)


def spec(*uses: str, seconds: float = 0.2) -> Spec:
    """One step after the other."""
    steps = [
        StepSpec(f"s{n}", use, use, {"seconds": seconds} if use == "sleep" else {}, n, needs=(f"s{n - 1}",) if n else ())
        for n, use in enumerate(uses)
    ]
    return Spec(tuple(steps), ("StepByStep", "DAG"))


def run_of(app: AppKey, of: Spec) -> RunRequest:
    made = Run(identity.new_id(), app.namespace, app.name, "executing", of, datetime.now(UTC), app=app)
    return RunRequest(made, decide.first_rows(of), ANA)


def run_alone(name: str, of: Spec) -> RunRequest:
    """As a WorkflowRun document opens one."""
    made = Run(identity.new_id(), "bench", name, "executing", of, datetime.now(UTC))
    return RunRequest(made, decide.first_rows(of), ANA, {"kind": "WorkflowRun"})


def request(app: AppKey, after: int) -> ReleaseRequest:
    """A release without objects: the engine's part alone."""
    content = canonical.digest([str(app), after])
    return ReleaseRequest(
        app=app,
        document={"kind": "Application", "metadata": {"name": app.name}},
        rendered=manifest.Rendered(app, content, (), ()),
        plan=change.Plan(app, (), (), change.Base(after, ())),
        desired=(),
        actor=ANA,
        cause="user",
        after=after,
    )


async def ended(p: Platform, lease: Lease, run: Run) -> None:
    if run.state == "superseded" or not run.release:
        return
    outcome = "succeeded" if run.state == "succeeded" else "failed"
    await p.in_thread(lambda: p.journal.record(lease, [ReleaseEnded(run.release, outcome, run.message, {})]))


async def noop(_: StepContext) -> Result:
    return Done()


async def sleep(at: StepContext) -> Result:
    if at.cursor is None:
        until = at.now + timedelta(seconds=at.properties["seconds"])
        return Wait(timedelta(seconds=at.properties["seconds"]), {"until": until.timestamp()}, "sleeps")
    return Done()


async def ask(at: StepContext) -> Result:
    return Done() if at.answer is not None else Suspend("go on?")


async def hang(_: StepContext) -> Result:
    """For ever; who resumes a run takes `noop` for it."""
    await asyncio.sleep(3600)
    return Done()


async def pause(_: StepContext) -> Result:
    await asyncio.sleep(1.0)
    return Done()


ACTIONS: dict[str, Action] = {"noop": noop, "sleep": sleep, "ask": ask, "hang": hang, "pause": pause}


def engine(p: Platform, lease: Lease, *, noted: str = "") -> reconcile.Engine:
    """noted: where calls of actions are written down."""

    def find(use: str) -> Action:
        return partial(_noted, noted, ACTIONS[use]) if noted else ACTIONS[use]  # type: ignore[return-value]

    return reconcile.Engine(p.journal, p.in_thread, find, ANA, None, partial(ended, p, lease))


async def _noted(path: str, action: Action, at: StepContext) -> Result:
    who = f"{at.run.name} {at.run.release} {at.name} {os.getpid()} {time.time():.6f}"
    held = os.open(f"{path}.{at.run.name}", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            write(path, f"overlap {who}")
        write(path, who)
        await asyncio.sleep(0.005)  # long enough for another owner to be seen
        return await action(at)
    finally:
        os.close(held)


def write(path: str, line: str) -> None:
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)


async def carry(p: Platform, noted: str, lease: Lease) -> reconcile.Passed:
    return await reconcile.reconcile(engine(p, lease, noted=noted), lease)


async def serve(location: str, noted: str, lease_s: float, dispatch: str) -> None:
    p = opened(location)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    how = working.Options(lease_s=lease_s, renew_s=lease_s / 3, stop_s=lease_s / 6, dispatch=dispatch)
    try:
        await working.serve(p, how, stop=stop, carry=partial(carry, p, noted))
    finally:
        p.store.close()


async def one_pass(p: Platform, key: WorkKey, lease_s: float = 30) -> reconcile.Passed | None:
    """Claim, pass, release in this process, as a worker does it."""
    lease = await p.in_thread(lambda: p.journal.claim(key, p.worker, lease_s))
    if lease is None:
        return None
    passed = await reconcile.reconcile(engine(p, lease), lease)
    await p.in_thread(lambda: p.journal.release(lease, passed.due_at))
    return passed


def main(words: Sequence[str]) -> int:
    if words[0] == "resume":
        p = opened(words[1])
        ACTIONS["hang"] = noop
        passed = asyncio.run(one_pass(p, WorkKey("app", words[2])))
        return 0 if passed is not None and passed.run is not None and passed.run.state == "succeeded" else 1
    location, noted, lease_s = words[0], words[1], float(words[2])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no dead child stays in the table
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                asyncio.run(serve(location, noted, lease_s, words[3] if len(words) > 3 else ""))
                code = 0
            except BaseException:  # as the end of a process shows it
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)
    return 0


class Nursery:
    """The other side of the first form: starts workers on a store, kills them."""

    def __init__(self, location: str, noted: str, lease_s: float = 30.0, dispatch: str = "") -> None:
        words = [sys.executable, os.path.abspath(__file__), location, noted, str(lease_s)] + ([dispatch] if dispatch else [])
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.living: list[int] = []

    def start(self) -> int:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        self.living.append(pid)
        return pid

    def kill(self, pid: int) -> None:
        """Returns when it is gone."""
        os.kill(pid, signal.SIGKILL)
        self.living.remove(pid)
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.002)

    def close(self) -> None:
        for pid in list(self.living):
            self.kill(pid)
        self.process.communicate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
