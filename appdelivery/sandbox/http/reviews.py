"""Access reviews."""

from __future__ import annotations

from appdelivery.sandbox import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind

KINDS = frozenset([("authorization.k8s.io", "selfsubjectaccessreviews")])


def serve(call: Call, kind: Kind) -> Answer:
    raise status.method_not_allowed()
