"""From a path to what it names, by its form alone: access is decided before anybody knows whether the resource exists."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
OF_NAMESPACES = frozenset(["status", "finalize"])  # what else follows /namespaces/NAME/ is a resource in it


class Place(NamedTuple):
    """plural "" = no resource: discovery, health, documents.  rest: what follows the subresource."""

    verb: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def segments(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def place(method: str, path: str, query: Mapping[str, str]) -> Place:
    verb = VERBS.get(method, method.lower())
    parts = segments(path)
    if len(parts) >= 3 and parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return Place(verb)
    if parts[0] == "watch" and len(parts) > 1:  # the old form of ?watch=1
        verb, parts = "watch", parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in OF_NAMESPACES:
            parts = parts[2:]
    plural, name, subresource = (*parts, "", "")[:3]
    if not name:
        name, verb = _collection(method, verb, query)
    return Place(verb, group, version, plural, namespace, name, subresource, "/".join(parts[3:]))


def _collection(method: str, verb: str, query: Mapping[str, str]) -> tuple[str, str]:
    """A request for a collection may be for one name in it."""
    if verb == "delete":
        return "", "deletecollection"
    if method not in ("GET", "HEAD"):
        return "", verb
    wanted = verb == "watch" or ("watch" in query and query["watch"] not in ("false", "0"))
    return "", "watch" if wanted else "list"


def only_name(query: Mapping[str, str]) -> str:
    """The name that a field selector restricts a list to, for access; "" for none."""
    for term in query.get("fieldSelector", "").split(","):
        field, _, value = term.partition("=")
        if field == "metadata.name" and value:
            return value.removeprefix("=")
    return ""
