"""A release repeats little of the one before: bodies that stay are named again, a cluster just seen is not written again."""

from __future__ import annotations

from typing import Any

from store import making

from appdelivery.model.secret import Secret
from appdelivery.store import applications, clusters
from appdelivery.store import journal as journals


def number(store: Any, statement: str) -> int:
    return store.read(lambda c: c.exec_driver_sql(statement).scalar())


def test_objects_that_stay_come_back_from_every_revision(store: Any) -> None:
    journal = journals.SqlJournal(store)
    stays, goes, comes = (making.config_map(name) for name in ("stays", "goes", "comes"))
    making.delivered(journal, bodies=[stays, goes])
    before = number(store, "SELECT count(*) FROM blob")
    making.delivered(journal, bodies=[stays, comes])
    bodies = [[body for _, _, body in applications.manifests(store, making.WEB, nr)] for nr in (1, 2)]
    assert bodies == [[stays, goes], [stays, comes]]
    assert number(store, "SELECT count(*) FROM blob") == before + 3  # the object that came, the list, the plan


def test_a_document_is_sealed_also_when_its_secret_stays_as_it_was(store: Any) -> None:
    journal = journals.SqlJournal(store)
    body = making.config_map("stays", password=Secret("hunter2"))
    documents = [
        {"kind": "Application", "metadata": {"name": "web"}, "spec": {"password": "hunter2", "n": n}} for n in (1, 2)
    ]
    for document in documents:
        making.delivered(journal, bodies=[body, making.config_map(f"n{document['spec']['n']}")], document=document)
    assert applications.manifests(store, making.WEB, 2)[0][2] == body
    clear = "SELECT count(*) FROM blob JOIN revision ON revision.document = blob.digest WHERE blob.data_key IS NULL"
    assert (number(store, "SELECT count(*) FROM revision"), number(store, clear)) == (2, 0)


def test_a_cluster_seen_a_moment_ago_is_written_again_only_when_something_is_new(store: Any, clock: Any) -> None:
    def seen(version: str = "v1") -> Any:
        clusters.seen(store, name="east", uid="u", server="s", server_version=version)
        return clusters.get(store, "east")

    first = seen()
    clock.move(seconds=30)
    assert seen() == first
    assert seen("v2").server_version == "v2"
    clock.move(minutes=2)
    assert seen("v2").seen_at > first.seen_at
