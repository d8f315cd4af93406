"""Stores for the tests of this room: a file in a private folder, a database of PostgreSQL."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from appdelivery.store import open as opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **step: float) -> None:
        self.time += timedelta(**step)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> Iterator[Callable[..., opening.Store]]:
    """Opens stores and closes them at the end."""
    count = itertools.count(1)
    stores: list[opening.Store] = []

    def make(location: Any, mode: str = "write", **how: Any) -> opening.Store:
        options = {"worker": "here:1:1", "alive": lambda _: None, "clock": clock, "new_id": lambda: f"{next(count):026}"}
        store = opening.open(str(location), mode=mode, **options | how)
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(tmp_path: Any, opened: Callable[..., opening.Store]) -> opening.Store:
    return opened(tmp_path / "data" / "store.db")
