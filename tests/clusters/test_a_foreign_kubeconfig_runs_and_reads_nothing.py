"""P35: a registered kubeconfig runs no program and reads no file of ours."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from appdelivery import errors
from appdelivery.clusters import kubeconfig
from appdelivery.clusters.kubeconfig import Trust

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-content-that-must-stay-here"
EXEC = "client.authentication.k8s.io/v1"


def document(cluster: dict[str, Any], user: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": "https://10.0.0.1"} | cluster}],
            "users": [{"name": "x", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }
    ).encode()


def hostile(folder: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    file = str(folder / "secret")
    touch = {"apiVersion": EXEC, "command": "touch", "args": [str(folder / "ran")]}
    return [
        ("exec", {}, {"exec": touch}),
        ("exec beside a token", {}, {"token": "t", "exec": touch}),
        ("exec with a relative command", {}, {"exec": {"apiVersion": EXEC, "command": "../../bin/sh"}}),
        ("auth provider", {}, {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/touch"}}}),
        ("token file", {}, {"tokenFile": file}),
        ("token file beside a token", {}, {"token": "t", "tokenFile": file}),
        ("token file of the pod", {}, {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}),
        ("client key by path", {}, {"client-certificate-data": "aGk=", "client-key": file}),
        ("client certificate by path", {}, {"client-certificate": file, "client-key-data": "aGk="}),
        ("CA by path", {"certificate-authority": file}, {"token": "t"}),
        ("CA by path beside data", {"certificate-authority": file, "certificate-authority-data": "aGk="}, {"token": "t"}),
        ("no verification", {"insecure-skip-tls-verify": True}, {"token": "t"}),
        ("a proxy", {"proxy-url": "http://169.254.169.254"}, {"token": "t"}),
        ("plain text", {"server": "http://10.0.0.1"}, {"token": "t"}),
        ("a password", {}, {"username": "a", "password": "b"}),
    ]


def test_everything_that_runs_or_reads_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    for name, cluster, user in hostile(tmp_path):
        with pytest.raises(errors.Refused) as caught:
            kubeconfig.parse(document(cluster, user), own=False, file="uploaded.yaml")
        assert "uploaded.yaml" in caught.value.message, name
        assert CANARY not in caught.value.message, name
        assert caught.value.code == "kubeconfig.refused", name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_only_the_allowed_fields_survive() -> None:
    pem = base64.b64encode(b"PEM").decode()
    cluster = {"certificate-authority-data": pem, "tls-server-name": "inner", "disable-compression": True, "extensions": []}
    user = {"token": "t", "client-certificate-data": pem, "client-key-data": pem, "as": "ana", "unknown": {"exec": 1}}
    found = kubeconfig.parse(document(cluster, user), own=False)
    assert (found.ca, found.certificate, found.key) == ("PEM", "PEM", "PEM")
    assert (found.token, found.server_name) == ("t", "inner")
    # Dropping it would act as the underlying, stronger user.
    assert found.impersonate == (("Impersonate-User", "ana"),)
    assert (found.plugin, found.token_file, found.proxy) == ("", "", "")
    assert not found.insecure


def test_what_the_operator_allows_by_name_passes() -> None:
    trust = Trust(insecure=True, proxies=("http://proxy.internal:3128",))
    cluster = {"insecure-skip-tls-verify": True, "proxy-url": "http://proxy.internal:3128"}
    found = kubeconfig.parse(document(cluster, {"token": "t"}), own=False, trust=trust)
    assert (found.insecure, found.proxy) == (True, "http://proxy.internal:3128")
    with pytest.raises(errors.Refused, match="proxy-url"):
        kubeconfig.parse(document({"proxy-url": "http://other"}, {"token": "t"}), own=False, trust=trust)


def test_other_contexts_of_the_file_do_not_matter() -> None:
    both = json.loads(document({}, {"token": "t"}))
    both["users"].append({"name": "evil", "user": {"exec": {"apiVersion": EXEC, "command": "touch"}}})
    assert kubeconfig.parse(json.dumps(both).encode(), own=False).token == "t"
