"""The figures of store.md section 13: python benchmarks/store.py [--postgres] [--rounds N]

Ratios against a bare commit (one row, one transaction, the same settings) of the same run, interleaved, medians.
"""

# ruff: noqa: E402, B023 - the path comes before the imports; closures are called in the round that made them
from __future__ import annotations

import argparse
import itertools
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:1] = [ROOT, f"{ROOT}/tests", f"{ROOT}/tests/store"]  # in place of this folder, whose store.py hides others

import making
import sqlalchemy as sa

from appdelivery.delivery import ports
from appdelivery.model.refs import AppKey
from appdelivery.store import applications, events, migrate
from appdelivery.store import journal as journals
from appdelivery.store import open as opening

if TYPE_CHECKING:
    from collections.abc import Callable

IDS = itertools.count(1)
APPLICATIONS = 10_000
LIST = """
import sys
from datetime import UTC, datetime
from appdelivery.store import applications, open as opening
store = opening.open(sys.argv[1], mode="read", worker="w", alive=lambda _: None, clock=lambda: datetime.now(UTC), new_id=str)
assert len(applications.page(store, limit=50).items) == 50
"""


def opened(location: str, key_file: str = "") -> opening.Store:
    return opening.open(
        location, mode="write", worker="bench", alive=lambda _: None, clock=lambda: datetime.now(UTC),
        new_id=lambda: f"{next(IDS):026}", master_key_file=key_file,
    )  # fmt: skip


def deployment(number: int, replicas: int = 1) -> dict[str, Any]:
    name = f"web{number}"
    labels = {"app.oam.dev/name": "shop", "app.oam.dev/component": name, "app.oam.dev/resourceType": "WORKLOAD"}
    container = {
        "name": name, "image": f"registry.example.com/shop/{name}:1.4.{number}", "ports": [{"containerPort": 8080}],
        "env": [{"name": f"SETTING_{n}", "value": f"value-{number}-{n}"} for n in range(4)],
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app.oam.dev/component": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }  # fmt: skip


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def acts(store: opening.Store, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each act and of a bare commit, interleaved."""
    journal = journals.SqlJournal(store)
    # Another value each time: SQLite writes nothing where a row stays as it is.
    bare = sa.text("UPDATE application SET version = version + 1 WHERE id = 1")
    making.delivered(journal, AppKey("bench", "bare"))
    found: dict[str, list[float]] = {
        name: [] for name in ("bare", "open 20", "claim", "intents 20", "results 20", "results 300")
    }

    def commit() -> None:
        with store._writers.begin() as connection:
            connection.execute(bare)

    for number in range(rounds + 2):
        app, wide = AppKey("bench", f"a{number}"), AppKey("bench", f"w{number}")
        bodies = [deployment(n, number) for n in range(20)]
        request = making.request(app, bodies, after=0)
        taken: dict[str, float] = {}
        taken["open 20"] = timed(lambda: journal.open_release(request))
        taken["bare"] = timed(commit)
        start = time.perf_counter()
        lease = journal.claim(making.key(app), "bench", 30)
        taken["claim"] = (time.perf_counter() - start) * 1000
        rows = [making.row(lease, body) for body in bodies]
        taken["intents 20"] = timed(lambda: journal.record(lease, [ports.ObjectIntended(row) for row in rows]))
        found["bare"].append(timed(commit))
        results = [making.applied(row) for row in rows]
        taken["results 20"] = timed(lambda: journal.record(lease, [*results, making.ended(1)]))
        journal.open_release(making.request(wide))
        lease = journal.claim(making.key(wide), "bench", 30)
        many = [making.row(lease, making.config_map(f"c{n}")) for n in range(300)]
        journal.record(lease, [ports.ObjectIntended(row) for row in many])
        taken["results 300"] = timed(lambda: journal.record(lease, [making.applied(row) for row in many]))
        if number >= 2:
            for name, value in taken.items():
                found[name].append(value)
    return found


def sizes(folder: str) -> tuple[float, float, float]:
    """kB of a first release of 20 objects, of each further one with one object changed, and of an inventory row."""
    path = f"{folder}/size/store.db"
    store = opened(path)
    journal = journals.SqlJournal(store)

    def used() -> int:
        pages = "SELECT (SELECT * FROM pragma_page_count) - (SELECT * FROM pragma_freelist_count)"
        return int(store.read(lambda c: c.exec_driver_sql(pages).scalar_one())) * 4096

    def bodies(app: int, changed: int) -> list[dict[str, Any]]:
        return [deployment(app * 100 + n, changed if n == 0 else 1) for n in range(20)]

    count = 30
    start = used()
    for app in range(count):
        making.delivered(journal, AppKey("bench", f"a{app}"), bodies(app, 1))
    first = used()
    for changed in range(2, 6):
        for app in range(count):
            making.delivered(journal, AppKey("bench", f"a{app}"), bodies(app, changed))
    further = used()
    store.close()
    connection = sqlite3.connect(path)
    table = connection.execute("SELECT sum(length(uid) + length(name)) FROM inventory").fetchone()
    assert table
    before = os.path.getsize(path)
    connection.execute("DELETE FROM inventory")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    return (
        (first - start) / count / 1000,
        (further - first) / count / 4 / 1000,
        (before - os.path.getsize(path)) / count / 20 / 1000,
    )


def lists(folder: str) -> tuple[float, float]:
    """CPU seconds of a whole process, and milliseconds warm, for a page of 50 of 10,000 applications."""
    path = f"{folder}/list/store.db"
    store = opened(path)
    making.delivered(journals.SqlJournal(store), AppKey("shop", "a0"))
    table = applications.application

    def fill(connection: sa.Connection) -> None:
        row = dict(connection.execute(sa.select(table)).mappings().one())
        del row["id"]
        rows = [row | {"namespace": f"n{n % 100}", "name": f"a{n}", "health_rank": n % 6} for n in range(APPLICATIONS)]
        connection.execute(sa.insert(table), rows)

    store.write(fill)
    warm = statistics.median(timed(lambda: applications.page(store, limit=50)) for _ in range(50))
    store.close()
    taken = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", LIST, path], check=True, env=os.environ | {"PYTHONPATH": ROOT})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(taken), warm


def gate(folder: str) -> float:
    """99th percentile, in ms, of a small write with 8 threads writing, less a bare one's median."""
    store = opened(f"{folder}/gate/store.db")
    making.delivered(journals.SqlJournal(store))
    waits: list[float] = []

    def write() -> None:
        for _ in range(100):
            asked = time.perf_counter()
            store.write(
                lambda c: (
                    waits.append((time.perf_counter() - asked) * 1000)
                    or c.exec_driver_sql("UPDATE application SET alias='x'")
                )
            )

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    return sorted(waits)[int(len(waits) * 0.99)]


def feed(store: opening.Store) -> tuple[int, int, int]:
    """Events written by 8 threads; of them lost and doubled for a reader that goes on meanwhile."""
    done = threading.Event()
    after = events.page(store, limit=1).next or "0-0"
    seen: list[int] = []

    def line(number: int) -> list[dict[str, Any]]:
        return [events.row("note", datetime.now(UTC), "x", making.ANA, {"n": number})]

    def write(start: int) -> None:
        for number in range(100):
            store.write(lambda c: events.add(c, line(start + number)))

    def read() -> None:
        position = after
        while True:
            last = done.is_set()
            page = events.page(store, limit=500, after=position)
            seen.extend(e.data["n"] for e in page.items if e.kind == "note")
            position = page.next
            if last and not page.items:
                return

    reader = threading.Thread(target=read)
    reader.start()
    threads = [threading.Thread(target=write, args=(n * 100,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    return 400, len(set(range(400)) - set(seen)), len(seen) - len(set(seen))


def show(name: str, found: dict[str, list[float]], must: dict[str, int]) -> None:
    bare = statistics.median(found["bare"])
    print(f"\n{name}: bare commit {bare:.2f} ms")
    for act, limit in must.items():
        took = statistics.median(found[act])
        print(f"  {act:12} {took:8.2f} ms  {took / bare:6.1f}x  (must {limit}x)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", help="where the SQLite stores stand: the disk that is measured")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=args.folder))
        store = opened(f"{folder}/acts/store.db")
        show(
            "SQLite FULL",
            acts(store, args.rounds),
            {"open 20": 8, "claim": 2, "intents 20": 5, "results 20": 5, "results 300": 20},
        )
        store.close()
        first, further, row = sizes(folder)
        print(f"\nfirst release of 20 objects {first:.1f} kB (must 32), each further {further:.1f} kB (must 8), "
              f"inventory row {row:.2f} kB (must 0.5)")  # fmt: skip
        cpu, warm = lists(folder)
        print(f"list of 50 of {APPLICATIONS}: whole process {cpu:.2f} s CPU (must 0.5), warm {warm:.2f} ms (must 2)")
        print(f"wait at the gate, 8 threads, p99: {gate(folder):.1f} ms (must 10)")
        if args.postgres:
            import postgres

            server = tempfile.mkdtemp(prefix="appctl-pg-")
            location = stack.enter_context(postgres.running(server)).format("postgres")
            key = f"{folder}/key"
            with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(os.urandom(32))
            migrate.migrate(location, master_key_file=key)
            store = opened(location, key)
            show("PostgreSQL (fsync off)", acts(store, args.rounds),
                 {"open 20": 9, "claim": 2, "intents 20": 7, "results 20": 7, "results 300": 45})  # fmt: skip
            print("feed with 4 writers: {} events, {} lost, {} doubled".format(*feed(store)))
            store.close()


if __name__ == "__main__":
    main()
