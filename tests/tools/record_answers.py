"""Records a real server's answers to the exchanges of tests/contract/exchanges.py: `make record` writes them beside it.

python tests/tools/record_answers.py KUBECONFIG CONTEXT
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = f"{TESTS}/contract/recorded"


async def record(kubeconfig: str, context: str) -> int:
    import exchanges
    import plane_fixtures
    import sandbox_fixtures
    import yaml

    with open(kubeconfig) as file:  # noqa: ASYNC230 - once, before anything runs
        planes = plane_fixtures.Planes(kubeconfig, (context,), True, yaml.safe_load(file))
    for name, exchange in exchanges.ALL.items():
        async with sandbox_fixtures.on_plane(planes) as api:
            answer = await exchanges.answer(exchange, api)
        if answer.get("code") == exchanges.SOMETIMES.get(name, answer.get("code")):
            write(name, answer)
        else:
            print(f"{name}: the server answers {answer.get('code')} this time; the earlier answer stays")
    async with sandbox_fixtures.on_plane(planes) as api:
        write("version", {"gitVersion": (await api.get("/version")).body["gitVersion"]})
    wanted = {f"{name}.json" for name in (*exchanges.ALL, "version")}
    for name in set(os.listdir(FOLDER)) - wanted:
        os.unlink(f"{FOLDER}/{name}")
    print(f"{FOLDER}: {len(exchanges.ALL)} answers")
    return 0


def write(name: str, answer: Any) -> None:
    os.makedirs(FOLDER, exist_ok=True)
    with open(f"{FOLDER}/{name}.json", "w") as file:
        json.dump(answer, file, indent=1, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    sys.path[:0] = [TESTS, f"{TESTS}/contract", os.path.dirname(TESTS)]
    sys.exit(asyncio.run(record(*sys.argv[1:])))
