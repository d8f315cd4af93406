"""`Kind`: one resource type in one version, as discovery describes it; `Kinds`: all that a cluster serves, by path and name.

Versions of one kind share their objects: `Kind.family` names the collection they are kept in.
"""

from __future__ import annotations

import functools

from appdelivery.sandbox import schemas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from appdelivery.sandbox.schemas import Node, Schemas

Family = tuple[str, str]  # (group, plural): what is stored together
ELSEWHERE: dict[Family, Family] = {("events.k8s.io", "events"): ("", "events")}  # one collection under two groups
PLAIN = (
    {"name": "Name", "type": "string", "format": "name", "priority": 0},
    {"name": "Age", "type": "date", "format": "", "priority": 0},
)


class Kind:
    """discovery: the entry of aggregated discovery; schema: {} = anything; definition: the CRD that made it."""

    __slots__ = (
        "api_version", "columns", "definition", "discovery", "family", "group", "kind", "namespaced", "plural", "schema",
        "subresources", "verbs", "version",
    )  # fmt: skip

    def __init__(
        self,
        group: str,
        version: str,
        discovery: dict[str, Any],
        schema: Node,
        *,
        columns: Any = PLAIN,
        definition: dict[str, Any] | None = None,
    ) -> None:
        self.group = group
        self.version = version
        self.plural: str = discovery["resource"]
        self.kind: str = discovery["responseKind"]["kind"]
        self.namespaced: bool = discovery["scope"] == "Namespaced"
        self.verbs: frozenset[str] = frozenset(discovery["verbs"])
        self.subresources: frozenset[str] = frozenset([s["subresource"] for s in discovery.get("subresources", ())])
        self.api_version = f"{group}/{version}" if group else version
        self.family: Family = ELSEWHERE.get((group, self.plural), (group, self.plural))
        self.discovery = discovery
        self.schema = schema
        self.columns = columns
        self.definition = definition

    @property
    def qualified(self) -> str:
        """As messages name the type: pods, deployments.apps."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def details(self, name: str) -> dict[str, str]:
        """Of a Status."""
        found = {"name": name, "group": self.group, "kind": self.plural}
        return {key: value for key, value in found.items() if value}

    def __repr__(self) -> str:
        return f"{self.api_version} {self.kind}"


class Kinds:
    """What a cluster serves.  Custom kinds come and go; `revision` tells caches of discovery and OpenAPI that they did."""

    def __init__(self, known: Schemas, kinds: Iterable[Kind]) -> None:
        self.schemas = known
        self.revision = 0
        self._by_path: dict[tuple[str, str, str], Kind] = {}  # (group, version, plural)
        self._by_name: dict[tuple[str, str], Kind] = {}  # (apiVersion, kind)
        self._groups: dict[str, dict[str, dict[str, Kind]]] = {}  # group to version to plural, in order of preference
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        self.revision += 1
        self._by_path[kind.group, kind.version, kind.plural] = kind
        self._by_name[kind.api_version, kind.kind] = kind
        self._groups.setdefault(kind.group, {}).setdefault(kind.version, {})[kind.plural] = kind

    def remove(self, kind: Kind) -> None:
        """A custom kind whose definition is gone; empty versions and groups go with it."""
        self.revision += 1
        del self._by_path[kind.group, kind.version, kind.plural]
        self._by_name.pop((kind.api_version, kind.kind), None)
        versions = self._groups[kind.group]
        del versions[kind.version][kind.plural]
        if not versions[kind.version]:
            del versions[kind.version]
        if not versions:
            del self._groups[kind.group]

    def at(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_path.get((group, version, plural))

    def named(self, api_version: str, kind: str) -> Kind | None:
        return self._by_name.get((api_version, kind))

    def of_family(self, family: Family) -> list[Kind]:
        """Every version of what is stored together."""
        return [kind for kind in self._by_path.values() if kind.family == family]

    def groups(self) -> dict[str, dict[str, dict[str, Kind]]]:
        return self._groups

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._by_path.values()))


def of(version: str = schemas.NEWEST) -> Kinds:
    """What a new cluster serves."""
    return Kinds(schemas.of(version), _recorded(version))


@functools.cache
def _recorded(version: str) -> tuple[Kind, ...]:
    """The kinds of a recorded server, in its order; clusters share them."""
    document, known = schemas.recorded(version), schemas.of(version)
    named = {
        (gvk["group"], gvk["version"], gvk["kind"]): definition
        for definition in document["definitions"].values()
        for gvk in definition.get("x-kubernetes-group-version-kind", ())
    }
    found = []
    for group in document["groups"]:
        name = group["metadata"].get("name", "")
        for version_ in group["versions"]:
            for entry in version_["resources"]:
                schema = known.node(named.get((name, version_["version"], entry["responseKind"]["kind"])))
                columns = document["columns"].get(f"{name}/{version_['version']}/{entry['resource']}", PLAIN)
                found.append(Kind(name, version_["version"], entry, schema, columns=columns))
    return tuple(found)
