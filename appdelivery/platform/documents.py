"""What the user gave: files, folders and standard input, read into bytes and then into applications.

Problems of every phase are located in these texts, so a message can name file, line and column.
"""

from __future__ import annotations

import os

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model import reading, secret
from appdelivery.model.problem import Problem
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from appdelivery.model.application import Application
    from appdelivery.platform import overrides

    S = TypeVar("S")
    T = TypeVar("T")

STDIN = "-"
MASKS = (secret.MASK.encode(), *(b"\\" + sign for sign in (b"x", b"u", b"U", b"\n", b"\r")))  # as it is, or behind escapes
ENDINGS = (".yaml", ".yml", ".json")


@record
class Request:
    """Where documents come from and what changes them."""

    paths: tuple[str, ...]
    namespace: str = "default"
    lenient: bool = False
    changes: tuple[overrides.Change, ...] = ()  # --values, then --set in the order given
    stdin: Callable[[], bytes] | None = None


@record
class Loaded:
    applications: tuple[Application, ...]
    texts: dict[str, bytes]  # by file name, for positions
    warnings: tuple[Problem, ...]


def load(request: Request, schemas: overrides.Schemas) -> Loaded:
    """Applications of all given files; every problem at once, located."""
    texts = read(request)
    trees: list[tuple[str, int, Any]] = []
    problems: list[Problem] = []
    for file, data in texts.items():
        try:
            trees += [(file, index, tree) for index, tree in enumerate(yaml_in.load(data, file))]
        except errors.SpecError as error:
            problems += error.problems
    if problems:
        raise errors.SpecError(problems)
    _refuse_masks(trees, texts)
    if request.changes:
        from appdelivery.platform import overrides

        trees = overrides.apply(trees, request.changes, schemas, lenient=request.lenient)
    documents = locating(texts, lambda: reading.documents(trees, namespace=request.namespace, lenient=request.lenient))
    if not documents.applications:
        raise errors.RequestError(
            f"read {', '.join(request.paths)}: there is no Application",
            hint="an application starts with\n  apiVersion: core.oam.dev/v1beta1\n  kind: Application",
        )
    return Loaded(documents.applications, texts, tuple(_located(documents.warnings, texts)))


def _refuse_masks(trees: list[tuple[str, int, Any]], texts: dict[str, bytes]) -> None:
    """A masked manifest must not overwrite the real one."""
    if not any(part in data for data in texts.values() for part in MASKS):  # the whole walk costs more than a parse
        return
    from appdelivery.model import redact

    found = [
        Problem(
            "the document holds masked text (<redacted…>): it was printed for people and is no input",
            code="redacted",
            file=file,
            document=index,
        )
        for file, index, tree in trees
        if redact.is_masked(tree)
    ]
    if found:
        raise errors.SpecError(_located(found, texts))


def read(request: Request) -> dict[str, bytes]:
    """The bytes of every file; folders are read recursively in name order."""
    if not request.paths:
        raise errors.UsageError(
            "no application file was given", hint="appctl ... app.yaml, a folder, or - for standard input"
        )
    texts: dict[str, bytes] = {}
    for path in request.paths:
        if path == STDIN:
            if request.stdin is None:
                raise errors.UsageError("standard input is not available here")
            texts[STDIN] = texts.get(STDIN) or request.stdin()  # given twice, it is still read once
        elif os.path.isdir(path):
            inside = _files(path)
            if not inside:
                raise errors.SourceError(f"read {path}: the folder holds no file that ends in {', '.join(ENDINGS)}")
            texts |= {file: _bytes(file) for file in inside}
        else:
            texts[path] = _bytes(path)
    return texts


def _files(folder: str) -> list[str]:
    found: list[str] = []
    for entry in sorted(os.listdir(folder)):
        path = os.path.join(folder, entry)
        if os.path.isdir(path) and not entry.startswith("."):
            found += _files(path)
        elif entry.endswith(ENDINGS) and not entry.startswith("."):
            found.append(path)
    return found


def _bytes(path: str) -> bytes:
    limit = yaml_in.LIMITS.file
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise errors.SourceError(f"read {path}: there is no such file") from None
    except OSError as error:
        raise errors.SourceError(f"read {path}: {error.strerror}") from error
    return data


def locating(texts: dict[str, bytes], work: Callable[[], T]) -> T:
    """Runs a phase; its problems come back with line, column and excerpt."""
    try:
        return work()
    except errors.SpecError as error:
        raise errors.SpecError(_located(error.problems, texts)) from error


def collecting(texts: dict[str, bytes], work: Callable[[S], T], on: Sequence[S]) -> list[T]:
    """Does the same work on several things; the problems of all come together."""
    done: list[T] = []
    problems: list[Problem] = []
    for one in on:
        try:
            done.append(work(one))
        except errors.SpecError as error:
            problems += error.problems
    if problems:
        raise errors.SpecError(_located(problems, texts))
    return done


def _located(problems: Sequence[Problem], texts: dict[str, bytes]) -> list[Problem]:
    if not problems:
        return []
    from appdelivery.language.text import source

    return source.locate(problems, texts)
