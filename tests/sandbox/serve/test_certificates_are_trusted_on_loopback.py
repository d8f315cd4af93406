"""The sandbox's authority: its leaf is good for loopback and for nothing else."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from appdelivery.sandbox import certs


def met(pair, tmp_path, name):
    """A TLS handshake in memory, with everything a strict client looks at."""
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client_context = ssl.create_default_context(cadata=pair.authority.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname=name)
    server = server_context.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version()


@pytest.fixture(scope="module")
def pair():
    return certs.make()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_strict_client_trusts_it_on_loopback(pair, tmp_path, name):
    assert met(pair, tmp_path, name) == "TLSv1.3"


def test_no_client_trusts_it_for_another_name(pair, tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        met(pair, tmp_path, "example.com")


def test_another_sandbox_is_not_trusted(pair, tmp_path):
    other = certs.make()
    mixed = certs.Pair(other.authority, pair.certificate, pair.key)
    with pytest.raises(ssl.SSLCertVerificationError):
        met(mixed, tmp_path, "127.0.0.1")


def test_it_is_renewed_before_it_ends(pair):
    assert certs.lasting(pair.certificate)
    assert not certs.lasting(pair.certificate, datetime.now(UTC) + timedelta(days=820))
    assert not certs.lasting(b"no certificate")
