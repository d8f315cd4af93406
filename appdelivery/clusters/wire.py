"""JSON on its way in and out: orjson where it is installed, the standard library otherwise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

loads: Callable[[bytes], Any]

try:
    import orjson

    loads = orjson.loads

    def dumps(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
        return orjson.dumps(value, default)

except ImportError:
    loads = json.loads

    def dumps(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=default).encode()
