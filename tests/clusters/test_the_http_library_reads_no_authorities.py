"""Importing the transport leaves aiohttp's own TLS contexts empty, and nothing else changed by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

CODE = """
import json, os, ssl
before = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
from appdelivery.clusters import credentials, transport
from aiohttp import connector
own = connector._SSL_CONTEXT_VERIFIED
ours = credentials.tls(credentials.Credentials("https://cluster.example"), "x")
print(json.dumps({
    "environment": before == {name: os.environ.get(name) for name in before},
    "authorities": own.cert_store_stats()["x509_ca"],
    "verifies": own.verify_mode == ssl.CERT_REQUIRED and own.check_hostname,
    "same": ours.cert_store_stats() == ssl.create_default_context().cert_store_stats(),
}))
"""


def _told(**environment: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_librarys_own_contexts_trust_nobody() -> None:
    told = _told()
    assert told["authorities"] == 0
    assert told["verifies"]


def test_a_cluster_without_a_ca_is_checked_by_the_systems_authorities() -> None:
    assert _told()["same"]


def test_the_users_authorities_are_left_as_they_were(tmp_path) -> None:
    told = _told(SSL_CERT_FILE=str(tmp_path / "none.pem"))
    assert told["environment"]
    assert told["same"]
