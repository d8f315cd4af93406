"""`kind: Cluster` documents of appdelivery.dev/v1 (placement.md section 2): strict reading, problems with their places.

Called by platform for `appctl cluster add -f FILE`.  Secrets do not stand in such a document: it names files, a plugin, a
context of the kubeconfig, or the pod's own account.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import kubeconfig, sources
from appdelivery.model import labels as label_words
from appdelivery.model import reading_fields as shape
from appdelivery.model import wording
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.problem import Path

API, KIND = "appdelivery.dev/v1", "Cluster"
CODE = "cluster.document"
AUTH = ("exec", "tokenFile", "clientCertificate", "inCluster", "kubeconfigContext")
MOST_IN_FLIGHT = 64
SECRET = ("token", "password", "keydata", "client-key-data", "clientsecret")  # never a field, and yet written


@record
class Declared:
    """A document, checked.  auth: its kind and value; ('', None) = the credentials stay as they are."""

    name: str
    file: str
    document: int
    server: str
    ca: str  # PEM
    insecure: bool
    server_name: str
    auth: tuple[str, Any]
    description: dict[str, Any]  # labels, taints, prices, capacity, limits, region, zone, provider

    def parts(self) -> sources.Parts:
        kind, value = self.auth
        certificate = value if kind == "clientCertificate" else {}
        return sources.Parts(
            server=self.server,
            ca=self.ca,
            token_file=self._beside(value) if kind == "tokenFile" else "",
            certificate_file=self._beside(certificate.get("certificateFile", "")),
            key_file=self._beside(certificate.get("keyFile", "")),
            plugin={"apiVersion": "client.authentication.k8s.io/v1", **value} if kind == "exec" else None,
            server_name=self.server_name,
            insecure=self.insecure,
        )

    def _beside(self, path: str) -> str:
        """Paths are meant from the folder of the document."""
        return os.path.join(os.path.dirname(os.path.abspath(self.file)), path) if path else ""


def read(trees: Sequence[tuple[str, int, Any]]) -> list[Declared]:
    """(file, index, tree) of every document.  Raises SpecError with the problems of all of them."""
    found: list[Declared] = []
    problems: list[Problem] = []
    for file, index, tree in trees:
        reader = shape.Reader(file, index, lenient=False)
        with contextlib.suppress(shape.Enough):
            _document(reader, tree)
        problems += [changed(problem, code=CODE) for problem in reader.problems]
        if not reader.problems:
            found.append(_declared(tree, file, index))
    problems += _twice(found)
    if problems:
        raise errors.SpecError(problems)
    return found


def with_secrets(trees: Sequence[tuple[str, int, Any]]) -> set[str]:
    """Files in which somebody has written a secret out."""

    def secret(tree: Any) -> bool:
        if isinstance(tree, dict):
            return any(str(key).lower() in SECRET or secret(value) for key, value in tree.items())
        return isinstance(tree, list) and any(secret(item) for item in tree)

    return {file for file, _, tree in trees if secret(tree)}


def _twice(found: Sequence[Declared]) -> list[Problem]:
    first: dict[str, Declared] = {}
    problems = []
    for one in found:
        if (before := first.setdefault(one.name, one)) is not one:
            message = f"the cluster {one.name} is declared twice; first in {before.file}, document {before.document + 1}"
            problems.append(Problem(message, CODE, ("metadata", "name"), one.file, one.document))
    return problems


# --- what a field may hold ---


def _labels(reader: shape.Reader, path: Path, value: Any) -> None:
    if not reader.holds(shape.map_of(shape.any_text), path, value):
        return
    for key, text in value.items():
        if trouble := label_words.key_trouble(str(key)):
            reader.refuse((*path, key), trouble, at_key=True)
        elif trouble := label_words.value_trouble(text):
            reader.refuse((*path, key), trouble)


def _key(reader: shape.Reader, path: Path, value: Any) -> None:
    if reader.holds(shape.text, path, value) and (trouble := label_words.key_trouble(value)):
        reader.refuse(path, trouble)


def _value(reader: shape.Reader, path: Path, value: Any) -> None:
    if reader.holds(shape.any_text, path, value) and (trouble := label_words.value_trouble(value)):
        reader.refuse(path, trouble)


def _server(reader: shape.Reader, path: Path, value: Any) -> None:
    if reader.holds(shape.text, path, value) and not (kubeconfig.is_address(value) and value.startswith("https:")):
        reader.refuse(path, f"{wording.shown(value)} is not an address such as https://10.0.0.1:6443")


def _ca(reader: shape.Reader, path: Path, value: Any) -> None:
    if reader.holds(shape.text, path, value):
        try:
            _pem(value)
        except (binascii.Error, ValueError):
            reader.refuse(path, "expected the base64 of a PEM text, as in a kubeconfig's certificate-authority-data")


def _percent(reader: shape.Reader, path: Path, value: Any) -> None:
    """A share of the nodes, or an amount as Kubernetes writes it."""
    from appdelivery.model import quantity

    if isinstance(value, str) and value.endswith("%"):
        shape.share(reader, path, value)
        return
    if not reader.holds(shape.scalar, path, value):
        return
    try:
        quantity.parse(str(value))
    except ValueError:
        reader.refuse(path, f"expected a share such as 5% or an amount such as 2 or 4Gi, got {wording.kind(value)}")


def _price(reader: shape.Reader, path: Path, value: Any) -> None:
    if reader.holds(shape.number, path, value) and not 0 <= value < 1e9:
        reader.refuse(path, f"{value} is not a price for an hour")


def _auth(reader: shape.Reader, path: Path, value: Any) -> None:
    if reader.holds(_AUTH, path, value) and len(named := [key for key in value if value[key] is not None]) != 1:
        said = f"one way to log in is expected, here are {len(named)}"
        reader.refuse(path, said, f"one of {', '.join(AUTH)}")


_EXEC = shape.fields(
    {
        "command": shape.text,
        "args": shape.list_of(shape.any_text),
        "env": shape.list_of(shape.fields({"name": shape.text, "value": shape.any_text}, required=("name", "value"))),
        "apiVersion": shape.choice("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"),
        "provideClusterInfo": shape.flag,
    },
    required=("command",),
)
_INLINE = "a secret does not stand in a document; name a file: tokenFile, or clientCertificate with two files"
_AUTH = shape.fields(
    {
        "exec": _EXEC,
        "tokenFile": shape.text,
        "clientCertificate": shape.fields(
            {"certificateFile": shape.text, "keyFile": shape.text}, required=("certificateFile", "keyFile")
        ),
        "inCluster": shape.fields({}),
        "kubeconfigContext": shape.text,
    },
    refused={"token": _INLINE, "password": _INLINE, "oidc": "is not carried out by this version; use exec or tokenFile"},
)
_TAINT = shape.fields(
    {"key": _key, "value": _value, "effect": shape.choice(*label_words.EFFECTS)}, required=("key", "effect")
)
_PRICES = shape.fields(
    {"gpu": shape.map_of(_price), "vcpu": _price, "memoryGiB": _price, "currency": shape.text}, required=("currency",)
)
_CAPACITY = shape.fields(
    {"source": shape.choice("watch", "poll", "none"), "reserve": shape.fields({"cpu": _percent, "memory": _percent})}
)
_SPEC = shape.fields(
    {
        "server": _server,
        "caData": _ca,
        "tlsServerName": shape.text,
        "insecureSkipTLSVerify": shape.flag,
        "auth": _auth,
        "region": _value,
        "zone": _value,
        "provider": _value,
        "taints": shape.list_of(_TAINT, most=100),
        "prices": _PRICES,
        "capacity": _CAPACITY,
        "limits": shape.fields({"inFlight": shape.whole(1, MOST_IN_FLIGHT)}),
    }
)
_DOCUMENT = shape.fields(
    {
        "apiVersion": shape.choice(API),
        "kind": shape.choice(KIND),
        "metadata": shape.fields({"name": shape.label, "labels": _labels}, required=("name",)),
        "spec": _SPEC,
    },
    required=("apiVersion", "kind", "metadata", "spec"),
)


def _document(reader: shape.Reader, tree: Any) -> None:
    if not reader.holds(_DOCUMENT, (), tree):
        return
    spec = tree["spec"]
    auth = next(iter(spec.get("auth") or {}), "")
    if auth in ("exec", "tokenFile", "clientCertificate") and not spec.get("server"):
        reader.refuse(("spec",), "missing 'server': these credentials belong to an address")
    if auth in ("inCluster", "kubeconfigContext"):
        for field in ("server", "caData", "tlsServerName", "insecureSkipTLSVerify"):
            if spec.get(field):
                reader.refuse(("spec", field), f"{auth} brings its own {field}", at_key=True)


def _declared(tree: dict[str, Any], file: str, index: int) -> Declared:
    spec = tree["spec"]
    auth = next(iter([(kind, value) for kind, value in (spec.get("auth") or {}).items() if value is not None]), ("", None))
    return Declared(
        name=tree["metadata"]["name"],
        file=file,
        document=index,
        server=(spec.get("server") or "").rstrip("/"),
        ca=_pem(spec["caData"]) if spec.get("caData") else "",
        insecure=bool(spec.get("insecureSkipTLSVerify")),
        server_name=spec.get("tlsServerName") or "",
        auth=auth,
        description={
            "labels": tree["metadata"].get("labels") or {},
            "taints": [{**taint, "value": taint.get("value") or ""} for taint in spec.get("taints") or ()],
            **{name: spec.get(name) or {} for name in ("prices", "capacity", "limits")},
            **{name: spec.get(name) for name in ("region", "zone", "provider")},
        },
    )


def _pem(data: str) -> str:
    return base64.b64decode("".join(data.split()), validate=True).decode()
