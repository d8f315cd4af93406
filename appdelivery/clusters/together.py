"""Requests side by side, all ended before anybody hears of a failure: what goes on behind a raised error would outlive the
connections that it uses.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable


async def all_of(work: Iterable[Awaitable[Any]]) -> list[Any]:
    """The results in order.  The first failure ends the others, and is raised once they have ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
