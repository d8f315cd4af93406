"""Where the credentials of a new cluster come from: a kubeconfig, single files, a plugin, or the pod we run in.

Called by platform when a cluster is registered.  What is static is copied, so that the registry does not break when a
file is moved; what renews itself (a plugin, the account of a pod, a `tokenFile` of one's own kubeconfig) stays a reference.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import credentials, kubeconfig
from appdelivery.model.record import record

if TYPE_CHECKING:
    from appdelivery.clusters.credentials import Credentials

LARGEST = 4 << 20  # bytes of a kubeconfig


@record
class Parts:
    """A cluster described piece by piece.  Files are named, never their content: arguments are seen by everybody."""

    server: str
    ca: str = ""  # PEM
    ca_file: str = ""
    token_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    plugin: dict[str, Any] | None = None  # exec, as in a kubeconfig
    server_name: str = ""
    proxy: str = ""
    insecure: bool = False


def foreign(path: str, *, context: str, trust: kubeconfig.Trust) -> Credentials:
    """A kubeconfig that somebody has given us."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST)
    except OSError as error:
        raise errors.SourceError(f"read kubeconfig {path}: {error.strerror}", code="kubeconfig.unreadable") from error
    return _with_login(kubeconfig.parse(data, own=False, context=context, file=path, trust=trust), path)


def own(*, context: str, paths: list[str], trust: kubeconfig.Trust) -> Credentials:
    """The user's own kubeconfig, as kubectl would read it."""
    return _with_login(kubeconfig.read(context=context, paths=paths, trust=trust), "the kubeconfig")


def in_cluster() -> Credentials:
    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise errors.NotFound(
            "register the cluster we run in: this is no pod, KUBERNETES_SERVICE_HOST is not set",
            code="kubeconfig.missing",
            hint="--in-cluster is for appctl inside a cluster; elsewhere give a context, or --server with --ca and --token-file",
        )
    return kubeconfig.in_cluster()


def parts(given: Parts, *, doing: str, trust: kubeconfig.Trust) -> Credentials:
    """doing: the start of a message, such as `register cluster eu-1`."""
    if not kubeconfig.is_address(given.server) or not given.server.startswith("https:"):
        raise errors.UsageError(f"{doing}: '{given.server[:200]}' is not an address such as https://10.0.0.1:6443")
    if given.insecure and not trust.insecure:
        raise errors.Refused(
            f"{doing}: verification of the server would be off",
            code="kubeconfig.refused",
            hint="give the cluster's CA, or ask for it with --insecure-skip-tls-verify",
        )
    if bool(given.certificate_file) != bool(given.key_file):
        raise errors.UsageError(f"{doing}: a client certificate is two files, the certificate and its key")
    if given.plugin is not None and (reason := kubeconfig.untrusted(given.plugin, trust)) is not None:
        raise errors.Refused(f"{doing}: exec {reason[0]}", code="kubeconfig.refused", hint=reason[1])
    made = credentials.Credentials(
        server=given.server.rstrip("/"),
        ca=given.ca or _text(given.ca_file, "CA"),
        insecure=given.insecure,
        server_name=given.server_name,
        proxy=given.proxy,
        token=_text(given.token_file, "token").strip(),
        certificate=_text(given.certificate_file, "client certificate"),
        key=_text(given.key_file, "client key"),
        plugin=kubeconfig.plugin_of(given.server, {"exec": given.plugin}) if given.plugin is not None else "",
    )
    if given.token_file and not made.token:
        raise errors.UsageError(f"{doing}: the token file {given.token_file} is empty")
    return _with_login(made, doing, flags=True)


def _with_login(found: Credentials, where: str, *, flags: bool = False) -> Credentials:
    credentials.tls(found, where)  # damaged certificates are told before anything is sent
    if not found.kind:
        what = f"{where}: there is nothing to log in with" if flags else f"read {where}: its user has nothing to log in with"
        raise errors.Refused(
            what, code="kubeconfig.refused", hint="a token, a client certificate or an exec plugin is needed"
        )
    return found


def _text(path: str, what: str) -> str:
    if not path:
        return ""
    try:
        return kubeconfig.content(path, what).decode()
    except UnicodeDecodeError:
        raise errors.SourceError(f"read {what} {path}: it is not text", code="kubeconfig.unreadable") from None
