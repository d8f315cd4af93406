"""Times peers in one run: interleaved, medians, ratios with their spread.  No absolute time is a result."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [f"{ROOT}/tests", f"{ROOT}/tests/tools"]
APPCTL = os.path.join(os.path.dirname(sys.executable), "appctl")


@dataclass(frozen=True)
class Ratio:
    """What a table line and results.json hold: ours over theirs, with the quartiles of the paired ratios."""

    name: str
    ratio: float
    low: float
    high: float
    must: float | None = None  # at most this; None = printed only
    aim: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.must is None or self.ratio <= self.must


def compare(
    name: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    rounds: int = 7,
    warm: int = 2,
    must: float | None = None,
    aim: float | None = None,
    note: str = "",
) -> Ratio:
    """Each callable does its work once and answers what it cost; A B A B ..., so that drift of the computer hits both."""
    for _ in range(warm):
        ours()
        theirs()
    return of_pairs(name, [(ours(), theirs()) for _ in range(rounds)], must=must, aim=aim, note=note)


def of_pairs(
    name: str, pairs: Sequence[tuple[float, float]], *, must: float | None = None, aim: float | None = None, note: str = ""
) -> Ratio:
    """The ratio of the medians of (ours, theirs), each pair measured one directly after the other."""
    ratios = sorted(a / b for a, b in pairs)
    ratio = statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)
    return Ratio(name, ratio, ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4], must, aim, note)


def best_of(times: int, make: Callable[[], Ratio]) -> Ratio:
    """A gate is judged on the best of three runs; a first one that holds is enough."""
    best = make()
    for _ in range(times - 1):
        if best.holds:
            break
        best = min(best, make(), key=lambda r: r.ratio)
    return best


def process(words: Sequence[str], *, env: dict[str, str] | None = None, cpu: bool = False) -> float:
    """Wall seconds (or CPU seconds) of one whole process; it must succeed."""
    return measured(words, env=env)[1 if cpu else 0]


def measured(words: Sequence[str], *, env: dict[str, str] | None = None) -> tuple[float, float]:
    """Wall and CPU seconds of one whole process; it must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, check=False)
    wall = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words[:4])} ... ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_memory(words: Sequence[str], env: dict[str, str]) -> int:
    """Largest resident size of one process in MiB."""
    code = "import resource,subprocess,sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-S", "-c", code, *words], env=env, capture_output=True, text=True, check=True)
    return int(done.stdout) // 1024


def table(ratios: Sequence[Ratio]) -> str:
    width = max(len(r.name) for r in ratios)
    lines = [f"{'figure':<{width}}  ratio  (quartiles)      must   aim"]
    for r in ratios:
        must, aim = (f"{x:g}" if x is not None else "-" for x in (r.must, r.aim))
        lines.append(
            f"{r.name:<{width}}  {r.ratio:5.3f}  ({r.low:.3f}-{r.high:.3f})   {must:>5}  {aim:>5}  {'' if r.holds else 'MISSED'} {r.note}".rstrip()
        )
    return "\n".join(lines)
