"""Secret values stand nowhere in clear, open only in their own row and only with the right key (store.md section 7)."""

from __future__ import annotations

import base64
import gzip
import os
import shutil
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store import making

from appdelivery import errors
from appdelivery.model.secret import Secret, SecretRef
from appdelivery.store import applications, backup, check, cipher, clusters, secrets
from appdelivery.store import journal as journals

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "canary-7f3a91c0-do-not-print"
TOKEN = "canary-of-the-cluster-token"
NAMED = "canary-of-a-named-secret"


def forms(value: str) -> list[bytes]:
    """How a value could stand in a file: as it is, in base64 at each offset, in hex."""
    shifted = [base64.b64encode(b"x" * n + value.encode())[4:-4] for n in range(3)]
    return [value.encode(), value.encode().hex().encode(), *shifted]


def secret_object(value: Any, name: str = "login") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "shop"},
        "data": {"password": value},
    }


@pytest.fixture
def planted(store: Any) -> Any:
    """A store that was given secret values in every way there is."""
    journal = journals.SqlJournal(store)
    objects = [
        secret_object(Secret(CANARY, encoded=True)),
        secret_object(Secret(ref=SecretRef("application", "shop/web", "generated", 0, 20)), "made"),
        making.config_map(url=Secret(f"https://ana:{CANARY}@example.com")),
        making.config_map("plain"),
    ]
    document = {"kind": "Application", "spec": {"components": [{"properties": {"password": CANARY}}]}}
    making.delivered(journal, bodies=objects, key=journal.installation().digest_key, document=document)
    secrets.put(store, scope="installation", owner="", name="mail", value=NAMED, actor=making.ANA)
    secrets.get(store, SecretRef("application", "shop/web", "generated", 0, 20))
    tree = {"server": "https://east:6443", "token": Secret(TOKEN), "clientCertificate": {"key": TOKEN}}
    clusters.add(store, name="west", uid="u-west", credentials=tree, labels={}, server_version="v1.36.0", actor=making.ANA)
    return store


def test_no_planted_value_stands_in_the_files_or_in_a_backup(planted: Any, tmp_path: Any) -> None:
    backup.backup(planted, str(tmp_path / "dump.gz"))
    generated = secrets.get(planted, SecretRef("application", "shop/web", "generated")).open()
    with open(planted.path, "rb") as file, open(f"{planted.path}-wal", "rb") as log, gzip.open(tmp_path / "dump.gz") as dump:
        everything = file.read() + log.read() + dump.read()
    assert b"shop" in everything
    for value in (CANARY, TOKEN, NAMED, generated):
        for form in forms(value):
            assert form not in everything


def test_no_planted_value_stands_in_any_column(planted: Any) -> None:
    """Compressed bodies would hide a value from a search of the file: here they are expanded."""
    from appdelivery.store.tables import all as tables

    def everything(connection: Any) -> str:
        text = []
        for table in tables.in_order():
            text += [repr(tuple(row)) for row in connection.execute(table.select())]
        clear = tables.blobs.blob.c.data_key.is_(None)
        from appdelivery.store import blobs

        found = [row.digest for row in connection.execute(tables.blobs.blob.select().where(clear))]
        return "\n".join([*text, repr(blobs.get(connection, planted, found))])

    text = planted.read(everything)
    assert "settings" in text
    for value in (CANARY, TOKEN, NAMED):
        assert value not in text


def test_what_was_sealed_comes_back(planted: Any) -> None:
    bodies = [body for _, _, body in applications.manifests(planted, making.WEB, 1)]
    assert bodies[0] == secret_object(Secret(CANARY, encoded=True))
    assert bodies[1]["data"]["password"].ref == SecretRef("application", "shop/web", "generated", 0, 20)
    assert bodies[2]["data"]["url"].open() == f"https://ana:{CANARY}@example.com"
    assert bodies[3] == making.config_map("plain")
    assert (
        applications.revision(planted, making.WEB, 1).document["spec"]["components"][0]["properties"]["password"] == CANARY
    )
    assert clusters.credentials(planted, "west")["token"].open() == TOKEN
    assert clusters.credentials(planted, "west")["clientCertificate"] == {"key": TOKEN}


def test_lists_never_show_credentials_or_values(planted: Any) -> None:
    text = repr((clusters.list(planted), clusters.get(planted, "west"), secrets.list(planted)))
    for value in (CANARY, TOKEN, NAMED):
        assert value not in text


def test_errors_of_the_database_never_show_bound_values(planted: Any) -> None:
    with pytest.raises(errors.AppError) as caught:
        planted.write(lambda c: c.execute(secrets.secret.insert(), {"scope": NAMED, "value": NAMED.encode()}))
    assert NAMED not in str(caught.value)
    assert NAMED not in str(caught.value.__cause__)


def test_equal_secret_values_share_a_body(store: Any) -> None:
    journal = journals.SqlJournal(store)
    key = journal.installation().digest_key
    bodies = [secret_object(Secret(CANARY, encoded=True))]
    making.delivered(journal, bodies=bodies, key=key)
    count = store.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM blob").scalar())
    making.delivered(journal, bodies=bodies, key=key, context={"again": True})
    assert store.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM blob WHERE data_key IS NOT NULL").scalar()) <= count
    digests = store.read(lambda c: c.exec_driver_sql("SELECT count(DISTINCT objects) FROM rendered").scalar())
    assert digests == 1


@pytest.mark.parametrize(
    ("table", "column", "key"), [("secret", "value", "name"), ("cluster", "credentials", "name"), ("blob", "body", "digest")]
)
def test_a_cipher_moved_to_another_row_does_not_open(planted: Any, table: str, column: str, key: str) -> None:
    secrets.put(planted, scope="installation", owner="", name="other", value="value", actor=making.ANA)
    clusters.add(
        planted, name="north", uid="u-north", credentials={"token": "t"}, labels={}, server_version="v1", actor=making.ANA
    )
    raw = sqlite3.connect(planted.path)
    sealed = f"SELECT {key}, {column} FROM {table} WHERE " + {
        "secret": "scope = 'installation'", "cluster": "credentials IS NOT NULL", "blob": "data_key IS NOT NULL"
    }[table]  # fmt: skip
    (one, first), (other, second) = raw.execute(f"{sealed} ORDER BY {key}").fetchmany(2)
    raw.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (second, one))
    raw.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (first, other))
    raw.commit()
    raw.close()
    found = [f for f in check.check(planted, deep=True) if f.level == "error"]
    assert len(found) >= 2
    assert all("moved here from another row" in f.message for f in found)
    if table == "secret":
        with pytest.raises(errors.Corrupt, match="moved here from another row"):
            secrets.get(planted, SecretRef("installation", "", one))


@given(flip=st.integers(min_value=0), value=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_changed_cipher_never_opens(flip: int, value: bytes) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key, place = AESGCM(bytes(32)), ("secret", "value", "row")
    sealed = bytearray(cipher._sealed(key, 7, place, value))
    assert cipher._unsealed(key, 7, place, bytes(sealed)) == value
    assert len(sealed) == len(value) + cipher.OVERHEAD
    sealed[flip % len(sealed)] ^= 1 + flip % 255
    with pytest.raises(errors.Corrupt):
        cipher._unsealed(key, 7, place, bytes(sealed))


@pytest.mark.parametrize("how", ["wrong", "missing"])
def test_without_the_right_key_everything_but_secrets_works(planted: Any, opened: Callable[..., Any], how: str) -> None:
    wanted = cipher.keys.fingerprint(cipher.keys.read(f"{planted.path}.key") or b"")
    planted.close()
    os.unlink(f"{planted.path}.key")
    if how == "wrong":
        cipher.keys.make(f"{planted.path}.key")
    again = opened(planted.path)
    journal = journals.SqlJournal(again)
    assert journal.installation().digest_key == b""
    making.delivered(journal, bodies=[making.config_map(mode="other")])
    assert applications.get(again, making.WEB).release == 2
    assert os.path.exists(f"{planted.path}.key") == (how == "wrong")
    for needs_key in (
        lambda: secrets.get(again, SecretRef("installation", "", "mail")),
        lambda: applications.manifests(again, making.WEB, 1),
        lambda: making.delivered(journal, bodies=[secret_object(Secret("x" * 8))]),
        lambda: clusters.credentials(again, "west"),
    ):
        with pytest.raises(errors.StoreError, match=wanted) as caught:
            needs_key()
        assert caught.value.code == "store.master-key"
    assert {f.level for f in check.check(again, deep=True)} == {"warning"}


def test_a_key_that_others_can_read_is_refused(planted: Any, opened: Callable[..., Any]) -> None:
    planted.close()
    os.chmod(f"{planted.path}.key", 0o640)
    again = opened(planted.path)
    with pytest.raises(errors.StoreError, match="others may read it") as caught:
        secrets.get(again, SecretRef("installation", "", "mail"))
    assert "chmod 600" in caught.value.hint


def test_a_copy_of_the_store_needs_the_copy_of_the_key(planted: Any, tmp_path: Any, opened: Callable[..., Any]) -> None:
    planted.close()
    for end in ("", ".key"):
        shutil.copy2(f"{planted.path}{end}", tmp_path / f"copy.db{end}")
    assert secrets.get(opened(tmp_path / "copy.db"), SecretRef("installation", "", "mail")).open() == NAMED


def test_a_data_key_serves_one_purpose_and_ninety_days(store: Any, clock: Any) -> None:
    def put(name: str) -> None:
        secrets.put(store, scope="installation", owner="", name=name, value=name, actor=making.ANA)

    put("a")
    put("b")
    count = "SELECT purpose, count(*) FROM data_key GROUP BY purpose"
    assert store.read(lambda c: dict(map(tuple, c.exec_driver_sql(count)))) == {"secret": 1}
    clock.time += timedelta(days=91)
    put("c")
    clusters.add(store, name="west", uid="", credentials={"token": "t"}, labels={}, server_version="v1", actor=making.ANA)
    assert store.read(lambda c: dict(map(tuple, c.exec_driver_sql(count)))) == {"secret": 2, "credential": 1}
    assert [secrets.get(store, SecretRef("installation", "", n)).open() for n in "abc"] == ["a", "b", "c"]


def test_a_data_key_of_a_transaction_that_failed_is_never_used(store: Any) -> None:
    def fails(connection: Any) -> None:
        store.keys.seal(connection, "secret", ("secret", "value", "x"), b"x", store.now(connection))
        raise errors.Conflict("stop")

    with pytest.raises(errors.Conflict):
        store.write(fails)
    secrets.put(store, scope="installation", owner="", name="a", value="kept", actor=making.ANA)
    assert secrets.get(store, SecretRef("installation", "", "a")).open() == "kept"


# --- named values --------------------------------------------------------------------------------------------------------


def test_a_generated_value_is_made_once_and_never_replaced(store: Any) -> None:
    ref = SecretRef("application", "shop/web", "db", 0, 24, "abc")
    first = secrets.get(store, ref)
    assert set(first.open()) <= set("abc")
    assert len(first.open()) == 24
    assert secrets.get(store, ref) == first
    assert secrets.put(store, scope="application", owner="shop/web", name="db", actor=making.ANA, generate=24) == 1
    assert secrets.get(store, ref) == first


def test_versions_of_a_given_value_stay_readable(store: Any) -> None:
    def put(value: str) -> int:
        return secrets.put(store, scope="installation", owner="", name="mail", value=value, actor=making.ANA)

    assert [put("one"), put("two"), put("two")] == [1, 2, 2]
    assert secrets.get(store, SecretRef("installation", "", "mail")).open() == "two"
    assert secrets.get(store, SecretRef("installation", "", "mail", 1)).open() == "one"
    assert [(e.name, e.version) for e in secrets.list(store)] == [("mail", 2)]
    assert secrets.remove(store, scope="installation", owner="", name="mail") == 2
    assert secrets.list(store) == []


def test_a_missing_value_names_the_nearest(store: Any) -> None:
    secrets.put(store, scope="installation", owner="", name="mail-password", value="x", actor=making.ANA)
    with pytest.raises(errors.NotFound, match="did you mean 'mail-password'"):
        secrets.get(store, SecretRef("installation", "", "mail-pasword"))


def test_values_of_another_owner_are_apart(store: Any) -> None:
    secrets.put(store, scope="application", owner="shop/web", name="a", value="web", actor=making.ANA)
    secrets.put(store, scope="application", owner="shop/api", name="a", value="api", actor=making.ANA)
    assert secrets.get(store, SecretRef("application", "shop/api", "a")).open() == "api"
    assert [e.owner for e in secrets.list(store, "shop/web")] == ["shop/web"]
