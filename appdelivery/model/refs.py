"""Addresses: of an application, of a kind of objects, of one object, of many."""

from __future__ import annotations

from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@record
class AppKey:
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@record
class Kind:
    """A kind at a version; group is '' for the core API."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


@record
class Ref:
    """Address of one object.  The version is how we speak to it, not who it is: compare `identity`."""

    group: str
    version: str
    kind: str
    namespace: str  # '' for cluster-scoped objects
    name: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.group, self.kind, self.namespace, self.name

    @property
    def of(self) -> Kind:
        return Kind(self.group, self.version, self.kind)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        """Deployment shop/web, as messages name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@record
class Selector:
    """Label and field selectors in Kubernetes' own text form; '' selects everything."""

    labels: str = ""
    fields: str = ""


def kind_of(body: dict[str, Any]) -> Kind:
    group, _, version = body["apiVersion"].rpartition("/")
    return Kind(group, version, body["kind"])


def ref_of(body: dict[str, Any], namespace: str | None = None) -> Ref:
    """Address of an object as its body states it; `namespace` overrides what stands there."""
    group, _, version = body["apiVersion"].rpartition("/")
    metadata = body["metadata"]
    return Ref(
        group, version, body["kind"], metadata.get("namespace", "") if namespace is None else namespace, metadata["name"]
    )
