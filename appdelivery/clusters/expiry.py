"""When credentials end: `exp` of a token that is a JWT, the last day of a client certificate.

Called by renewal.py for the tokens of plugins, and by registration and probes, which warn in time.
"""

from __future__ import annotations

import base64
import json
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from appdelivery.model import wording

if TYPE_CHECKING:
    from appdelivery.clusters.credentials import Credentials

SOON_S = 14 * 86400.0  # static credentials are warned about from so many seconds before their end
VERSION, UTC_TIME = 0xA0, 0x17  # tags of DER
MARK = "-----END CERTIFICATE-----"


def of(credentials: Credentials) -> datetime | None:
    """The earliest end of what does not renew itself; None where nothing says one."""
    ends = []
    if credentials.token and not credentials.renewable:
        ends.append(of_token(credentials.token))
    if credentials.certificate and not credentials.plugin:
        ends.append(of_certificate(credentials.certificate))
    found = min([end for end in ends if end], default=0.0)
    return datetime.fromtimestamp(found, UTC) if found else None


def warning(end: datetime | None, now: datetime) -> str:
    """What to tell about an end that is near or past; '' while there is time."""
    left = (end - now).total_seconds() if end else SOON_S
    if left >= SOON_S:
        return ""
    days, hours = divmod(int(abs(left)) // 3600, 24)
    span = wording.count(days, "day") if days else wording.count(hours, "hour") if hours else "less than an hour"
    return f"its credentials end in {span}" if left > 0 else f"its credentials ended {span} ago"


def of_token(token: str) -> float:
    """`exp` of a JWT, 0 for any other token."""
    parts = token.split(".")
    if len(parts) != 3:
        return 0.0
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return 0.0


def of_certificate(pem: str) -> float:
    """`notAfter` of the first certificate of a PEM text, 0 where none can be read."""
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(pem[: pem.index(MARK) + len(MARK)].strip()))
    except (ValueError, IndexError):
        return 0.0


def _not_after(der: bytes) -> float:
    """Certificate > what is signed > [version], serial, algorithm, issuer, validity > not before, not after."""
    certificate = _inside(der)[0][1]
    signed = _inside(certificate)[0][1]
    parts = [content for tag, content in _inside(signed) if tag != VERSION]
    tag, text = _inside(parts[3])[1]
    form = "%y%m%d%H%M%SZ" if tag == UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC).timestamp()


def _inside(content: bytes) -> list[tuple[int, bytes]]:
    """The (tag, content) of each DER element in a row."""
    found, at = [], 0
    while at < len(content):
        tag, size, at = content[at], content[at + 1], at + 2
        if size & 0x80:
            more = size & 0x7F
            size, at = int.from_bytes(content[at : at + more]), at + more
        found.append((tag, content[at : at + size]))
        at += size
    return found
