"""GET of one object and of lists: selectors, versions, pages that show one moment however long their reading takes."""

from __future__ import annotations

import base64
import json

from appdelivery.sandbox import status
from appdelivery.sandbox.http import gojson, negotiate, parameters, selectors, snapshots, views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.parameters import Wanted
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Collection, Item, Key

TOKENS = "meta.k8s.io/v1"
AGED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with "
    "the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
INVALID = "invalid continue token: continue key is not valid"
GONE = "The resourceVersion for the provided list is too old."


def get(call: Call, kind: Kind) -> Answer:
    request, cluster = call.request, call.cluster
    form = negotiate.form(request.accept)
    kept = cluster.collection(kind)
    least = parameters.reading({"resourceVersion": request.query.get("resourceVersion", "")}, watch=True).version or 0
    _check_future(call, least)
    if call.stale:
        revision = max(snapshots.reachable(kept, cluster.storage.revision, call.stale), least)
        item = snapshots.one(kept, revision, request.key)
    else:
        item = kept.get(request.key)
    if item is None:
        raise status.not_found(kind, request.name)
    return views.stored(cluster, kind, item, form, include=request.query.get("includeObject", ""))


def list(call: Call, kind: Kind) -> Answer:
    request, cluster = call.request, call.cluster
    form = negotiate.form(request.accept)
    wanted = parameters.reading(request.query, watch=False)
    test = selectors.matcher(kind, wanted.labels, wanted.fields)
    kept = cluster.collection(kind)
    namespace = request.namespace if kind.namespaced and request.namespace else None
    if wanted.token:
        revision, last = _position(wanted, kept, namespace)
    else:
        revision, last = _revision(call, wanted, kept), None
    if 0 <= revision < cluster.storage.revision:
        items = snapshots.at(kept, revision, namespace)
    else:
        items, revision = kept.items(namespace), cluster.storage.revision
    if test is not None:
        items = [item for item in items if test(item.body)]
    if last is not None:
        items = [item for item in items if item.key > last]
    metadata: dict[str, str | int] = {"resourceVersion": str(revision)}
    if wanted.limit and len(items) > wanted.limit:
        metadata["continue"] = token(revision, items[wanted.limit - 1].key, namespace)
        if test is None:
            metadata["remainingItemCount"] = len(items) - wanted.limit
        items = items[: wanted.limit]
    return views.many(cluster, kind, items, form, metadata=metadata, include=request.query.get("includeObject", ""))


def chosen(call: Call, kind: Kind) -> tuple[Sequence[Item], dict[str, str]]:
    """What a request for a whole collection names, as things stand, up to its limit; and the token of the rest."""
    wanted = parameters.reading(call.request.query, watch=False)
    test = selectors.matcher(kind, wanted.labels, wanted.fields)
    namespace = call.request.namespace if kind.namespaced and call.request.namespace else None
    items = call.cluster.collection(kind).items(namespace)
    if test is not None:
        items = [item for item in items if test(item.body)]
    if not wanted.limit or len(items) <= wanted.limit:
        return items, {}
    items = items[: wanted.limit]
    return items, {"continue": token(call.cluster.storage.revision, items[-1].key, namespace)}


def token(revision: int, last: Key, namespace: str | None) -> str:
    """The continue parameter: goes on behind the last key that was given."""
    start = f"/{last[1]}" if namespace is not None or not last[0] else f"/{last[0]}/{last[1]}"
    return _encoded(revision, start + "\0")


def _encoded(revision: int, start: str) -> str:
    text = json.dumps({"v": TOKENS, "rv": revision, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(wanted: Wanted, kept: Collection, namespace: str | None) -> tuple[int, Key]:
    """What a token says: the version of the list, and the last key that was given."""
    try:
        text = base64.urlsafe_b64decode(wanted.token + "=" * (-len(wanted.token) % 4))
        found = gojson.parse(text)
        revision, start = int(found["rv"]), str(found["start"])
    except gojson.WrongText as wrong:
        raise status.bad_request(f"{INVALID}: {wrong}") from None
    except (ValueError, KeyError, TypeError):
        raise status.bad_request(INVALID) from None
    if found.get("v") != TOKENS:
        raise status.bad_request(f"{INVALID}: server does not recognize this encoded version")
    if wanted.version:
        raise status.bad_request("specifying resource version is not allowed when using continue")
    if 0 <= revision < kept.floor:
        raise _Aged(_encoded(-1, start))
    first, _, second = start.rstrip("\0").removeprefix("/").rpartition("/")
    return revision, (namespace or first, second)


class _Aged(status.Refusal):
    """A page that is gone, with the token that goes on without consistency."""

    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", AGED)
        self._token = token

    def body(self) -> dict[str, object]:
        return super().body() | {"metadata": {"continue": self._token}}


def _revision(call: Call, wanted: Wanted, kept: Collection) -> int:
    """The version to show; -1 = as things stand."""
    _check_future(call, wanted.version or 0)
    if wanted.exact and wanted.version is not None:
        if wanted.version < kept.floor:
            raise status.expired(GONE)
        return wanted.version
    if call.stale:
        return max(snapshots.reachable(kept, call.cluster.storage.revision, call.stale), wanted.version or 0)
    return -1


def _check_future(call: Call, version: int) -> None:
    current = call.cluster.storage.revision
    if version > current:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Timeout: Too large resource version: {version}, current: {current}"
        raise status.Refusal(504, "Timeout", message, details={"causes": [cause], "retryAfterSeconds": 1})
