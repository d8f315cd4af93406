"""Query parameters and DeleteOptions bodies as values, refused in the server's words when they make no sense."""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import fieldsets, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from appdelivery.sandbox.http.requests import Request

LONGEST_MANAGER = 128
VALIDATIONS = ("", "Ignore", "Strict", "Warn")
POLICIES = ("Foreground", "Background", "Orphan")
KINDS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of a list or watch.  version None: none was given.  exact: as things stood at that version."""

    labels: str = ""
    fields: str = ""
    version: int | None = None
    match: str = ""
    limit: int = 0
    token: str = ""  # continue
    initial: bool = False  # sendInitialEvents
    bookmarks: bool = False
    timeout: int = 0

    @property
    def exact(self) -> bool:
        return bool(self.version) and (self.match == "Exact" or (self.match == "" and self.limit > 0))


def writing(request: Request, *, apply: bool = False) -> options.Options:
    """Of create, update and patch."""
    query, kind = request.query, KINDS[request.verb]
    _check_dry_run(query, kind)
    manager = query.get("fieldManager", "")
    _check_manager(kind, manager)
    if apply and not manager:
        raise _invalid(kind, "fieldManager", "FieldValueRequired", "Required value: is required for apply patch")
    if "force" in query and request.verb == "patch" and not apply:
        raise _invalid(kind, "force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch")
    validation = query.get("fieldValidation", "")
    if validation not in VALIDATIONS:
        raise _unsupported(kind, "fieldValidation", validation, VALIDATIONS)
    return options.Options(
        manager=request.manager,
        dry_run=request.dry_run,
        validation=validation or "Warn",
        force=request.flag("force"),
        subresource=request.subresource,
    )


def _check_manager(kind: str, manager: str) -> None:
    found = []
    if len(manager.encode()) > LONGEST_MANAGER:
        found.append(("FieldValueTooLong", "Too long: may not be more than 128 bytes"))
    if not manager.isprintable():
        shown = f"Invalid value: {fieldsets.quoted(manager)}"
        for at, sign in enumerate(manager):
            if not sign.isprintable():
                position = len(manager[:at].encode())
                said = f"{shown}: invalid character U+{ord(sign):04X} (at position {position})"
                found.append(("FieldValueInvalid", said))
    if found:
        raise _refused(kind, [status.Cause(reason, message, "fieldManager") for reason, message in found])


def deletion(query: Mapping[str, str], body: Mapping[str, Any] | None) -> options.Deletion:
    """From the body, and from the query for what the body leaves out."""
    given = body or {}
    _check_dry_run(query, "DeleteOptions", given.get("dryRun") or ())
    policy = given.get("propagationPolicy") or query.get("propagationPolicy", "")
    if policy and policy not in POLICIES:
        raise _unsupported("DeleteOptions", "propagationPolicy", policy, (*POLICIES, "nil"))
    orphan = given.get("orphanDependents", query.get("orphanDependents"))
    if orphan is not None and not policy:
        policy = "Orphan" if orphan in (True, "true", "1", "") else "Background"
    grace = given.get("gracePeriodSeconds")
    if grace is None:
        grace = number(query, "gracePeriodSeconds")
    required = given.get("preconditions") or {}
    return options.Deletion(
        uid=required.get("uid") or "",
        resource_version=required.get("resourceVersion") or "",
        propagation=policy,
        grace=grace,
        dry_run="All" in (given.get("dryRun") or ()) or query.get("dryRun") == "All",
    )


def reading(query: Mapping[str, str], *, watch: bool) -> Wanted:
    """Of list, watch and deletecollection."""
    match, text = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents")
    if query.get("continue") and (match or watch):
        raise _forbidden("resourceVersionMatch is forbidden when continue is provided")
    _check_versions(match, text, initial, watch=watch)
    version = _version(text, watch=watch) if text else None
    token = query.get("continue", "")
    if match == "Exact" and version == 0:
        raise _forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    return Wanted(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        version=version,
        match=match,
        limit=max(number(query, "limit") or 0, 0),
        token=token,
        initial=initial is not None and initial not in ("false", "0"),
        bookmarks=query.get("allowWatchBookmarks", "false") not in ("false", "0"),
        timeout=max(number(query, "timeoutSeconds") or 0, 0),
    )


def number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.lstrip("+-").isdecimal() and len(text) - len(text.lstrip("+-")) <= 1):
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _version(text: str, *, watch: bool) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
    raise status.Refusal(500, "", why) if watch else status.bad_request(f"invalid resource version: {why}")


def _check_versions(match: str, version: str, initial: str | None, *, watch: bool) -> None:
    if initial is not None and not watch:
        raise _invalid("ListOptions", "sendInitialEvents", "FieldValueForbidden", "Forbidden: sendInitialEvents is forbidden for list")  # fmt: skip
    if initial is not None and match != "NotOlderThan":
        raise _forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if not match or initial is not None:
        return
    if watch:
        raise _forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    if not version:
        raise _forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match not in ("Exact", "NotOlderThan"):
        raise _unsupported("ListOptions", "resourceVersionMatch", match, ("Exact", "NotOlderThan", ""))


def _check_dry_run(query: Mapping[str, str], kind: str, given: Sequence[str] = ()) -> None:
    asked = [*given] or ([query["dryRun"]] if query.get("dryRun") else [])
    if asked and asked != ["All"]:
        listed = ", ".join([f'"{one}"' for one in asked])
        raise _invalid(kind, "dryRun", "FieldValueNotSupported", f'Unsupported value: [{listed}]: supported values: "All"')


def _forbidden(why: str) -> status.Refusal:
    return _invalid("ListOptions", "resourceVersionMatch", "FieldValueForbidden", f"Forbidden: {why}")


def _unsupported(kind: str, field: str, value: str, known: Sequence[str]) -> status.Refusal:
    listed = ", ".join([f'"{one}"' for one in known])
    said = f'Unsupported value: "{value}": supported values: {listed}'
    return _invalid(kind, field, "FieldValueNotSupported", said)


def _invalid(kind: str, field: str, reason: str, message: str) -> status.Refusal:
    return _refused(kind, [status.Cause(reason, message, field)])


def _refused(kind: str, causes: Sequence[status.Cause]) -> status.Refusal:
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    said = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = {"group": "meta.k8s.io", "kind": kind, "causes": [cause.body() for cause in causes]}
    return status.Refusal(422, "Invalid", f'{kind}.meta.k8s.io "" is invalid: {said}', details=details)
