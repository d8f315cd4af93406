"""Own kubeconfigs: contexts, several files, data and paths, impersonation, in-cluster accounts, and clear refusals."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.clusters import credentials, kubeconfig

if TYPE_CHECKING:
    from pathlib import Path


def config(*, cluster: Any = None, user: Any = None, context: Any = None, name: str = "east") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": "https://10.0.0.1:6443"} | (cluster or {})}],
        "users": [{"name": name, "user": user or {"token": "t0ken"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name} | (context or {})}],
    }


def parse(document: Any, **how: Any) -> credentials.Credentials:
    return kubeconfig.parse(json.dumps(document).encode(), own=True, **how)


def test_the_current_context_is_used_unless_another_is_named() -> None:
    both = config()
    other = config(name="west", cluster={"server": "https://10.0.0.2:6443/base/"}, user={"token": "other"})
    for part in ("clusters", "users", "contexts"):
        both[part] += other[part]
    assert parse(both).server == "https://10.0.0.1:6443"
    west = parse(both, context="west")
    assert (west.server, west.token) == ("https://10.0.0.2:6443/base", "other")
    assert [(one.name, one.current) for one in kubeconfig.contexts(json.dumps(both).encode())] == [
        ("east", True),
        ("west", False),
    ]


def test_yaml_is_read_as_well_as_json() -> None:
    text = b"""
current-context: a
clusters: [{name: c, cluster: {server: "https://c:1", tls-server-name: inner.example}}]
contexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}]
users: [{name: u, user: {token: abc}}]
"""
    found = kubeconfig.parse(text, own=True)
    assert (found.server, found.server_name, found.token, found.namespace) == ("https://c:1", "inner.example", "abc", "shop")


def test_data_and_files_give_the_same_and_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt", "me.key", "token"):
        (tmp_path / name).write_text(f"content of {name}")
    paths = config(
        cluster={"certificate-authority": "ca.crt"},
        user={"client-certificate": "me.crt", "client-key": str(tmp_path / "me.key"), "tokenFile": "token"},
    )
    found = parse(paths, file=str(tmp_path / "config"))
    assert (found.ca, found.certificate, found.key) == ("content of ca.crt", "content of me.crt", "content of me.key")
    assert found.token_file == str(tmp_path / "token")
    data = base64.b64encode(b"content of ca.crt").decode()
    assert parse(config(cluster={"certificate-authority-data": data, "certificate-authority": "absent"})).ca == found.ca


def test_several_files_are_merged_and_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = config(), config(user={"token": "second"})
    second["contexts"].append({"name": "more", "context": {"cluster": "east", "user": "east"}})
    del second["users"][0]
    paths = []
    for name, document in (("one", first), ("two", second)):
        (tmp_path / name).write_text(json.dumps(document))
        paths.append(str(tmp_path / name))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([*paths, str(tmp_path / "absent")]))
    assert kubeconfig.read(context="more").token == "t0ken"
    assert kubeconfig.read().token == "t0ken"
    assert kubeconfig.current() == "east"


def test_nothing_at_all_says_where_it_looked() -> None:
    with pytest.raises(errors.NotFound, match="kube/config") as caught:
        kubeconfig.read()
    assert "--kubeconfig" in caught.value.hint


def test_a_named_file_that_is_absent_is_an_error_even_beside_others(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(json.dumps(config()))
    with pytest.raises(errors.SourceError, match="there is no such file"):
        kubeconfig.read(paths=[str(tmp_path / "one"), str(tmp_path / "two")])


def test_the_account_of_a_pod_is_used_where_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("ca.crt", "CA"), ("token", "renewed later"), ("namespace", "shop\n")):
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = kubeconfig.in_cluster(str(tmp_path))
    assert (found.server, found.ca, found.namespace) == ("https://[fd00::1]:443", "CA", "shop")
    assert found.token_file == f"{tmp_path}/token"
    assert found.renewable


def test_impersonation_becomes_headers() -> None:
    user = {"token": "t", "as": "ana", "as-uid": "7", "as-groups": ["dev", "ops"], "as-user-extra": {"reason": ["x"]}}
    assert parse(config(user=user)).impersonate == (
        ("Impersonate-User", "ana"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Extra-reason", "x"),
    )


@pytest.mark.parametrize("user", [{"as-groups": ["dev"]}, {"as": "ana\r\nAuthorization: x"}])
def test_half_an_impersonation_is_refused(user: dict[str, Any]) -> None:
    with pytest.raises(errors.SpecError):
        parse(config(user=user))


def test_a_plugin_is_kept_for_kr8s_without_any_key_material() -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login"}, "client-key-data": "aGk="}
    found = parse(config(user=user), file="/home/ana/.kube/config")
    plugin = json.loads(found.plugin)
    assert plugin["users"][0]["user"]["exec"]["command"] == "/home/ana/.kube/./login"
    assert list(plugin["users"][0]["user"]) == ["exec"]
    assert found.renewable


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (config(context={"cluster": "absent"}), "no cluster 'absent'"),
        (config(context={"user": "absent"}), "no user 'absent'"),
        (config() | {"current-context": "absent"}, "no context 'absent'"),
    ],
)
def test_a_missing_name_is_named_with_what_there_is(document: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.NotFound, match=said) as caught:
        parse(document)
    assert "east" in caught.value.hint


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"kind": "Config"},
        config() | {"clusters": [{"cluster": {}}]},
        config() | {"users": ["x"]},
        config(cluster={"server": "10.0.0.1:6443"}),
        config(cluster={"server": "file:///etc/passwd"}),
        config(cluster={"server": "https://user:password@host"}),
        config(cluster={"server": ["https://x"]}),
        config(cluster={"server": "https://[::1"}),
        config(cluster={"server": "https://host:port"}),
        config(cluster={"server": "https://host?x=1"}),
        config(cluster={"certificate-authority-data": "not base64!"}),
        config(cluster={"certificate-authority-data": 7}),
    ],
)
def test_a_broken_file_is_a_located_problem(document: Any) -> None:
    with pytest.raises(errors.SpecError) as caught:
        parse(document, file="my.config")
    assert caught.value.problems[0].file == "my.config"


def test_passwords_are_refused_with_the_reason() -> None:
    with pytest.raises(errors.Refused, match=r"1\.19"):
        parse(config(user={"username": "a", "password": "b"}))


def test_credentials_survive_the_store_and_print_no_secret() -> None:
    user = {"token": "t0ken-value", "as": "ana", "client-key-data": base64.b64encode(b"key-material").decode()}
    found = parse(config(user=user))
    assert credentials.from_tree(json.loads(json.dumps(credentials.to_tree(found)))) == found
    assert "t0ken-value" not in repr(found)
    assert "key-material" not in repr(found)


FIELDS = "clusters users contexts current-context name cluster user context server token certificate-authority-data".split()
FIELDS += "certificate-authority as as-groups as-user-extra exec command namespace auth-provider tokenFile".split()

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["east", "https://x:1", "aGk="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(tree=TREES, own=st.booleans())
def test_whatever_the_file_holds_only_our_errors_come(tree: Any, own: bool) -> None:
    inner = tree if isinstance(tree, dict) else {}
    documents = [tree, config() | inner, config(user=inner or None), config(cluster=inner), config(context=inner)]
    documents += [config() | {part: [{"name": "east", part[:-1]: tree}]} for part in ("clusters", "users", "contexts")]
    for document in documents:
        try:
            kubeconfig.parse(json.dumps(document).encode(), own=own)
        except errors.AppError:
            continue
