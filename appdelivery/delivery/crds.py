"""What an update of a CustomResourceDefinition would take from objects that exist (delivery.md section 6.4).  Pure."""

from __future__ import annotations

from typing import Any

from appdelivery.model import fieldpath


def harm(live: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Reasons why the update needs consent; [] when it only adds."""
    before, after = live.get("spec") or {}, wanted.get("spec") or {}
    reasons = []
    for field in (".scope", ".group", ".names.kind", ".names.plural"):
        was, now = (fieldpath.get(spec, fieldpath.parse(field)) for spec in (before, after))
        if was != now:
            reasons.append(f"{field[1:]} changes from {was} to {now}")
    versions = {version["name"]: version for version in after.get("versions") or () if isinstance(version, dict)}
    stored = (live.get("status") or {}).get("storedVersions") or ()
    reasons += [f"version {one}, in which objects are stored, is removed" for one in stored if one not in versions]
    for version in before.get("versions") or ():
        if (now := versions.get(version["name"])) is not None:
            reasons += _version(version, now)
    return reasons


def _version(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    name = before["name"]
    reasons = []
    if before.get("served", True) and not after.get("served", True):
        reasons.append(f"version {name} is no longer served")
    old = fieldpath.get(before, ("schema", "openAPIV3Schema")) or {}
    new = fieldpath.get(after, ("schema", "openAPIV3Schema")) or {}
    return reasons + [f"version {name}: {text}" for text in _tighter(old, new, "")]


def _tighter(old: dict[str, Any], new: dict[str, Any], path: str) -> list[str]:
    at = path or "the object"
    keep = "x-kubernetes-preserve-unknown-fields"
    reasons = []
    if old.get(keep) and not new.get(keep):
        reasons.append(f"{at} no longer keeps unknown fields")
    if old.get("type") and new.get("type") and old["type"] != new["type"]:
        return [*reasons, f"{at} becomes a {new['type']}, it was a {old['type']}"]
    reasons += [f"{at} requires {name}" for name in new.get("required") or () if name not in (old.get("required") or ())]
    if new.get("enum") is not None and (old.get("enum") is None or set(map(str, old["enum"])) - set(map(str, new["enum"]))):
        reasons.append(f"{at} accepts fewer values")
    for bound, tighter in (
        ("minimum", 1),
        ("minLength", 1),
        ("minItems", 1),
        ("maximum", -1),
        ("maxLength", -1),
        ("maxItems", -1),
    ):
        was, now = old.get(bound), new.get(bound)
        if now is not None and (was is None or (now - was) * tighter > 0):
            reasons.append(f"{at}: {bound} becomes {now}")
    if new.get("pattern") and new["pattern"] != old.get("pattern"):
        reasons.append(f"{at} has another pattern")
    properties, others = old.get("properties") or {}, new.get("properties") or {}
    for name, schema in properties.items():
        inner = f"{path}.{name}".lstrip(".")
        if name in others:
            reasons += _tighter(schema, others[name], inner)
        elif not new.get(keep):
            reasons.append(f"{inner} is removed")
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        reasons += _tighter(old["items"], new["items"], f"{path}[]")
    return reasons
