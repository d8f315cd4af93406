"""CPU of one health verdict over the corpora of tests/delivery/health: `python benchmarks/health.py` (aim 20 µs, at most 60)."""

from __future__ import annotations

import glob
import json
import os
import statistics
import time
from datetime import UTC, datetime

from appdelivery.delivery import health
from appdelivery.delivery.health import generic
from appdelivery.delivery.health.conditions import Facts
from appdelivery.model.live import Live
from appdelivery.model.refs import ref_of

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROUNDS = 200


def main() -> None:
    for path in sorted(glob.glob(f"{ROOT}/tests/delivery/health/corpus/*.json")):
        with open(path, encoding="utf-8") as file:
            bodies = [case["object"] for case in json.load(file)["cases"]]
        lives = [Live(ref_of(body), body) for body in bodies]
        name = os.path.basename(path).removesuffix(".json")
        report(f"{name}, all rules", [lambda live=live: health.judge(live, now=NOW) for live in lives])
        report(f"{name}, generic rule", [lambda body=body: generic.judge(Facts(body, NOW)) for body in bodies])


def report(name: str, verdicts: list) -> None:
    costs = []
    for verdict in verdicts:
        started = time.process_time()
        for _ in range(ROUNDS):
            verdict()
        costs.append((time.process_time() - started) / ROUNDS * 1e6)
    costs.sort()
    print(
        f"{name:<32} median {statistics.median(costs):5.1f} µs   90th {costs[len(costs) * 9 // 10]:5.1f} µs   "
        f"worst {costs[-1]:5.1f} µs   ({len(costs)} objects)"
    )


if __name__ == "__main__":
    main()
