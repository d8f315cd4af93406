"""What an API server's refusal means, as one of our error families (delivery.md section 6, table of answers).

Called by transport.py for every answer that is no success; `doing` is the start of the message: what was being done, to
what, on which cluster.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from appdelivery import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRY_VERSION = "cluster.entry-version"  # our managedFields entry names a version the CRD no longer has
CONFLICT = re.compile(r'^conflicts? with ("(?:[^"\\]|\\.)*")(?: with subresource ("(?:[^"\\]|\\.)*"))?( using )?')
TYPED = "failed to create typed patch object"
TYPED_START = re.compile(rf"{TYPED} \([^)]*\): (?:errors: )?")
TYPED_VALUE = re.compile(r"&value\.valueUnstructured\{Value:(.*?)\}")  # how its library prints a value
FIELD = re.compile(r'(\.[\w.\[\]="/-]+): ([^.&]*[^.&\s])')
WEBHOOK = re.compile(r'failed calling webhook "([^"]+)"')
TOO_LARGE = ("request is too large", "Request entity too large", "etcdserver: request is too large", "limit is 3145728")


def error(status: int, body: Any, doing: str, *, after: float | None = None) -> errors.ClusterError:
    """The error for a failed answer; `body` is the Status object, or whatever text a proxy sent."""
    answer = body if isinstance(body, dict) else {}
    text = _text(body) or f"HTTP {status}"
    message = f"{doing}: {_in_words(text)}"
    reason = answer.get("reason", "")
    if status == 413 or any(sign in text for sign in TOO_LARGE):
        return errors.Rejected(
            message, code="cluster.too-large", status=413, hint="an object may have about 1.5 MiB; split it"
        )
    if status < 400:
        return errors.ClusterError(
            f"{doing}: the address answers with a redirect ({status}), which is not followed",
            code="cluster.redirect",
            hint="give the API server's own address: credentials are sent nowhere else",
        )
    if status in (400, 422, 405, 406, 415):
        return _rejected(message, status, text, answer)
    if status == 401:
        return errors.Unauthorized(message, hint="the credentials of this cluster are wrong or have expired")
    if status == 403:
        return _forbidden(message, text, answer)
    if status == 404:
        return _absent(message, text, answer)
    if status == 409:
        return _conflict(message, answer)
    if status == 410 or reason in ("Expired", "Gone"):
        return errors.Stale(message, code="cluster.expired")
    if status == 429:
        return errors.Throttled(message, after=after)
    if status == 504 or reason in ("Timeout", "ServerTimeout"):
        return errors.TimedOut(message, after=after)
    if status == 500:
        return _internal(message, text, answer, after)
    return errors.Unreachable(message, after=after)


def _rejected(message: str, status: int, text: str, answer: dict[str, Any]) -> errors.Rejected:
    fields = _fields(answer) or FIELD.findall(text.partition(TYPED)[2])
    return errors.Rejected(message, status=status, fields=fields, hint=_hint_of_rejection(text))


def _internal(message: str, text: str, answer: dict[str, Any], after: float | None) -> errors.ClusterError:
    """Three kinds of 500 are not the server's trouble."""
    if TYPED in text:  # of an apply: an undeclared field, a wrong type, a key twice
        return _rejected(message, 400, text, answer)
    if "request to convert CR" in text and "invalid group/version" in text:
        return errors.Rejected(message, code=ENTRY_VERSION, status=500)
    if webhook := WEBHOOK.search(text):
        hint = f"the admission webhook {webhook[1]} does not answer; look at its configuration and the Service it names"
        return errors.ClusterError(message, code="cluster.webhook", hint=hint, retryable=True, after=after)
    return errors.ClusterError(message, code="cluster.internal", retryable=True, after=after)


def _forbidden(message: str, text: str, answer: dict[str, Any]) -> errors.ClusterError:
    causes = [cause.get("reason") for cause in _details(answer).get("causes") or ()]
    if "NamespaceTerminating" in causes or "because it is being terminated" in text:
        hint = "the namespace is being deleted; it can be made again when it is gone"
        return errors.Forbidden(message, code="cluster.terminating", hint=hint, retryable=True)
    if "exceeded quota" in text:
        return errors.Forbidden(message, code="cluster.quota", hint="raise the ResourceQuota or lower the requests")
    return errors.Forbidden(message, hint=_grant(text))


def _grant(text: str) -> str:
    """The command that prints the missing right, when the text names it."""
    found = re.search(
        r'User "([^"]+)" cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]*)")?', text
    )
    if not found:
        return ""
    user, verb, plural, group, namespace = found.groups()
    kind = f"role appctl -n {namespace}" if namespace else "clusterrole appctl"
    resource = f"{plural}.{group}" if group else plural
    return (
        f"'{user}' lacks a right; an administrator can print it with: kubectl create {kind} --verb={verb} "
        f"--resource={resource} --dry-run=client -o yaml"
    )


def _absent(message: str, text: str, answer: dict[str, Any]) -> errors.ClusterError:
    """404 has two meanings: no such object (or namespace), and no such kind."""
    details = _details(answer)
    if not details.get("name") or "could not find the requested resource" in text:
        return errors.NotServed(message, hint="the cluster does not serve this kind at this version")
    if details.get("kind") == "namespaces":
        hint = f"namespace {details['name']} does not exist: create it, or let --create-namespace do it"
        return errors.Missing(message, code="cluster.missing-namespace", hint=hint)
    return errors.Missing(message)


def _conflict(message: str, answer: dict[str, Any]) -> errors.ClusterError:
    owners = []
    for cause in _details(answer).get("causes") or ():
        if cause.get("reason") == "FieldManagerConflict" and (found := CONFLICT.match(cause.get("message", ""))):
            manager, subresource = json.loads(found[1]), json.loads(found[2]) if found[2] else ""
            owners.append((manager, "Update" if found[3] else "Apply", subresource, cause.get("field", "")))
    if owners:
        return errors.FieldConflict(message, owners)
    return errors.Stale(message)


def _fields(answer: dict[str, Any]) -> Sequence[tuple[str, str]]:
    return [
        (cause.get("field", ""), cause.get("message", ""))
        for cause in _details(answer).get("causes") or ()
        if cause.get("field") or cause.get("message")
    ]


def _details(answer: dict[str, Any]) -> dict[str, Any]:
    details = answer.get("details")
    return details if isinstance(details, dict) else {}


def _in_words(text: str) -> str:
    """What an apply was refused for, without the name of the step that refused it."""
    return TYPED_VALUE.sub(r"\1", TYPED_START.sub("", text))


def _hint_of_rejection(text: str) -> str:
    unknown = "unknown field" in text or "field not declared in schema" in text
    return "a field is misspelt or of a newer version" if unknown else ""


def _text(body: Any) -> str:
    """The server's words on one line; of a proxy's page only the beginning."""
    text = body.get("message", "") if isinstance(body, dict) else body if isinstance(body, str) else ""
    return " ".join(str(text).split())[:2000]
