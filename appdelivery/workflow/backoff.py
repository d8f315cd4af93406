"""When a step is looked at again: after a failure, and while it waits for something that nobody announces.

Deterministic: what is random elsewhere is derived from the run and the attempt.  Called by `results`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from appdelivery.model.application import Retry

JITTER = 0.1
FIRST_POLL_S = 1.0
LAST_POLL_S = 60.0


def after_failure(retry: Retry, failures: int, seed: str) -> float:
    """Seconds before the next attempt, when this was the `failures`th failure in a row."""
    if retry.backoff == "exponential":
        # The exponent is bounded: by then every interval worth the name has passed `most`.
        delay = retry.interval * retry.factor ** min(failures - 1, 64)
    elif retry.backoff == "linear":
        delay = retry.interval * failures
    else:
        delay = retry.interval
    return min(delay, retry.most) * (1 + JITTER * _spread(seed))


def _spread(seed: str) -> float:
    """-1 to 1."""
    return zlib.crc32(seed.encode()) / 0x7FFFFFFF - 1


def poll(since: datetime, now: datetime) -> float:
    """1 s doubling to 60 s: as long as it has waited already."""
    return min(max((now - since).total_seconds(), FIRST_POLL_S), LAST_POLL_S)
