"""The live tree on a terminal: components and the objects that are not as they should be, redrawn by rich.

At most ten times a second and as high as the screen; branches that are done fold into one line.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING, Any

from appdelivery.cli import clean
from appdelivery.delivery.work import Seen, Started
from appdelivery.model import duration
from appdelivery.model.change import Outcome
from appdelivery.workflow.model import Stepped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from appdelivery.model.change import Subject

STYLES = {
    "healthy": "green",
    "degraded": "red",
    "failed": "red",
    "missing": "red",
    "progressing": "yellow",
    "suspended": "yellow",
}
SIGNS = {"healthy": "✓", "degraded": "✗", "failed": "✗", "missing": "✗"}


class View:
    """What has been heard of each object, newest word."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], tuple[str, str]] = {}  # (component, object) to (state, words)
        self.notes: list[str] = []
        self.steps: dict[str, tuple[str, str]] = {}  # of a written workflow
        self.clusters: set[str] = set()
        self.started = time.monotonic()

    def hear(self, event: Any) -> None:
        if isinstance(event, Started):
            self._set(event.change.subject, "progressing", f"{event.change.action.removesuffix('e')}ing")
        elif isinstance(event, Outcome):
            if event.result == "failed":
                self._set(event.change.subject, "failed", event.error)
            elif event.change.action == "delete":
                self.objects.pop(self._key(event.change.subject), None)
            elif event.result == "done":
                self._set(event.change.subject, "progressing", "applied")
        elif isinstance(event, Seen):
            self._set(event.subject, event.health.state, event.health.message or event.health.reason)
        elif isinstance(event, Stepped):
            if not event.generated and event.step.state != "pending":
                row = event.step
                self.steps[row.name] = (row.state, row.message)
        elif isinstance(event, str):
            self.notes.append(event)

    def _set(self, subject: Subject, state: str, words: str) -> None:
        self.objects[self._key(subject)] = (state, words)

    def _key(self, subject: Subject) -> tuple[str, str]:
        self.clusters.add(subject.cluster)
        return f"{subject.component} on {subject.cluster}", f"{subject.ref.kind} {subject.ref.name}"

    def __rich__(self) -> Text:
        from rich.text import Text

        room = max(shutil.get_terminal_size().lines - 4, 6)
        out = Text()
        lines = [(note, "dim") for note in self.notes[-2:]]
        for name, (state, words) in self.steps.items():
            lines.append((f"step {name}  {state}{'  ' + clean.text(words) if words else ''}", STYLES.get(state, "")))
        for component in dict.fromkeys(c for c, _ in self.objects):
            lines += self._branch(component)
        hidden = len(lines) - room
        for line, style in lines[:room]:
            out.append(line + "\n", style=style)
        if hidden > 0:
            out.append(f"… {hidden} more lines\n", style="dim")
        out.append(duration.show(max(time.monotonic() - self.started, 1)), style="dim")
        return out

    def _branch(self, component: str) -> list[tuple[str, str]]:
        inside = [(name, *self.objects[c, name]) for c, name in self.objects if c == component]
        good = [entry for entry in inside if entry[1] == "healthy" or entry[2] == "applied"]
        rest = [entry for entry in inside if entry not in good]
        sign, style = ("✓", "green") if not rest else ("●", "yellow")
        shown = component if len(self.clusters) > 1 else component.rpartition(" on ")[0]
        lines = [(f"{sign} {shown}  {len(good)}/{len(inside)}", style)]
        for i, (name, state, words) in enumerate(rest):
            stem = "└─" if i == len(rest) - 1 else "├─"
            lines.append((f"  {stem} {SIGNS.get(state, '▸')} {name}  {clean.text(words)}", STYLES.get(state, "")))
        return lines


@contextlib.contextmanager
def live(*, colour: bool) -> Iterator[Any]:
    from rich.console import Console
    from rich.live import Live

    view = View()
    console = Console(stderr=True, no_color=not colour, highlight=False)
    with Live(view, console=console, refresh_per_second=10, transient=True):
        yield view.hear
