"""P35 for registration: programs run only when they were allowed by name, verification is never off by accident, and files
of one's own kubeconfig are copied."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appdelivery import errors
from appdelivery.clusters import expiry, kubeconfig, sources
from appdelivery.clusters.kubeconfig import Trust
from appdelivery.sandbox import certs

if TYPE_CHECKING:
    from pathlib import Path

EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws", "args": ["eks", "get-token"]}
CANARY = "canary-token-that-is-never-shown"


@pytest.fixture(scope="module")
def pair() -> certs.Pair:
    return certs.make()


def config(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    document = {
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": "https://10.0.0.1"} | cluster}],
        "users": [{"name": "x", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize("own", [True, False])
def test_a_plugin_is_registered_only_when_its_command_was_allowed(tmp_path: Path, own: bool) -> None:
    path = config(tmp_path / "config", {}, {"exec": EXEC})

    def read(*commands: str) -> Any:
        trust = Trust(commands=commands)
        if own:
            return sources.own(context="", paths=[path], trust=trust)
        return sources.foreign(path, context="", trust=trust)

    for commands in ((), ("aw",), ("/usr/bin/aws",)):
        with pytest.raises(errors.Refused, match=r"exec.*runs `aws` here") as caught:
            read(*commands)
        assert "--allow-exec aws" in caught.value.hint
        assert caught.value.code == "kubeconfig.refused"
    found = read("gcloud", "aws")
    assert (found.kind, json.loads(found.plugin)["users"][0]["user"]["exec"]["args"]) == ("exec", ["eks", "get-token"])


def test_a_token_beside_a_plugin_does_not_hide_it(tmp_path: Path) -> None:
    path = config(tmp_path / "config", {}, {"exec": EXEC, "token": CANARY})
    with pytest.raises(errors.Refused, match="exec") as caught:
        sources.own(context="", paths=[path], trust=Trust())
    assert CANARY not in caught.value.message + caught.value.hint


def test_auth_providers_are_never_registered(tmp_path: Path) -> None:
    path = config(tmp_path / "config", {}, {"auth-provider": {"name": "gcp", "config": {"cmd-path": "aws"}}})
    with pytest.raises(errors.Refused, match="auth-provider"):
        sources.own(context="", paths=[path], trust=Trust(commands=("aws",)))


def test_files_beside_ones_own_kubeconfig_are_copied_and_those_of_others_are_not_read(
    tmp_path: Path, pair: certs.Pair
) -> None:
    (tmp_path / "ca.crt").write_bytes(pair.authority)
    path = config(tmp_path / "config", {"certificate-authority": "ca.crt"}, {"token": "t"})
    assert sources.own(context="", paths=[path], trust=Trust()).ca == pair.authority.decode()
    with pytest.raises(errors.Refused, match="reads a file"):
        sources.foreign(path, context="", trust=Trust())


@pytest.mark.parametrize("own", [True, False])
def test_verification_is_off_only_when_it_was_asked_for(tmp_path: Path, own: bool) -> None:
    path = config(tmp_path / "config", {"insecure-skip-tls-verify": True}, {"token": "t"})

    def read(trust: Trust) -> Any:
        if own:
            return sources.own(context="", paths=[path], trust=trust)
        return sources.foreign(path, context="", trust=trust)

    with pytest.raises(errors.Refused, match="insecure-skip-tls-verify"):
        read(Trust())
    assert read(Trust(insecure=True)).insecure
    verified = config(tmp_path / "config", {}, {"token": "t"})
    assert path == verified
    assert not read(Trust(insecure=True)).insecure  # the flag allows it, and sets nothing


def test_a_user_without_a_login_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path / "config", {}, {})
    with pytest.raises(errors.Refused, match="nothing to log in with"):
        sources.foreign(path, context="", trust=Trust())


# --- piece by piece ---


def parts(trust: Trust | None = None, **given: Any) -> Any:
    made = sources.Parts(**{"server": "https://10.0.0.1:6443", **given})
    return sources.parts(made, doing="register cluster eu-1", trust=trust or Trust())


def test_a_cluster_is_described_piece_by_piece(tmp_path: Path, pair: certs.Pair) -> None:
    for name, text in (("ca", pair.authority), ("cert", pair.certificate), ("key", pair.key), ("token", b"abc\n")):
        (tmp_path / name).write_bytes(text)
    found = parts(ca_file=f"{tmp_path}/ca", token_file=f"{tmp_path}/token", server_name="inner")
    assert (found.token, found.kind, found.server_name, found.token_file) == ("abc", "token", "inner", "")
    found = parts(ca_file=f"{tmp_path}/ca", certificate_file=f"{tmp_path}/cert", key_file=f"{tmp_path}/key")
    assert found.kind == "clientCertificate"
    end = expiry.of(found)
    assert end is not None
    assert abs(end.timestamp() - expiry.of_certificate(pair.certificate.decode())) < 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"server": "10.0.0.1"}, "is not an address"),
        ({"server": "http://10.0.0.1"}, "is not an address"),
        ({"certificate_file": "a.crt"}, "two files"),
        ({"token_file": "/nowhere/token"}, "read token /nowhere/token: No such file"),
        ({"insecure": True}, "verification of the server would be off"),
        ({}, "nothing to log in with"),
        ({"plugin": {"command": "aws"}}, "runs `aws` here"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.AppError) as caught:
        parts(**given)
    assert says in caught.value.message


def test_damaged_files_are_told_before_anything_is_sent(tmp_path: Path, pair: certs.Pair) -> None:
    (tmp_path / "bad").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "token").write_text("t")
    (tmp_path / "cert").write_bytes(pair.certificate)
    (tmp_path / "other").write_bytes(certs.make().key)
    with pytest.raises(errors.Unauthorized, match="load the certificates"):
        parts(ca_file=f"{tmp_path}/bad", token_file=f"{tmp_path}/token")
    with pytest.raises(errors.Unauthorized, match="load the certificates"):
        parts(certificate_file=f"{tmp_path}/cert", key_file=f"{tmp_path}/other")
    with pytest.raises(errors.SourceError, match="it is not text"):
        parts(token_file=f"{tmp_path}/bytes")
    with pytest.raises(errors.UsageError, match="is empty"):
        parts(token_file=f"{tmp_path}/empty")


def test_outside_of_a_pod_there_is_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(errors.NotFound, match="this is no pod"):
        sources.in_cluster()


# --- how long they last ---


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


def test_a_token_tells_when_it_ends() -> None:
    credentials = kubeconfig.Credentials
    assert expiry.of_token(jwt(exp=1_800_000_000)) == 1_800_000_000
    assert expiry.of(credentials("https://x", token=jwt(exp=1_800_000_000))).timestamp() == 1_800_000_000
    assert expiry.of(credentials("https://x", token="opaque")) is None
    assert expiry.of(credentials("https://x", token=jwt(sub="a"))) is None
    # What renews itself does not end.
    assert expiry.of(credentials("https://x", token=jwt(exp=1), token_file="/var/run/token")) is None


def test_what_is_no_certificate_tells_nothing() -> None:
    for text in (
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "\n-----END CERTIFICATE-----",
    ):
        assert expiry.of_certificate(text) == 0.0


def test_a_warning_comes_in_time_and_says_how_much_is_left() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def warned(**left: float) -> str:
        return expiry.warning(now + timedelta(**left), now)

    assert (warned(days=15), expiry.warning(None, now)) == ("", "")
    assert warned(days=13, hours=23) == "its credentials end in 13 days"
    assert warned(hours=25) == "its credentials end in 1 day"
    assert warned(hours=5.5) == "its credentials end in 5 hours"
    assert warned(minutes=5) == "its credentials end in less than an hour"
    assert warned(days=-3) == "its credentials ended 3 days ago"
