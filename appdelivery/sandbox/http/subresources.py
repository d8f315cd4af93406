"""What lies below an object: which of it is served and by whom."""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.http import bindings, evictions, logs, reviews, scales

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind

STREAMS = frozenset(["exec", "attach", "portforward", "proxy"])


def own(call: Call, kind: Kind) -> Answer | None:
    """The answer of a subresource that is not the object itself; None for those that are, such as status."""
    match call.request.subresource:
        case "scale":
            return scales.serve(call, kind)
        case "log":
            return logs.serve(call, kind)
        case "eviction":
            return evictions.serve(call, kind)
        case "token":
            return reviews.token(call, kind)
        case "binding":
            return bindings.serve(call, kind)
        case name if name in STREAMS:
            if call.cluster.collection(kind).get(call.request.key) is None:
                raise status.not_found(kind, call.request.name)
            message = f"the sandbox has no containers: {kind.plural}/{name} is not served"
            raise status.Refusal(501, "NotImplemented", message, details=kind.details(call.request.name))
    return None


def verbs(kind: Kind, subresource: str) -> list[str]:
    found = next(entry for entry in kind.discovery["subresources"] if entry["subresource"] == subresource)
    listed: list[str] = found["verbs"]
    return listed
