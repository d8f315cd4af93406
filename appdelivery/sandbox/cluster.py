"""`Cluster`: one simulated cluster without a network; everything that serves or changes it is handed this one value."""

from __future__ import annotations

from appdelivery.sandbox import clock as clocks
from appdelivery.sandbox import kinds as kinds_
from appdelivery.sandbox import schemas, storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Collection, Item

    Admit = Callable[[Kind, Body, bool], None]  # (kind, complete body, dry run)


class Cluster:
    """name: as its kubeconfig context is called."""

    def __init__(self, name: str = "sandbox", *, clock: clocks.Clock | None = None, version: str = schemas.NEWEST) -> None:
        self.name = name
        self.clock = clock or clocks.Clock()
        self.version: dict[str, Any] = schemas.recorded(version)["version"]
        self.kinds = kinds_.of(version)
        self.storage = storage.Storage()
        self.establishing = 0.0  # controller seconds until a new custom kind is served
        self.admitting: list[Admit] = []  # asked before a new object is stored; a Refusal keeps it out

    @property
    def schemas(self) -> schemas.Schemas:
        return self.kinds.schemas

    def kind(self, api_version: str, kind: str) -> Kind:
        """A kind that is surely served: for controllers and tests."""
        found = self.kinds.named(api_version, kind)
        if found is None:
            raise KeyError(f"{api_version} {kind} is not served")
        return found

    def collection(self, kind: Kind) -> Collection:
        return self.storage.family(kind.family)

    def get(self, kind: Kind, namespace: str, name: str) -> Item | None:
        return self.collection(kind).get((namespace if kind.namespaced else "", name))
