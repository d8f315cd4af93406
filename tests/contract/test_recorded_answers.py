"""The sandbox answers as a real server was recorded to answer (`make record`), and real servers still do."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import comparing
import exchanges
import pytest

if TYPE_CHECKING:
    from kube_api import Api

FOLDER = f"{os.path.dirname(os.path.abspath(__file__))}/recorded"


def _recorded(name: str) -> Any:
    with open(f"{FOLDER}/{name}.json") as file:
        return json.load(file)


@pytest.mark.parametrize("name", sorted(exchanges.ALL))
async def test_the_answer_is_the_recorded_one(api: Api, name: str) -> None:
    if api.real:
        if name in exchanges.SOMETIMES:
            pytest.skip("when a real server forgets a version is its own affair")
        minor = _recorded("version")["gitVersion"].rsplit(".", 1)[0]
        found = (await api.get("/version")).body["gitVersion"].rsplit(".", 1)[0]
        if found != minor:
            pytest.skip(f"the answers are those of {minor}, this server is {found}")
    answer = await exchanges.answer(exchanges.ALL[name], api)
    assert not list(comparing.differences(_recorded(name), answer))


def test_every_exchange_is_recorded_and_nothing_else() -> None:
    assert {name.removesuffix(".json") for name in os.listdir(FOLDER)} == {*exchanges.ALL, "version"}
