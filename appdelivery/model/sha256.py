"""SHA-256 without OpenSSL: the interpreter's own, which loads in nothing.

`hashlib` loads OpenSSL first, 3.5 ms of a start-up of 60, to be faster on megabytes; what is hashed here is kilobytes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256 as new
else:
    try:
        from _sha2 import sha256 as new  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256 as new
        except ImportError:  # an interpreter built without it
            from hashlib import sha256 as new


def hexdigest(data: bytes) -> str:
    """64 hex digits."""
    return new(data).hexdigest()
