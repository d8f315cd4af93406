"""What becomes of a pod or node, as the test or demo that made it said: by annotations and by the image's tag.

The words are those of the stages that fake the kubelet of real control planes in tests, so an application that states
its weather fares alike on both:

    test.appdelivery.dev/weather           never-ready, crash, oom, image-pull-error, job-fails; on a node node-not-ready
    test.appdelivery.dev/ready-after       how long it takes to start (3s)
    test.appdelivery.dev/degraded-after    a Ready pod starts to crash after so long
    test.appdelivery.dev/runs-for          how long a pod of a Job runs
    test.appdelivery.dev/terminates-after  how long it takes to stop
    an image whose tag ends in -bad        crashes, unless the annotation says otherwise

Only here: `test.appdelivery.dev/fails-times` (so many pods of a Job fail before one ends well), and
`test.appdelivery.dev/logs`, the lines that its log has.
"""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.model import duration
from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.storage import Body

PREFIX = "test.appdelivery.dev/"
WEATHER = PREFIX + "weather"
NEVER_READY, CRASH, OOM, IMAGE, FAILS = "never-ready", "crash", "oom", "image-pull-error", "job-fails"
WORDS = frozenset({NEVER_READY, CRASH, OOM, IMAGE, FAILS})
NODE_NOT_READY = "node-not-ready"
BAD = "-bad"
RESTARTS = 3  # of a pod that crashes, from the beginning
LINES = ("starting", "listening on :8080", "warning: cache is cold", "ready")
LAST_WORDS = {CRASH: "fatal: cannot start: exit status 1", FAILS: "fatal: exit status 1", OOM: "allocating"}


@dataclass(frozen=True, slots=True)
class Weather:
    """word: '' = fair.  Times in controller seconds."""

    word: str = ""
    ready_after: float = 0.0
    degraded_after: float | None = None
    runs_for: float | None = None  # None: runs until it is stopped
    terminates_after: float = 0.0
    fails_times: int = 0


FAIR = Weather()


def of(pod: Body) -> Weather:
    said = objects.notes(pod)
    is_bad = any(one["image"].endswith(BAD) for one in pod["spec"]["containers"])
    owner = objects.controller_of(pod)
    of_job = owner is not None and owner["kind"] == "Job"
    if not is_bad and not of_job and not any(key.startswith(PREFIX) for key in said):
        return FAIR
    word = said.get(WEATHER, "")
    times = said.get(PREFIX + "fails-times", "")
    return Weather(
        word=word if word in WORDS else CRASH if is_bad else "",
        ready_after=_seconds(said, "ready-after"),
        degraded_after=_seconds(said, "degraded-after") if PREFIX + "degraded-after" in said else None,
        runs_for=_seconds(said, "runs-for") if of_job else None,
        terminates_after=_seconds(said, "terminates-after"),
        fails_times=int(times) if times.isdecimal() else 0,
    )


def _seconds(said: dict[str, str], name: str) -> float:
    """An annotation that is no duration counts as none, as in the stages."""
    try:
        return duration.parse(said.get(PREFIX + name, "0s"))
    except ValueError:
        return 0.0


def node_is_down(node: Body) -> bool:
    return objects.notes(node).get(WEATHER, "") == NODE_NOT_READY


def logs(pod: Body, *, previous: bool = False) -> tuple[str, ...]:
    """The lines of every container of this pod; previous: of the run that ended before this one."""
    told = objects.notes(pod).get(PREFIX + "logs")
    lines = tuple(told.splitlines()) if told is not None else LINES
    weather = of(pod)
    if weather.word == IMAGE:
        return ()
    ended = LAST_WORDS.get(weather.word)
    if ended is None:
        return () if previous else lines
    return (lines[0], ended) if lines else (ended,)


def waiting(reason: str, message: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}


def terminated(stamp: str, code: int, reason: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": stamp, "finishedAt": stamp}}
