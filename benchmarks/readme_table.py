"""Writes the table of README.md from benchmarks/results.json, between the two markers; never edit it by hand.

    python benchmarks/readme_table.py            rewrites the block
    python benchmarks/readme_table.py --check    ends with 1 when it is stale

Chosen are the figures a reader asks for first, those where the peer is faster included.  A figure that has no result is
shown as not measured.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
README = f"{ROOT}/README.md"
RESULTS = f"{ROOT}/benchmarks/results.json"
MARKER = "<!-- ratios -->"

# What the README says, and the name of the figure in results.json.
FAR, SMALL = "303 objects, 44 ms, of helm", "3 objects, loopback, of helm"
ROWS = (
    ("`render` of 20 objects", "`helm template`", "render 20 objects, process, of helm template"),
    ("`render` of 2,000 objects", "`helm template`", "render 2,000 objects, process, of helm template"),
    ("`render` of 20 objects, empty cache", "`helm template`", "first render, empty cache, of helm template"),
    ("install 303 objects, 44 ms away", "`helm install`", f"install, {FAR}"),
    ("upgrade, one of 303 changed, 44 ms away", "`helm upgrade`", f"upgrade, one object changed, {FAR}"),
    ("upgrade, nothing changed, 44 ms away", "`helm upgrade`", f"upgrade, nothing changed, {FAR}"),
    ("roll 10 of 303 objects back, 44 ms away", "`helm rollback`", f"rollback, 10 objects, {FAR}"),
    ("install 3 objects, same computer", "`helm install`", f"install, {SMALL}"),
    ("upgrade 3 objects, nothing changed, same computer", "`helm upgrade`", f"upgrade, nothing changed, {SMALL}"),
    ("`list`, same computer", "`helm list`", f"list, {SMALL}"),
    ("apply 300 objects, in process", "a bare asynchronous client", "apply 300 objects in process, of a raw client"),
)
ABSENT = "not measured yet"


def table(results: dict[str, Any]) -> str:
    known = {one["name"]: one for group in results.values() if isinstance(group, list) for one in group}
    lines = ["| whole command, wall time | beside | time of ours over theirs | at most |", "| --- | --- | --- | --- |"]
    lines += [f"| {label} | {peer} | {_ratio(known.get(name))} | {_gate(known.get(name))} |" for label, peer, name in ROWS]
    return "\n".join(lines)


def _ratio(found: dict[str, Any] | None) -> str:
    if found is None:
        return ABSENT
    return f"**{_short(found['ratio'])}** ({_short(found['low'])} to {_short(found['high'])})"


def _gate(found: dict[str, Any] | None) -> str:
    return _short(found["must"]) if found and found["must"] is not None else "-"


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def results() -> dict[str, Any]:
    if not os.path.exists(RESULTS):
        return {}
    with open(RESULTS, encoding="utf-8") as file:
        return json.load(file)


def filled(text: str, block: str) -> str:
    """The text with the block between its two markers."""
    parts = text.split(MARKER)
    if len(parts) != 3:
        raise SystemExit(f"README.md must hold {MARKER} exactly twice, it does {len(parts) - 1} times")
    return f"{parts[0]}{MARKER}\n{block}\n{MARKER}{parts[2]}"


def main() -> int:
    with open(README, encoding="utf-8") as file:
        text = file.read()
    made = filled(text, table(results()))
    if made == text:
        return 0
    if "--check" in sys.argv:
        print("the table of README.md is stale; run: python benchmarks/readme_table.py")
        return 1
    with open(README, "w", encoding="utf-8") as file:
        file.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
