"""Parameters of a definition as rows: path, type, required, default, description."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def rows(schema: dict[str, Any], *, hidden: bool = False, prefix: str = "") -> list[dict[str, Any]]:
    """One row a property, nested ones below their parent, alternatives side by side."""
    found: list[dict[str, Any]] = []
    required = set(schema.get("required", ()))
    for name, part in (schema.get("properties") or {}).items():
        if part.get("x-hidden") and not hidden:
            continue
        path = f"{prefix}{name}"
        found.append(
            {
                "name": path,
                "type": type_of(part),
                "required": "yes" if name in required else "",
                "default": _default(part),
                "description": part.get("description", ""),
            }
        )
        found += _inside(part, path, hidden=hidden)
    for word in ("oneOf", "anyOf"):
        for branch in schema.get(word, ()):
            known = {row["name"] for row in found}
            found += [row for row in rows(branch, hidden=hidden, prefix=prefix) if row["name"] not in known]
    return found


def _inside(part: dict[str, Any], path: str, *, hidden: bool) -> list[dict[str, Any]]:
    if "properties" in part or "oneOf" in part or "anyOf" in part:
        return rows(part, hidden=hidden, prefix=f"{path}.")
    if isinstance(part.get("items"), dict):
        return rows(part["items"], hidden=hidden, prefix=f"{path}[].")
    extra = part.get("additionalProperties")
    return rows(extra, hidden=hidden, prefix=f"{path}.*.") if isinstance(extra, dict) else []


def type_of(part: dict[str, Any]) -> str:
    if "enum" in part:
        return "|".join("''" if v == "" else str(v) for v in part["enum"])
    for word in ("oneOf", "anyOf"):
        if word in part:
            return " | ".join(dict.fromkeys(type_of(branch) for branch in part[word]))
    kind = part.get("type", "object" if "properties" in part else "any")
    if isinstance(kind, list):
        return " | ".join(kind)
    if kind == "array":
        return f"[]{type_of(part.get('items') or {})}"
    extra = part.get("additionalProperties")
    return f"map of {type_of(extra)}" if kind == "object" and isinstance(extra, dict) else str(kind)


def _default(part: dict[str, Any]) -> str:
    if "default" not in part:
        return ""
    import json

    value = part["default"]
    return value if isinstance(value, str) and value else json.dumps(value)
