"""Names and label values cut to what Kubernetes accepts."""

from __future__ import annotations

from appdelivery.model import sha256

ALNUM = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def dnsname(text: str, limit: int = 63) -> str:
    """Lower case, other characters to '-', trimmed; longer than limit: cut and '-' plus 8 hex of the original's SHA-256."""
    clean = "".join(c if c in ALNUM else "-" for c in text.lower()).strip("-")
    if len(clean) <= limit:
        return clean
    mark = sha256.hexdigest(text.encode())[:8]
    return f"{clean[: max(limit - 9, 0)].rstrip('-')}-{mark}"[-limit:] if limit > 9 else mark[:limit]


def is_dns_label(text: object) -> bool:
    """A name of a component or application: 1 to 63 of a-z, 0-9 and inner '-'."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= 63
        and not set(text) - ALNUM - {"-"}
        and text[0] != "-"
        and text[-1] != "-"
    )
