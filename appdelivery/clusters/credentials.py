"""`Credentials`: how one cluster is reached under one identity, and the TLS context made of them.

Made by kubeconfig.py, kept encrypted by the store as a plain tree, used by transport.py.  Key material stays in
memory: the TLS library reads files only, so it gets anonymous ones, or a private folder for the moment of loading.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from appdelivery import errors

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Credentials:
    server: str  # https://host:port[/path]
    ca: str = ""  # PEM; '' = the system's authorities
    insecure: bool = False  # no verification of the server: only where somebody asked for it
    server_name: str = ""  # tls-server-name
    proxy: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""  # read again by age: in-cluster accounts, tokenFile
    certificate: str = field(default="", repr=False)  # PEM
    key: str = field(default="", repr=False)  # PEM
    impersonate: tuple[tuple[str, str], ...] = ()  # headers Impersonate-*
    plugin: str = field(default="", repr=False)  # kubeconfig (JSON) of an exec or auth-provider user, for kr8s
    namespace: str = ""  # of the context; '' = none named

    @property
    def renewable(self) -> bool:
        return bool(self.token_file or self.plugin)

    @property
    def kind(self) -> str:
        """As the registry calls it; '' = there is nothing to log in with."""
        forms = (("exec", self.plugin), ("token", self.token or self.token_file), ("clientCertificate", self.certificate))
        return next((word for word, given in forms if given), "")


def to_tree(credentials: Credentials) -> dict[str, Any]:
    """A plain tree of what is set, key material in clear: only for the store's cipher."""
    tree = {one.name: getattr(credentials, one.name) for one in fields(credentials)}
    return {name: value for name, value in tree.items() if value}


def from_tree(tree: dict[str, Any]) -> Credentials:
    headers = tuple([(str(name), str(value)) for name, value in tree.get("impersonate", ())])
    return Credentials(**{**tree, "impersonate": headers})


def tls(credentials: Credentials, cluster: str) -> ssl.SSLContext | bool:
    """The TLS context; False for a plain-text address."""
    if credentials.server.startswith("http://"):
        return False
    try:
        context = ssl.create_default_context(cadata=credentials.ca or None)
        if credentials.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if credentials.certificate:
            with _file(credentials.certificate + "\n" + credentials.key) as path:
                context.load_cert_chain(path)
    except (ssl.SSLError, ValueError) as error:
        raise errors.Unauthorized(
            f"load the certificates of cluster {cluster}: {getattr(error, 'reason', None) or error}",
            code="cluster.bad-certificate",
            hint="the CA or client certificate of the kubeconfig is damaged, or the key does not belong to it",
        ) from error
    return context


@contextlib.contextmanager
def _file(content: str) -> Iterator[str]:
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        anonymous = os.memfd_create("key")
        try:
            os.write(anonymous, content.encode())
            yield f"/proc/self/fd/{anonymous}"
        finally:
            os.close(anonymous)
    else:
        with tempfile.TemporaryDirectory(prefix="appctl-") as folder:
            path = os.path.join(folder, "pem")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(content)
            yield path
