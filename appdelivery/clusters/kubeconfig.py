"""The one kubeconfig parser: the user's own file as kubectl would use it, and what is copied from one for registration.

Own: static credentials inline or by path, exec plugins, auth providers, in-cluster accounts.  Foreign (`own=False`): only
addresses, inline certificates and tokens survive; whatever would run a program or read a file here is refused.  What is
copied out of the user's own file (`trust`) may come from files beside it, but a program still needs to be allowed by name:
the copy outlives the file.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from appdelivery import errors
from appdelivery.clusters.credentials import Credentials
from appdelivery.language.text import yaml_in
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed, record

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
READS = ("tokenFile", "client-certificate", "client-key", "certificate-authority")  # files, by path
# Shapes of the fields we read; everything else is ignored.  Scalars that YAML made numbers count as text.
SHAPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("server", "tls-server-name", "proxy-url", "certificate-authority", "tokenFile"), (str,)),
    **dict.fromkeys(("client-certificate", "client-key", "cluster", "user", "namespace"), (str,)),
    **dict.fromkeys(("token", "as", "as-uid"), (str, int)),
    **dict.fromkeys(("certificate-authority-data", "client-certificate-data", "client-key-data"), (str,)),
    **dict.fromkeys(("exec", "auth-provider", "as-user-extra"), (dict,)),
    "as-groups": (list,),
    "insecure-skip-tls-verify": (bool,),
}
NOT_SUPPORTED = ("username", "password")  # Kubernetes itself dropped them


@record
class Context:
    name: str
    cluster: str
    user: str
    namespace: str
    current: bool


@record
class Trust:
    """What may be taken into the registry, from a kubeconfig or a document."""

    insecure: bool = False  # insecure-skip-tls-verify was asked for by name
    proxies: tuple[str, ...] = ()  # proxy URLs the operator allows
    commands: tuple[str, ...] = ()  # credential plugins the operator allows, as the kubeconfig names them


def parse(data: bytes, *, own: bool, context: str = "", file: str = "kubeconfig", trust: Trust | None = None) -> Credentials:
    """Credentials of one context (default: the current one).  Raises SpecError, NotFound or Refused."""
    document = _document(data, file)
    return _credentials([(document, file)], own=own, context=context, trust=trust if own else trust or Trust())


def contexts(data: bytes, file: str = "kubeconfig") -> tuple[Context, ...]:
    """What a kubeconfig offers, in its order."""
    document = _document(data, file)
    current = document.get("current-context") or ""
    return tuple(
        [
            Context(name, one.get("cluster", ""), one.get("user", ""), one.get("namespace") or "", name == current)
            for name, one, _ in _named([(document, file)], "contexts", "context")
        ]
    )


def current(paths: Sequence[str] = ()) -> str:
    """The current context of the user's own kubeconfig; '' where there is none."""
    return _chosen(_own_documents(paths))


def names(paths: Sequence[str] = ()) -> list[str]:
    """Every context of the user's own kubeconfig, in its order."""
    return [name for name, _, _ in _named(_own_documents(paths), "contexts", "context")]


def read(*, context: str = "", paths: Sequence[str] = (), trust: Trust | None = None) -> Credentials:
    """The user's own: the given files, else $KUBECONFIG, else ~/.kube/config, else the account of this pod.
    trust: they are copied into the registry, and what it does not allow is refused."""
    documents = _own_documents(paths)
    if documents:
        return _credentials(documents, own=True, context=context, trust=trust)
    if not context and os.environ.get("KUBERNETES_SERVICE_HOST") and os.path.exists(f"{ACCOUNT}/token"):
        return in_cluster()
    places = _places(paths)
    raise errors.NotFound(
        f"find a cluster: {' and '.join(places)} {'does' if len(places) == 1 else 'do'} not exist",
        code="kubeconfig.missing",
        hint="set KUBECONFIG or pass --kubeconfig FILE",
    )


def in_cluster(folder: str = ACCOUNT) -> Credentials:
    """The service account of the pod we run in; its token file is read again as it is renewed."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = f"{folder}/namespace"
    return Credentials(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca=content(f"{folder}/ca.crt", "the service account").decode(),
        token_file=f"{folder}/token",
        namespace=content(namespace, "the service account").decode().strip() if os.path.exists(namespace) else "",
    )


def _places(paths: Sequence[str]) -> list[str]:
    named = list(paths) or [one for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    return named or [os.path.expanduser("~/.kube/config")]


def _own_documents(paths: Sequence[str]) -> list[tuple[dict[str, Any], str]]:
    for path in paths:
        if not os.path.exists(path):
            raise errors.SourceError(f"read kubeconfig {path}: there is no such file", code="kubeconfig.missing")
    found = [path for path in _places(paths) if os.path.exists(path)]
    return [(_document(content(path, "kubeconfig"), path), path) for path in found]


def _chosen(documents: list[tuple[dict[str, Any], str]]) -> str:
    """The current context as kubectl finds it: the first file that names one; a file's only context counts as named."""
    named = next((document["current-context"] for document, _ in documents if document.get("current-context")), "")
    everything = _named(documents, "contexts", "context")
    return named or (everything[0][0] if len(everything) == 1 else "")


def _document(data: bytes, file: str) -> dict[str, Any]:
    documents = _loaded(data, file)
    shape = documents[0] if len(documents) == 1 and isinstance(documents[0], dict) else {}
    if "clusters" not in shape or not isinstance(shape.get("current-context") or "", str):
        raise _wrong(file, (), "this is no kubeconfig: one document with clusters, users and contexts is expected")
    return shape


def _loaded(data: bytes, file: str) -> list[Any]:
    """Programs write JSON, which is YAML too, whatever the file is called; read as JSON it needs no YAML library."""
    if data[:1] == b"{":
        from appdelivery.language.text import json_in

        with contextlib.suppress(errors.SpecError):
            return json_in.load(data, file, yaml_in.LIMITS)
    try:
        return yaml_in.load(data, file)
    except errors.SpecError as error:  # its lines hold tokens and keys: the place is told, not what stands there
        raise errors.SpecError([changed(problem, excerpt="") for problem in error.problems]) from None


def _credentials(
    documents: list[tuple[dict[str, Any], str]], *, own: bool, context: str, trust: Trust | None
) -> Credentials:
    all_contexts = _named(documents, "contexts", "context")
    name = context or _chosen(documents)
    if not name:
        raise errors.NotFound(
            f"choose a cluster: {documents[0][1]} has no current context",
            code="kubeconfig.context",
            hint=f"name one with --context: {', '.join([one for one, _, _ in all_contexts])}",
        )
    chosen, _ = _find(all_contexts, name, "context")
    cluster, cluster_file = _find(_named(documents, "clusters", "cluster"), chosen.get("cluster", ""), "cluster")
    users = _named(documents, "users", "user")
    user, user_file = _find(users, chosen["user"], "user") if chosen.get("user") else ({}, cluster_file)
    _check(cluster, user, own=own, trust=trust, file=cluster_file)
    at_cluster, at_user = (cluster, cluster_file), (user, user_file)
    return Credentials(
        server=str(cluster["server"]).rstrip("/"),
        ca=_pem(at_cluster, "certificate-authority"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=cluster.get("tls-server-name") or "",
        proxy=cluster.get("proxy-url") or "",
        token=str(user.get("token") or ""),
        token_file=_beside(user_file, user["tokenFile"]) if user.get("tokenFile") else "",
        certificate=_pem(at_user, "client-certificate"),
        key=_pem(at_user, "client-key"),
        impersonate=_impersonation(user, user_file),
        plugin=_plugin(cluster, user, user_file),
        namespace=chosen.get("namespace") or "",
    )


def _check(cluster: dict[str, Any], user: dict[str, Any], *, own: bool, trust: Trust | None, file: str) -> None:
    if not is_address(cluster.get("server") or ""):
        raise _wrong(file, ("clusters",), "the cluster's server is not an address such as https://10.0.0.1:6443")
    for field in NOT_SUPPORTED:
        if user.get(field):
            raise _refused(file, field, "is not supported: Kubernetes dropped passwords in 1.19")
    if trust is None:
        return
    if not cluster["server"].startswith("https:"):
        raise _refused(file, "server", "is not encrypted: only https addresses are registered")
    _check_programs(user, trust, file)
    for part in () if own else (cluster, user):
        for field in READS:
            if part.get(field):
                hint = "put the data itself into the file: `kubectl config view --raw --flatten --minify`"
                why = "reads a file where the file is read, which is allowed for your own file only"
                raise _refused(file, field, why, hint)
    if cluster.get("insecure-skip-tls-verify") and not trust.insecure:
        hint = "give the cluster's CA, or ask for it with --insecure-skip-tls-verify"
        raise _refused(file, "insecure-skip-tls-verify", "turns verification of the server off", hint)
    if cluster.get("proxy-url") and not own and cluster["proxy-url"] not in trust.proxies:
        raise _refused(file, "proxy-url", f"names {cluster['proxy-url']}, which the operator did not allow")


def _check_programs(user: dict[str, Any], trust: Trust, file: str) -> None:
    """Whoever registers a cluster decides which programs run here from then on, at any time and without a question."""
    if user.get("auth-provider"):
        hint = "Kubernetes dropped auth providers in 1.26: use your provider's exec plugin"
        raise _refused(file, "auth-provider", "runs a program where the cluster is used, and is not registered", hint)
    if (plugin := user.get("exec")) and (reason := untrusted(plugin, trust)) is not None:
        raise _refused(file, "exec", *reason)


def untrusted(plugin: dict[str, Any], trust: Trust) -> tuple[str, str] | None:
    """Why an exec plugin may not be registered, and what to do; None = it may."""
    command = plugin.get("command")
    if isinstance(command, str) and command and command in trust.commands:
        return None
    named = f"`{command}`" if isinstance(command, str) and command else "a program"
    hint = (
        "a kubeconfig from elsewhere could run anything as you. If you know this program, allow it by name: "
        f"--allow-exec {command or 'COMMAND'}\nor register a token or a client certificate"
    )
    return f"runs {named} here whenever the cluster's token ends, also when nobody looks", hint


def is_address(server: str) -> bool:
    """https://host:port, and nothing that would send credentials elsewhere."""
    try:
        address = urlsplit(server)
        plain = not (address.query or address.fragment or address.username) and address.port != 0
    except ValueError:
        return False
    return address.scheme in ("https", "http") and bool(address.hostname) and plain and server.isascii()


def _named(documents: list[tuple[dict[str, Any], str]], plural: str, inner: str) -> list[tuple[str, dict[str, Any], str]]:
    """(name, body, file) of every entry; of equal names the first wins, as with kubectl."""
    found: dict[str, tuple[str, dict[str, Any], str]] = {}
    for document, file in documents:
        entries = document.get(plural) or []
        for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            body = entry.get(inner) if isinstance(entry, dict) else None
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not isinstance(body, dict | None):
                raise _wrong(file, (plural, index), f"an entry of {plural} has a name and a map `{inner}`")
            _shaped(body or {}, file, (plural, index, inner))
            found.setdefault(entry["name"], (entry["name"], body or {}, file))
    return list(found.values())


def _shaped(body: dict[str, Any], file: str, path: tuple[str | int, ...]) -> None:
    for field, value in body.items():
        if value is not None and field in SHAPES and not isinstance(value, SHAPES[field]):
            wanted = " or ".join([shape.__name__ for shape in SHAPES[field]])
            raise _wrong(file, (*path, field), f"`{field}` is a {type(value).__name__}, expected {wanted}")


def _find(entries: list[tuple[str, dict[str, Any], str]], name: str, what: str) -> tuple[dict[str, Any], str]:
    for one, body, file in entries:
        if one == name:
            return body, file
    known = ", ".join([one for one, _, _ in entries]) or "none"
    raise errors.NotFound(
        f"choose a cluster: the kubeconfig has no {what} '{name}'", code=f"kubeconfig.{what}", hint=f"it has: {known}"
    )


def _pem(at: tuple[dict[str, Any], str], field: str) -> str:
    """Inline data wins over a path, as with kubectl."""
    body, file = at
    if data := body.get(f"{field}-data"):
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise _wrong(file, (), f"{field}-data is not the base64 of a PEM text") from error
    return content(_beside(file, body[field]), field).decode() if body.get(field) else ""


def _beside(file: str, path: str) -> str:
    """Relative paths are meant from the folder of the file that names them."""
    return os.path.join(os.path.dirname(os.path.abspath(file)), path)


def content(path: str, what: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise errors.SourceError(f"read {what} {path}: {error.strerror}", code="kubeconfig.unreadable") from error


def _impersonation(user: dict[str, Any], file: str) -> tuple[tuple[str, str], ...]:
    headers = [("Impersonate-User", str(user["as"]))] if user.get("as") else []
    headers += [("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    for name, values in (user.get("as-user-extra") or {}).items():
        if not isinstance(values, list):
            raise _wrong(file, ("users",), "as-user-extra is a map of lists")
        headers += [(f"Impersonate-Extra-{name}", str(value)) for value in values]
    if headers and headers[0][0] != "Impersonate-User":
        raise _wrong(file, ("users",), "as-uid, as-groups and as-user-extra need `as`")
    if any("\n" in value or "\r" in value for header in headers for value in header):
        raise _wrong(file, ("users",), "an impersonated name holds a line break")
    return tuple(headers)


def _plugin(cluster: dict[str, Any], user: dict[str, Any], file: str) -> str:
    """A kubeconfig of one user for kr8s, which runs the plugin; it gets no key and no certificate to leave behind."""
    kept = {field: user[field] for field in ("exec", "auth-provider") if user.get(field)}
    if not kept:
        return ""
    command = (kept.get("exec") or {}).get("command") or ""
    if not isinstance(command, str):
        raise _wrong(file, ("users",), "the command of exec is a text")
    if "/" in command and not os.path.isabs(command):
        kept["exec"] = {**kept["exec"], "command": _beside(file, command)}
    return plugin_of(cluster["server"], kept)


def plugin_of(server: str, user: dict[str, Any]) -> str:
    """A kubeconfig with one user that logs in by a program."""
    only = "only"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": only,
            "contexts": [{"name": only, "context": {"cluster": only, "user": only}}],
            "clusters": [{"name": only, "cluster": {"server": server}}],
            "users": [{"name": only, "user": user}],
        }
    )


def _wrong(file: str, path: tuple[str | int, ...], message: str) -> errors.SpecError:
    return errors.SpecError([Problem(message, code="kubeconfig", path=path, file=file)])


def _refused(file: str, field: str, why: str, hint: str = "") -> errors.Refused:
    return errors.Refused(f"read {file}: `{field}` {why}", code="kubeconfig.refused", hint=hint)
