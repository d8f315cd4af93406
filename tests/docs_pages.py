"""Pages of the documentation, taken apart: blocks, the files they make, and their commands run as in a shell.

Blocks of a page, told apart by the words after the three backticks:

    yaml                 an Application or a definition: rendered or compiled
    yaml title="FILE"    the same, and written to FILE in the page's own folder for its commands
    yaml fragment        a part of a document; not checked
    console              lines that begin with `$ ` are run in that folder with a private home, the lines below compared;
                         `...` stands for any lines
    console cluster      the same against a real control plane; times, ages, user and generated names may differ,
                         and progress lines are not compared
    sh                   for reading: commands of appctl are checked for their flags, not run

Used by test_docs.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE = re.compile(r"^```(\w*)([^\n`]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
GENERATED = "docs/reference/cli.md"  # made from the code (tests/tools/generated.py), so it describes nothing by itself
ROOT_PAGES = ("README.md", "ARCHITECTURE.md", "CODESTYLE.md", "CONTRIBUTING.md", "SECURITY.md")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    words: tuple[str, ...]
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    found = [name for name in ROOT_PAGES if os.path.exists(f"{ROOT}/{name}")]
    for folder, _, files in sorted(os.walk(f"{ROOT}/docs")):
        found += [os.path.relpath(f"{folder}/{name}", ROOT) for name in sorted(files) if name.endswith(".md")]
    return found


def read(page: str) -> str:
    with open(f"{ROOT}/{page}", encoding="utf-8") as file:
        return file.read()


def blocks(page: str, *languages: str) -> Iterator[Block]:
    text = read(page)
    for match in FENCE.finditer(text):
        language, more, body = match.groups()
        title = re.search(r'title="([^"]+)"', more)
        words = tuple(re.sub(r'title="[^"]+"', "", more).split())
        if language in languages:
            line = text.count("\n", 0, match.start()) + 1
            yield Block(page, line, language, words, title[1] if title else "", body)


def written(page: str, folder: str) -> None:
    """The titled blocks of a page as files: what its reader would have saved."""
    for block in blocks(page, "yaml"):
        if block.title:
            path = f"{folder}/{block.title}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(block.text)


# --- commands ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Command:
    words: str
    shown: str  # what the page says it prints


def commands(text: str) -> list[Command]:
    found: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1][0] = f"{found[-1][0]}\n{line}"
        elif found:
            found[-1][1] += f"{line}\n"
    return [Command(words, shown) for words, shown in found]


def run(words: str, folder: str, more: dict[str, str]) -> str:
    """As in a shell, both streams in the order in which they were written."""
    place = os.path.dirname(sys.executable)
    environment = {
        "PATH": f"{place}:{os.environ['PATH']}",
        "HOME": f"{folder}/.home",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        **more,
    }
    os.makedirs(environment["HOME"], exist_ok=True)
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout.replace(folder, "/home/ana")


def fits(shown: str, printed: str) -> bool:
    """`...` on a line of its own stands for any lines."""
    parts = [re.escape(part) for part in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*?".join(parts), printed) is not None


VARYING = (
    (re.compile(r"^\d\d:\d\d:\d\d .*\n", re.MULTILINE), ""),  # progress: its lines depend on the speed of the cluster
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.+Z]+"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)?(ms|s|m|h|d)\b( ago)?"), "AGE"),
    (re.compile(r"\b[\w.-]+@[\w.-]+"), "USER"),
    (re.compile(r"-[0-9a-z]{8,10}-[0-9a-z]{5}\b|-[0-9a-z]{8,10}\b(?=\s|$)", re.MULTILINE), "-NAME"),
    (re.compile(r"https://[\w.:-]+"), "SERVER"),
    (re.compile(r" +"), " "),
)


def steady(text: str) -> str:
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    return text


def compared(page: str, folder: str, *, update: bool, cluster: dict[str, str] | None) -> list[str]:
    """Runs the blocks of a page in order; answers what differs.  With update the page is rewritten instead."""
    written(page, folder)
    differences, text = [], read(page)
    for block in blocks(page, "console"):
        if "cluster" in block.words and cluster is None:
            continue
        for command in commands(block.text):
            printed = run(command.words, folder, cluster or {})
            same = fits(steady(command.shown), steady(printed)) if cluster else fits(command.shown, printed)
            if same:
                continue
            differences.append(f"{block}: $ {command.words}\nshown:\n{command.shown}printed:\n{printed}")
            assert "this is a bug in appctl" not in printed, differences[-1]
            if update:
                shown = VARYING[0][0].sub("", re.sub(r"\b[\w.-]+@[\w.-]+", "ana@laptop", printed))
                before, after = (f"$ {command.words}\n{lines}" for lines in (command.shown, shown))
                text = text.replace(before, after, 1)
    if update and differences:
        with open(f"{ROOT}/{page}", "w", encoding="utf-8") as file:
            file.write(text)
        print("\n".join(differences))
        return []
    return differences
