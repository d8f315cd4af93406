"""Runs the benchmarks, prints one table, writes benchmarks/results.json; --gates fails outside the "must" column."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict

from side_by_side import ROOT, table


def main() -> int:
    import apply
    import engine
    import render
    import sandbox

    chosen = [word for word in sys.argv[1:] if not word.startswith("-")]
    results = {}
    for name, module in (("render", render), ("apply", apply), ("sandbox", sandbox), ("engine", engine)):
        if not chosen or name in chosen:
            ratios = module.run()
            results[name] = [asdict(ratio) for ratio in ratios]
            print(f"\n{name}\n{table(ratios)}", flush=True)
    path = f"{ROOT}/benchmarks/results.json"
    kept = {}
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**kept, **results, "python": platform.python_version()}, file, indent=1)
        file.write("\n")
    missed = [r for ratios in results.values() for r in ratios if r["must"] is not None and r["ratio"] > r["must"]]
    for ratio in missed:
        print(f"outside the gate: {ratio['name']}: {ratio['ratio']:.3f} > {ratio['must']:g}")
    return 1 if missed and "--gates" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
