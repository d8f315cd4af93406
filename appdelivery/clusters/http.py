"""aiohttp, imported without the certificates that it would read and never use.  Imported by transport.py.

While it is imported, aiohttp parses the system's authorities twice, for requests that bring no TLS context of their own:
a tenth of the CPU of a whole small command.  Ours always bring one (credentials.py).  With the authorities out of sight
the library's own contexts trust nobody, so a request that came without one would be refused, not believed.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["aiohttp"]

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # where OpenSSL looks, before the places it was built with


@contextlib.contextmanager
def _out_of_sight() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in AUTHORITIES}
    os.environ.update(dict.fromkeys(AUTHORITIES, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


with _out_of_sight():
    import aiohttp
