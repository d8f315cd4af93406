"""The redaction walk: what every exit (output, logs, events, error texts, diffs) applies before a text leaves.

Masks known secret values wherever they re-appear, and what looks like a credential by itself: URL user info,
authorization headers, PEM private keys.  Values shorter than 6 characters are masked only where they stand, or
everything would be masked.
"""

from __future__ import annotations

import binascii

from appdelivery.model.secret import MASK, Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

SHORTEST = 6


def text(value: str, secrets: Iterable[str] = ()) -> str:
    """The text with credentials and the given secret values (plain or base64) masked."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= SHORTEST:
            value = value.replace(secret, f"{MASK}>").replace(
                binascii.b2a_base64(secret.encode(), newline=False).decode(), f"{MASK}>"
            )
    if "-----BEGIN" in value:
        import re

        key = r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        value = re.sub(key, f"{MASK}>", value, flags=re.DOTALL)
    if ":" in value:
        import re

        value = re.sub(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@", rf"\1{MASK}>@", value)
        value = re.sub(
            r"(?i)\b(authorization|x-auth-token|cookie)(['\"]?\s*[:=]\s*['\"]?)(bearer |basic )?[^\s'\",}]+",
            rf"\1\2{MASK}>",
            value,
        )
    return value


def values(tree: Any) -> list[str]:
    """Every given secret value of a tree, in clear: for `text`, never for printing."""
    if isinstance(tree, Secret):
        return [] if tree.ref is not None else [Secret(tree._value).open()]
    if isinstance(tree, dict):
        return [v for item in tree.values() for v in values(item)]
    if isinstance(tree, list):
        return [v for item in tree for v in values(item)]
    return []


def objects(body: dict[str, Any], key: bytes = b"") -> dict[str, Any]:
    """A manifest or live object fit to be shown: data of Secrets, last-applied copies and Secret leaves are masked."""
    from appdelivery.model import secret

    shown: dict[str, Any] = secret.masked(body, key)
    if body.get("kind") == "Secret" and body.get("apiVersion") == "v1":
        for field in ("data", "stringData"):
            if isinstance(body.get(field), dict):
                shown[field] = {name: _mask(value, key, encoded=field == "data") for name, value in body[field].items()}
    annotations = (shown.get("metadata") or {}).get("annotations")
    last = "kubectl.kubernetes.io/last-applied-configuration"
    if isinstance(annotations, dict) and last in annotations:
        shown["metadata"] = {**shown["metadata"], "annotations": {**annotations, last: f"{MASK}>"}}
    return shown


def _mask(value: Any, key: bytes, *, encoded: bool) -> str:
    """Equal values look equal, whether they stand in data or stringData."""
    if isinstance(value, Secret):
        return value.mask(key)
    return Secret(_decoded(str(value)) if encoded else str(value)).mask(key)


def _decoded(text: str) -> str:
    try:
        return binascii.a2b_base64(text, strict_mode=True).decode()
    except ValueError:
        return text  # no text, or no base64: the digest is of what stands there


def is_masked(tree: Any) -> bool:
    """Masked text is never accepted as input: a masked manifest must not overwrite the real one."""
    if isinstance(tree, str):
        return MASK in tree
    if isinstance(tree, dict):
        return any(is_masked(value) for value in tree.values())
    if isinstance(tree, list):
        return any(is_masked(value) for value in tree)
    return False
