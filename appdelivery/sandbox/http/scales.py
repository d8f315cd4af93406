"""The scale subresource over HTTP: an object as its Scale, whatever is scaled.  What a write changes, `writes` knows."""

from __future__ import annotations

from appdelivery.sandbox import status, writes
from appdelivery.sandbox.http import answers, bodies, negotiate, parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind


def serve(call: Call, kind: Kind) -> Answer:
    cluster, request = call.cluster, call.request
    item = cluster.collection(kind).get(request.key)
    if request.verb == "get":
        negotiate.form(request.accept)
        if item is None:
            raise status.not_found(kind, request.name)
        return answers.of(writes.scale_of(kind, writes.read(cluster, kind, item)))
    form = bodies.form_of_patch(request.content_type) if request.verb == "patch" else ""
    options = parameters.writing(request, apply=form == "apply")
    if form:
        sent = bodies.read_patch(form, call.body).tree
    else:
        sent = bodies.read(kind, request.content_type, call.body, called="Scale").tree
    if item is None:
        raise status.not_found(kind, request.name)
    if form == "apply":
        written = writes.apply(cluster, kind, request.key, sent, options)
    elif form:
        written = writes.patch(cluster, kind, request.key, form, sent, options)
    else:
        written = writes.replace(cluster, kind, request.key, sent, options)
    return answers.of(written.body)
