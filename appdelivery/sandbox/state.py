"""The optional state file: what the clusters hold, in SQLite, so that a restart or a kill loses nothing acknowledged.

Commits are collected and written in one transaction for every turn of the loop; the listener lets no answer out before
`flush` has returned.  The write-ahead log is not synced for every transaction: a killed process loses nothing, a computer
that loses its power may lose the last moments, never the file.
"""

from __future__ import annotations

import json
import os
import sqlite3

from appdelivery import errors
from appdelivery.sandbox import storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Family
    from appdelivery.sandbox.storage import Body, Event, Item, Key

    Row = tuple[str, Family, Key]  # cluster, family, key

APPLICATION = 0x61707362  # "apsb": whose file this is
FORMAT = 1
TABLES = """
create table clusters (name text primary key, version text not null, revision integer not null) without rowid;
create table objects (
  cluster text not null, "group" text not null, plural text not null, namespace text not null, name text not null,
  body blob not null, primary key (cluster, "group", plural, namespace, name)
) without rowid;
"""
PUT = "insert or replace into objects values (?, ?, ?, ?, ?, ?)"
DROP = 'delete from objects where cluster = ? and "group" = ? and plural = ? and namespace = ? and name = ?'


class State:
    """An open state file; nobody else may have it open.  on_change: called at the first change after a flush."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.on_change: Callable[[], None] = lambda: None
        self._changed: dict[Row, Item | None] = {}  # the last of every object since the last flush; None = gone
        self._clusters: list[Cluster] = []
        self._failed: errors.SourceError | None = None
        fresh = not os.path.exists(path) or os.path.getsize(path) == 0
        try:
            if fresh:
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._file = sqlite3.connect(path, isolation_level=None, timeout=0)
            self._file.execute("pragma locking_mode = exclusive")
            if fresh:
                self._file.executescript(
                    f"pragma application_id = {APPLICATION}; pragma user_version = {FORMAT}; begin; {TABLES} commit;"
                )
            self._check()
            self._file.execute("pragma journal_mode = wal")
            self._file.execute("pragma synchronous = normal")
        except OSError as error:
            raise errors.SourceError(
                f"open the state file {path}: {error.strerror}", hint="name another file with --state"
            ) from error
        except sqlite3.Error as error:
            raise self._trouble("open", error) from error

    def _check(self) -> None:
        application = self._file.execute("pragma application_id").fetchone()[0]
        version = self._file.execute("pragma user_version").fetchone()[0]
        if application != APPLICATION:
            raise errors.SourceError(
                f"open the state file {self.path}: it is a database of something else", hint="name another file with --state"
            )
        if version > FORMAT:
            raise errors.SourceError(
                f"open the state file {self.path}: its format {version} is newer than this appctl knows ({FORMAT})",
                hint="use the newer appctl, or name another file with --state",
            )
        damage = self._file.execute("pragma quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage.splitlines()[-1])

    def names(self) -> list[str]:
        """The clusters it holds, as they were named."""
        rows = self._file.execute("select name from clusters").fetchall()
        return sorted([name for (name,) in rows], key=lambda name: (len(name), name))

    def attach(self, cluster: Cluster) -> bool:
        """Puts back what the file knows of a cluster and keeps it from now on.  True when there was something."""
        row = self._file.execute("select version, revision from clusters where name = ?", (cluster.name,)).fetchone()
        served = cluster.version["gitVersion"]
        if row is not None and row[0] != served:
            raise errors.SourceError(
                f"open the state file {self.path}: cluster {cluster.name} was Kubernetes {row[0]}, this one is {served}",
                hint="name another file with --state",
            )
        if row is None:
            self._file.execute("insert into clusters values (?, ?, ?)", (cluster.name, served, cluster.storage.revision))
        else:
            cluster.storage.restore(row[1], self._objects(cluster.name))
        self._clusters.append(cluster)
        cluster.storage.listen(lambda event: self._note(cluster, event))
        return row is not None

    def _objects(self, cluster: str) -> Iterator[tuple[Family, Body]]:
        found = self._file.execute(
            'select "group", plural, namespace, name, body from objects where cluster = ?', (cluster,)
        )
        for group, plural, namespace, name, text in found:
            try:
                body = json.loads(text)
                body["metadata"]["uid"], int(body["metadata"]["resourceVersion"])
            except (ValueError, KeyError, TypeError) as error:
                said = f"{plural} {namespace}/{name} of cluster {cluster} cannot be read"
                raise self._trouble("read", sqlite3.DatabaseError(said)) from error
            yield (group, plural), body

    def _note(self, cluster: Cluster, event: Event) -> None:
        if cluster not in self._clusters:
            return  # a request that began before a reset writes into what is thrown away
        if not self._changed:
            self.on_change()
        item = None if event.type == storage.DELETED else event.item
        self._changed[cluster.name, event.family, event.item.key] = item

    def flush(self) -> None:
        """Everything committed so far is in the file when this returns; once that has failed it fails for ever."""
        if self._failed is not None:
            raise self._failed
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        puts = [
            (cluster, *family, *key, item.text()) for (cluster, family, key), item in changed.items() if item is not None
        ]
        drops = [(cluster, *family, *key) for (cluster, family, key), item in changed.items() if item is None]
        revisions = [(cluster.storage.revision, cluster.name) for cluster in self._clusters]
        try:
            self._file.execute("begin immediate")
            self._file.executemany(PUT, puts)
            self._file.executemany(DROP, drops)
            self._file.executemany("update clusters set revision = ? where name = ?", revisions)
            self._file.execute("commit")
        except sqlite3.Error as error:
            self._failed = self._trouble("write", error)
            raise self._failed from error

    def wipe(self) -> None:
        """Forgets every cluster."""
        self._changed.clear()
        self._file.executescript("begin; delete from objects; delete from clusters; commit;")
        self._clusters.clear()

    def close(self) -> None:
        """With what has changed since the last flush, unless writing has failed before."""
        try:
            if self._failed is None:
                self.flush()
        finally:
            self._file.close()

    def _trouble(self, doing: str, error: sqlite3.Error) -> errors.SourceError:
        if "locked" in str(error):
            said, hint = "another sandbox has it open", "appctl sandbox status says which one runs; or name another file"
        else:
            said, hint = f"it is damaged or no state file ({error})", "move it away, or name another file with --state"
        if doing == "write":
            said, hint = str(error), "make room, then start again: nothing that was acknowledged is lost"
        return errors.SourceError(f"{doing} the state file {self.path}: {said}", hint=hint)
