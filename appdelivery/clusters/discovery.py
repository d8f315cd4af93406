"""What a cluster serves: the aggregated discovery documents, read once, refreshed by ETag, kept per cluster.

Called by fleet.py and cluster.py.  `to_tree` and `from_tree` let the store keep the facts between processes, so that
an ordinary command asks nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import together
from appdelivery.model.live import ClusterFacts, Served
from appdelivery.model.record import record
from appdelivery.model.refs import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appdelivery.clusters.transport import Transport

ACCEPT = ",".join(
    [f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")]
)


@record
class Page:
    """One discovery document as last read."""

    etag: str
    served: tuple[Served, ...]


async def read(transport: Transport, before: dict[str, Page]) -> tuple[ClusterFacts, dict[str, Page]]:
    """The facts now; `before` holds the documents of an earlier call and spares what did not change."""
    doing = f"read cluster {transport.name}"
    uid, version, core, groups = await together.all_of(
        (
            _uid(transport, doing),
            _version(transport, doing),
            _page(transport, "/api", before, doing),
            _page(transport, "/apis", before, doing),
        )
    )
    served = {one.kind: one for page in (core, groups) for one in page.served}
    after = {"/api": core, "/apis": groups}
    return ClusterFacts(transport.name, uid, version, served, datetime.now(UTC)), after


async def _page(transport: Transport, path: str, before: dict[str, Page], doing: str) -> Page:
    known = before.get(path)
    answer = await transport.request(
        "GET",
        path,
        doing=doing,
        accept=ACCEPT,
        etag=known.etag if known else "",
        max_bytes=transport.limits.list_bytes,
    )
    if answer.status == 304 and known:
        return known
    if not isinstance(answer.body, dict) or answer.body.get("kind") != "APIGroupDiscoveryList":
        raise errors.ClusterError(
            f"{doing}: {path} is not an aggregated discovery document",
            code="cluster.too-old",
            hint="Kubernetes 1.27 or newer is needed, and an address of an API server",
        )
    return Page(answer.etag, tuple(_served(answer.body["items"])))


def _served(groups: list[dict[str, Any]]) -> Iterable[Served]:
    """Every kind at every version, preferred versions first."""
    for group in groups:
        for version in group.get("versions") or ():
            for resource in version.get("resources") or ():
                kind = resource.get("responseKind") or {}
                if not kind.get("kind"):
                    continue
                yield Served(
                    Kind(group["metadata"].get("name", ""), version["version"], kind["kind"]),
                    resource["resource"],
                    resource.get("scope") == "Namespaced",
                    frozenset(resource.get("verbs") or ()),
                    frozenset([sub["subresource"] for sub in resource.get("subresources") or ()]),
                )


async def _uid(transport: Transport, doing: str) -> str:
    """Tells clusters apart whatever their address; '' where we may not look."""
    try:
        answer = await transport.request("GET", "/api/v1/namespaces/kube-system", doing=doing)
    except (errors.Forbidden, errors.Missing):
        return ""
    return str(_field(_field(answer.body, "metadata"), "uid") or "")


async def _version(transport: Transport, doing: str) -> str:
    return str(_field((await transport.request("GET", "/version", doing=doing)).body, "gitVersion") or "")


def _field(body: Any, name: str) -> Any:
    """None where the answer is not an API server's; what its discovery documents are not is said for all."""
    return body.get(name) if isinstance(body, dict) else None


def to_tree(facts: ClusterFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "uid": facts.uid,
        "version": facts.version,
        "read_at": facts.read_at.isoformat(),
        "served": [
            [
                *(one.kind.group, one.kind.version, one.kind.kind, one.plural, one.namespaced),
                sorted(one.verbs),
                sorted(one.subresources),
            ]
            for one in facts.served.values()
        ],
    }


def from_tree(tree: dict[str, Any]) -> ClusterFacts:
    served = {}
    for group, version, kind, plural, namespaced, verbs, subresources in tree["served"]:
        of = Kind(group, version, kind)
        served[of] = Served(of, plural, namespaced, frozenset(verbs), frozenset(subresources))
    return ClusterFacts(tree["name"], tree["uid"], tree["version"], served, datetime.fromisoformat(tree["read_at"]))
