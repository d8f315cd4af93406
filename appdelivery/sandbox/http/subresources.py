"""What lies below an object: status, scale, log, eviction; exec and its like are refused."""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.http import lists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind


def verb(method: str, verb: str) -> str:
    return verb


def verbs(kind: Kind, subresource: str) -> list[str]:
    found = next(entry for entry in kind.discovery["subresources"] if entry["subresource"] == subresource)
    listed: list[str] = found["verbs"]
    return listed


def serve(call: Call, kind: Kind) -> Answer:
    from appdelivery.sandbox.http import resources

    request = call.request
    if request.subresource != "status":
        raise status.Refusal(501, "NotImplemented", "not served by the sandbox")
    if request.verb == "get":
        return lists.get(call, kind)
    if request.verb == "patch":
        return resources.patch(call, kind)
    return resources.replace(call, kind)
