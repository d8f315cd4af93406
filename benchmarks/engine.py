"""The figures of workflow.md section 16: python benchmarks/run.py engine

The engine over real stores with actions that do nothing, beside a bare commit (one row, one transaction, the same settings)
of the same run, interleaved.  PostgreSQL runs as it does in production, with fsync; without one its figures are left out.
"""

# ruff: noqa: E402 - the path comes before the imports
from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import side_by_side

sys.path[:0] = [f"{side_by_side.ROOT}/tests/chaos"]

import sqlalchemy as sa
import worker_lab as lab
from side_by_side import Ratio

from appdelivery.model.refs import AppKey
from appdelivery.model.run import WorkKey
from appdelivery.platform import working
from appdelivery.store import leases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from appdelivery.platform.local import Platform

COUNT = itertools.count(1)
STEPS, ROUNDS = 20, 9
SLEEPERS = 1000
DURABLE = "-c max_connections=60 -c listen_addresses=''"
# Another value each time: SQLite writes nothing where a row stays as it is.
BARE = sa.text("UPDATE application SET version = version + 1 WHERE id = 1")


def run() -> list[Ratio]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="appctl-bench-"))
        stores = {name: lab.opened(place) for name, place in places(stack, folder).items()}
        lax(stores["SQLite NORMAL"])
        for p in stores.values():
            opened(p, "noop")
            stack.callback(p.store.close)
        full, remote = stores["SQLite FULL"], stores.get("PostgreSQL")
        found = counts(full)
        for (name, p), most in zip(stores.items(), (16, 8, 4), strict=False):
            found.append(step(p, f"no-op step, bare commits: {name}", most))
        found.append(creation(full, "create a one-step run, bare commits: SQLite FULL", 6))
        if remote:
            found.append(creation(remote, "create a one-step run, bare commits: PostgreSQL", 2.5))
        found += sleepers(full, "SQLite FULL", 40)
        if remote:
            found += sleepers(remote, "PostgreSQL", 4)
        found += [resumed(full, folder), taken_over(full), idle(full, "SQLite")]
        if remote:
            found += [idle(remote, "PostgreSQL"), waking(remote, folder, "local"), waking(remote, folder, "procrastinate")]
            found.append(queue(remote, folder))
        return found


def places(stack: contextlib.ExitStack, folder: str) -> dict[str, str]:
    made = {"SQLite NORMAL": f"{folder}/normal/store.db", "SQLite FULL": f"{folder}/full/store.db"}
    import postgres

    if postgres.programs():
        made["PostgreSQL"] = stack.enter_context(server(folder))
    return made


@contextlib.contextmanager
def server(folder: str) -> Iterator[str]:
    import postgres

    from appdelivery.store import migrate

    key = f"{folder}/master"
    with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(os.urandom(32))
    os.environ["APPCTL_MASTER_KEY_FILE"] = key
    postgres.SETTINGS = DURABLE
    home = tempfile.mkdtemp(prefix="appctl-pg-")
    try:
        with postgres.running(home) as url:
            migrate.migrate(url.format("postgres"), master_key_file=key)
            yield url.format("postgres")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def lax(p: Platform) -> None:
    """A lost last commit only repeats a step: the engine is correct under NORMAL, too."""

    def normal(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    p.store.engine.dispose()
    sa.event.listen(p.store.engine, "connect", normal)


def opened(p: Platform, *uses: str, seconds: float = 0.2) -> WorkKey:
    """A new application with a run of these steps."""
    app = AppKey("bench", f"a{next(COUNT)}")
    p.journal.open_release(lab.request(app, 0), lab.run_of(app, lab.spec(*uses, seconds=seconds)))
    return leases.key_of(app)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def commits(p: Platform, count: int = 1) -> None:
    for _ in range(count):
        with p.store._writers.begin() as connection:
            connection.execute(BARE)


class Counted:
    """Transactions that wrote, and their statements."""

    def __init__(self, p: Platform) -> None:
        self.engine, self.writes, self.commits, self.dirty = p.store.engine, 0, 0, False

    def __enter__(self) -> Counted:
        sa.event.listen(self.engine, "before_cursor_execute", self._statement)
        sa.event.listen(self.engine, "commit", self._commit)
        return self

    def __exit__(self, *_: object) -> None:
        sa.event.remove(self.engine, "before_cursor_execute", self._statement)
        sa.event.remove(self.engine, "commit", self._commit)

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            self.writes += 1
            self.dirty = True

    def _commit(self, _: Any) -> None:
        self.commits += self.dirty
        self.dirty = False


def counts(p: Platform) -> list[Ratio]:
    def of(key: WorkKey) -> Counted:
        with Counted(p) as counted:
            asyncio.run(lab.one_pass(p, key))
        return counted

    one, eleven = of(opened(p, "noop")), of(opened(p, *["noop"] * 11))
    asleep = opened(p, "sleep", seconds=3600)
    of(asleep)
    return [
        counted("commits per step", (eleven.commits - one.commits) / 10, 2),
        counted("write statements per step", (eleven.writes - one.writes) / 10, 4),
        counted("commits of an idle pass", of(asleep).commits, 2),
    ]


def counted(name: str, value: float, must: float | None, note: str = "") -> Ratio:
    return Ratio(name, value, value, value, must, note=note)


def spread(name: str, values: Sequence[float], must: float, note: str = "") -> Ratio:
    ordered = sorted(values)
    return Ratio(name, statistics.median(values), ordered[len(values) // 4], ordered[-1 - len(values) // 4], must, note=note)


def step(p: Platform, name: str, must: float) -> Ratio:
    def ours() -> float:
        key = opened(p, *["noop"] * STEPS)
        return timed(lambda: asyncio.run(lab.one_pass(p, key))) / STEPS

    return side_by_side.best_of(
        3,
        lambda: side_by_side.compare(name, ours, lambda: timed(lambda: commits(p, STEPS)) / STEPS, rounds=ROUNDS, must=must),
    )


def creation(p: Platform, name: str, must: float) -> Ratio:
    def ours() -> float:
        requests = [lab.run_alone(f"r{next(COUNT)}", lab.spec("noop")) for _ in range(STEPS)]
        return timed(lambda: [p.journal.open_run(one) for one in requests]) / STEPS

    return side_by_side.best_of(
        3,
        lambda: side_by_side.compare(name, ours, lambda: timed(lambda: commits(p, STEPS)) / STEPS, rounds=ROUNDS, must=must),
    )


def sleepers(p: Platform, name: str, must: float) -> list[Ratio]:
    """The first pass of applications that then sleep: a row with a due time each, neither memory nor thread."""

    def keys(count: int) -> list[WorkKey]:
        requests = [lab.run_alone(f"r{next(COUNT)}", lab.spec("sleep", seconds=3600)) for _ in range(count)]
        return [p.journal.open_run(one).key for one in requests]

    async def all_of(work: Sequence[WorkKey]) -> None:
        places = asyncio.Semaphore(10)

        async def one(key: WorkKey) -> None:
            async with places:
                passed = await lab.one_pass(p, key)
                assert passed is not None
                assert passed.due_at is not None

        await asyncio.gather(*[one(key) for key in work])

    asyncio.run(all_of(keys(100)))
    bare = [timed(partial(commits, p)) for _ in range(200)]
    work = keys(SLEEPERS)
    gc.collect()
    memory, threads = resident(), threading.active_count()
    took = timed(lambda: asyncio.run(all_of(work))) / SLEEPERS
    gc.collect()
    grown, more = resident() - memory, threading.active_count() - threads
    bare += [timed(partial(commits, p)) for _ in range(200)]
    return [
        counted(f"first pass of {SLEEPERS} sleepers, bare commits each: {name}", took / statistics.median(bare), must),
        counted(f"memory of {SLEEPERS} sleepers, MiB: {name}", max(grown, 0.0), 5, f"{more} threads more"),
    ]


def resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def resumed(p: Platform, folder: str) -> Ratio:
    """A worker is killed in a step; another process of this computer takes the run up at once."""
    taken = []
    for number in range(5):
        noted = f"{folder}/resumed{number}"
        nursery = lab.Nursery(p.options.store, noted)
        try:
            key = opened(p, "noop", "hang", "noop")
            pid = nursery.start()
            wait(partial(_in, "s1", noted))
            nursery.kill(pid)
            took = timed(partial(process, "resume", p.options.store, key.id))
            taken.append(took - timed(lambda: subprocess.run([sys.executable, "-c", ""], check=True)))
        finally:
            nursery.close()
    return spread("resume after kill -9, s over the interpreter's start", taken, 1)


def taken_over(p: Platform) -> Ratio:
    """The owner is another computer's, of which nobody can say that it has died."""

    async def once(key: WorkKey) -> float:
        lease = p.journal.claim(key, "elsewhere:1:1", 2.0)
        assert lease is not None
        begun, stop, at = time.monotonic(), asyncio.Event(), [0.0]

        async def carry(lease: Any) -> Any:
            if lease.key == key:
                at[0] = time.monotonic()
                stop.set()
            return await lab.carry(p, "", lease)

        await working.serve(p, working.Options(dispatch="local"), stop=stop, carry=carry)
        return at[0] - begun - 2.0

    taken = [asyncio.run(once(opened(p, "noop"))) for _ in range(3)]
    return spread("takeover from another computer, s after the lease", taken, 2)


def idle(p: Platform, name: str) -> Ratio:
    """Transactions of a worker with nothing to do."""
    seconds, count = 5.0, [0]

    async def wait_a_while() -> float:
        stop = asyncio.Event()
        serving = asyncio.ensure_future(
            working.serve(p, working.Options(dispatch="local"), stop=stop, carry=partial(lab.carry, p, ""))
        )
        await asyncio.sleep(1.5)  # what the figures before have left
        count[0], cpu = 0, time.process_time()
        await asyncio.sleep(seconds)
        used = time.process_time() - cpu
        seen = count[0]
        stop.set()
        await serving
        count[0] = seen
        return used / seconds

    def begun(_: Any) -> None:
        count[0] += 1

    sa.event.listen(p.store.engine, "begin", begun)
    used = asyncio.run(wait_a_while())
    sa.event.remove(p.store.engine, "begin", begun)
    return counted(f"idle worker, transactions/s: {name}", count[0] / seconds, 10, f"{used:.2%} of a core")


def waking(p: Platform, folder: str, dispatch: str) -> Ratio:
    """From the commit that opens a release to the first call of its first step, in another process."""
    noted = f"{folder}/woken-{dispatch}"
    nursery, taken = lab.Nursery(p.options.store, noted, dispatch=dispatch), []
    if dispatch == "procrastinate":
        working.dispatcher(p, dispatch)  # from now on this process puts what it wakes into the queue, too
    try:
        nursery.start()
        for number in range(34):
            key = opened(p, "noop")
            at, name = time.time(), key.id.partition("/")[2]
            line = wait(lambda name=name: next((one for one in read(noted).splitlines() if one.startswith(f"{name} ")), ""))
            if number >= 4:
                taken.append((float(line.split()[4]) - at) * 1000)
    finally:
        nursery.close()
        p.store.enqueue = None
    return spread(f"wake to start, ms: PostgreSQL, {dispatch}", taken, 50)


def queue(p: Platform, folder: str) -> Ratio:
    """Passes that one worker makes over procrastinate's queue, each over a bare commit."""
    noted, count = f"{folder}/queue", 300
    working.dispatcher(p, "procrastinate")
    bare = [timed(partial(commits, p)) for _ in range(200)]
    keys = [opened(p, "ask") for _ in range(count)]
    nursery = lab.Nursery(p.options.store, noted, dispatch="procrastinate")
    try:
        nursery.start()
        wait(lambda: read(noted))
        begun = time.perf_counter()
        wait(lambda: len(read(noted).splitlines()) >= len(keys))
        took = (time.perf_counter() - begun) / count
    finally:
        nursery.close()
        p.store.enqueue = None
    return counted("procrastinate, a pass, bare commits", took / statistics.median(bare), 4, f"{1 / took:.0f} passes/s")


def process(*words: str) -> None:
    subprocess.run([sys.executable, f"{side_by_side.ROOT}/tests/chaos/worker_lab.py", *words], check=True)


def read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _in(word: str, path: str) -> bool:
    return word in read(path)


def wait(condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while not (seen := condition()):
        if time.monotonic() > until:
            raise SystemExit("engine: a worker has not done its work within 60 s")
        time.sleep(0.001)
    return seen
