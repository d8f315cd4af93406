"""Every statement of the journal and the reads is explained: none walks a table that grows (store.md section 15)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from store import making

from appdelivery.delivery import ports
from appdelivery.model.history import Event
from appdelivery.model.record import changed
from appdelivery.model.refs import AppKey
from appdelivery.model.run import Attempt, Effect, Signal, StepState
from appdelivery.model.secret import SecretRef
from appdelivery.store import applications, clusters, events, inventory, retention, run_history, secrets
from appdelivery.store import journal as journals

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = {"cluster", "installation", "data_key", "worker"}  # tables that stay small


def everything(store: Any) -> None:
    journal = journals.SqlJournal(store)
    app = AppKey("shop", "new")
    making.delivered(journal, app, [making.config_map(f"x{n}") for n in range(3)], labels={"tier": "front"})
    journal.open_release(making.request(app, after=1))
    lease = journal.claim(making.key(app), "here:1:1", 30)
    row = making.row(lease, making.config_map("x1"), release=2)
    journal.renew(lease, 30)
    seen = ports.ObjectSeen(row.identity, "degraded", "Broken", None, making.digest("own"), 99)
    note = ports.EventAdded(Event("note", "x", making.ANA, store.clock(), {}, app))
    journal.record(lease, [ports.ObjectIntended(row), making.applied(row), seen, note])
    gone = making.row(lease, making.config_map("x2")).identity
    journal.record(lease, [ports.ObjectDeleting(gone, 2), ports.ObjectGone(gone, "deleted"), making.ended(2)])
    journal.release(lease)
    journal.newest(app)
    journal.inventory(app)
    journal.inventory(cluster="east")
    inventory.rows(store, app, "east")
    for cursor in ("", applications.page(store, limit=1).next):
        applications.page(store, limit=5, cursor=cursor)
    applications.page(store, namespace="shop", labels={"tier": "front"})
    applications.get(store, app)
    applications.revisions(store, app)
    applications.revision(store, app, 1)
    applications.releases(store, app, 5)
    applications.plan(store, app, 2)
    applications.manifests(store, app, 1)
    applications.component_revision(store, app, "web", making.digest("x"))
    events.page(store, app, 5)
    events.page(store, None, 5, after="0-1")
    secrets.put(store, scope="installation", owner="", name="mail", value="x", actor=making.ANA)
    secrets.get(store, SecretRef("installation", "", "mail"))
    ran(store)
    clusters.seen(store, name="east", uid="u", server="s", server_version="v1")


def ran(store: Any) -> None:
    """Everything that is done with a run."""
    journal, app = journals.SqlJournal(store), AppKey("shop", "ran")
    key = making.key(app)
    request = making.run_request("run-1", app)
    journal.open_release(making.request(app), request)
    alone = journal.open_run(making.run_request("run-2", None))
    journal.due(None, {"app", "run"}, 10)
    journal.signal(app, Signal("s1", "resume", making.ANA, store.clock()))
    journal.signal("run-1", Signal("s2", "resume", making.ANA, store.clock()))
    journal.work(alone.key)
    lease = journal.claim(key, "here:1:1", 30)
    journal.due(None, {"app", "run"}, 10)
    work = journal.work(key)
    state = changed(work.steps[0], state="running", attempt=1)
    attempt = Attempt("one", 1, store.clock(), "here:1:1", lease.fence)
    effect = Effect("one", "call", making.digest("r"), False, store.clock())
    facts = [ports.StepMoved("run-1", state), ports.AttemptMoved("run-1", attempt), ports.EffectNoted("run-1", effect)]
    journal.record(lease, [*facts, ports.SignalConsumed("s1"), ports.SignalConsumed("s2"), ports.Woken(alone.key)])
    journal.effect("run-1", "one", "call")
    item = ports.StepMoved("run-1", StepState("two[0]", "deploy", 1))
    journal.record(lease, [item, ports.StepsReset("run-1", ("one", "two"))])
    journal.record(lease, [ports.RunMoved(changed(work.run, state="succeeded", finished_at=store.clock()))])
    journal.work(key)
    journal.release(lease, error="it broke")
    journal.release(journal.claim(key, "here:1:1", 30))
    journal.heartbeat(ports.Worker("here:1:1", ("engine",), "1", store.clock()))
    run_history.get(store, "run-1")
    run_history.newest(store, app)
    run_history.page(store, app, 5, before="run-9")
    run_history.page(store, "shop", 5)
    run_history.attempts(store, "run-1")
    later = store.clock() + timedelta(days=100)
    store.write(lambda c: retention._runs(c, later))  # the sweep as a whole marks through everything, once a day


def collected(store: Any, work: Callable[[Any], None]) -> dict[str, Any]:
    """Statements with one set of their values."""
    found: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, text: str, values: Any, _context: Any, many: bool) -> None:
        found.setdefault(text, values[0] if many else values)

    sa.event.listen(store.engine, "before_cursor_execute", note)
    work(store)
    sa.event.remove(store.engine, "before_cursor_execute", note)
    return {text: values for text, values in found.items() if text.split()[0] in ("SELECT", "UPDATE", "DELETE")}


def walks(store: Any, text: str, values: Any) -> list[str]:
    """Tables that SQLite would read from end to end."""
    plan = store.read(lambda c: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all())
    steps = [row[-1] for row in plan if row[-1].startswith("SCAN ") and "INDEX" not in row[-1]]
    return [name for name in (step.split()[1] for step in steps) if name not in SMALL]


def multiplied(connection: sa.Connection) -> None:
    """Many applications with labels, so that the planner sees tables worth an index."""
    table, label = applications.application, applications.application_label
    row = dict(connection.execute(sa.select(table).limit(1)).mappings().one())
    first = row.pop("id") + 1000
    many = [row | {"id": first + n, "namespace": f"n{n % 50}", "name": f"a{n}"} for n in range(2000)]
    connection.execute(sa.insert(table), many)
    labels = [{"app": first + n, "key": "tier", "value": f"t{n % 100}"} for n in range(2000)]
    connection.execute(sa.insert(label), labels)
    names = [f"cluster{n}" for n in range(40)]
    ids = list(clusters.ids(connection, names, row["created_at"]).values())
    kept = dict(connection.execute(sa.select(inventory.inventory).limit(1)).mappings().one())
    objects = [kept | {"app": first + n, "cluster": ids[n % 40], "name": f"c{n}"} for n in range(2000)]
    connection.execute(sa.insert(inventory.inventory), objects)
    connection.exec_driver_sql("ANALYZE")


def test_no_statement_walks_a_table_that_grows(store: Any) -> None:
    journal = journals.SqlJournal(store)
    for number in range(20):
        making.delivered(journal, AppKey("shop", f"app{number}"), [making.config_map(f"c{number}-{n}") for n in range(3)])
    store.write(multiplied)
    found = collected(store, everything)
    assert len(found) > 50
    walking = {text: names for text, values in found.items() if (names := walks(store, text, values))}
    assert walking == {}, "\n".join(walking)


def test_a_walk_is_noticed(store: Any) -> None:
    assert walks(store, "SELECT * FROM application WHERE message = ?", ("x",)) == ["application"]
