"""Bodies by content: what goes in comes out, equal content is one row, damage is noticed (store.md section 3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store import making

from appdelivery import errors
from appdelivery.model.secret import Secret, SecretRef
from appdelivery.store import blobs, trees

text = st.text(max_size=20)
secret_values = st.one_of(
    st.builds(Secret, text, encoded=st.booleans()),
    st.builds(lambda name: Secret(ref=SecretRef("application", "shop/web", name)), text),
)
keys = st.one_of(text, st.sampled_from(["$secret", "$$secret", "$$$secret", "$", "$secrets", "ref", "value", "encoded"]))
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), text
)
plain = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=15
)
mixed = st.recursive(
    leaves | secret_values,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)
fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)


def put(store: Any, *given: Any, **how: Any) -> list[str]:
    def work(connection: Any) -> list[str]:
        batch = blobs.Batch(connection, store, store.now(connection))
        digests = [batch.add(tree, **how) for tree in given]
        batch.write()
        return digests

    return store.write(work)


def get(store: Any, *digests: str) -> list[Any]:
    found = store.read(lambda c: blobs.get(c, store, digests))
    return [found[digest] for digest in digests]


def count(store: Any) -> int:
    return store.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM blob").scalar())


@given(tree=mixed)
def test_a_tree_with_secrets_comes_back_from_its_text(tree: Any) -> None:
    assert trees.from_text(trees.to_text(tree)) == tree


@given(one=mixed, other=mixed)
def test_different_trees_have_different_texts(one: Any, other: Any) -> None:
    same = trees.to_text(one) == trees.to_text(other)
    assert same == (repr_of(one) == repr_of(other))


def repr_of(tree: Any) -> str:
    """Tells 1, 1.0 and True apart, and secrets by what they hold."""
    if isinstance(tree, Secret):
        return f"secret({tree.ref or tree.open()!r}, {tree.encoded})"
    if isinstance(tree, dict):
        return f"{{{', '.join(f'{k!r}: {repr_of(tree[k])}' for k in sorted(tree))}}}"
    if isinstance(tree, list):
        return f"[{', '.join(map(repr_of, tree))}]"
    return repr(tree)


@given(tree=plain)
@fixtures
def test_a_body_comes_back_as_it_was(store: Any, tree: Any) -> None:
    assert get(store, *put(store, tree)) == [tree]
    assert get(store, *put(store, tree, seal=True)) == [tree]


@given(tree=mixed)
@fixtures
def test_a_body_with_secrets_comes_back_as_it_was(store: Any, tree: Any) -> None:
    assert get(store, *put(store, tree)) == [tree]


def test_equal_content_is_one_row(store: Any) -> None:
    body = making.config_map()
    assert put(store, body, body) == put(store, dict(reversed(body.items()))) * 2
    assert count(store) == 1


def test_text_that_no_database_takes_is_replaced(store: Any) -> None:
    assert get(store, *put(store, {"a": "x\ud800y"})) == [{"a": "x\ufffdy"}]


def test_an_object_is_kept_in_a_fifth_of_its_size(store: Any) -> None:
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app.oam.dev/component": "web", "app.oam.dev/name": "web"}},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app.oam.dev/component": "web"}},
            "template": {
                "metadata": {"labels": {"app.oam.dev/component": "web"}},
                "spec": {"containers": [{
                    "name": "web", "image": "registry.example.com/shop/web:1.4.2", "ports": [{"containerPort": 8080}],
                    "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "REGION", "value": "eu"}],
                    "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 10},
                }]},
            },
        },
    }  # fmt: skip
    put(store, deployment)
    size, stored = store.read(lambda c: c.exec_driver_sql("SELECT size, length(body) FROM blob").one())
    assert stored / size < 0.3


@pytest.mark.parametrize(
    "damage",
    ["body = substr(body, 1, length(body) - 3)", "body = zeroblob(40)", "size = size + 1", "codec = 'raw'", "body = x'00'"],
)
def test_a_damaged_body_is_noticed(store: Any, damage: str) -> None:
    digest = put(store, making.config_map(long="x" * 300))[0]
    store.write(lambda c: c.exec_driver_sql(f"UPDATE blob SET {damage}"))
    with pytest.raises(errors.Corrupt, match=digest[:12]):
        get(store, digest)


def test_a_missing_body_is_named(store: Any) -> None:
    with pytest.raises(errors.Corrupt, match="0123456789ab is missing"):
        get(store, "0123456789ab" + "0" * 52)


def test_a_body_used_again_is_young_again(store: Any, clock: Any) -> None:
    put(store, making.config_map())
    clock.move(hours=2)
    put(store, making.config_map())
    used = store.read(lambda c: c.execute(blobs.blob.select()).one().used_at)
    assert used == clock.time


def test_a_secret_look_alike_is_data(store: Any) -> None:
    body = {"$secret": {"value": "not sealed", "encoded": False}}
    assert get(store, *put(store, body)) == [body]
    assert store.read(lambda c: c.execute(blobs.blob.select()).one().data_key) is None


def test_more_bodies_than_one_statement_takes(store: Any) -> None:
    bodies = [making.config_map(f"c{n}") for n in range(900)]
    digests = put(store, *bodies)
    assert get(store, *digests) == bodies
    assert put(store, *bodies) == digests
