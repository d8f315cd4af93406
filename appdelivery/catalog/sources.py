"""Where definitions come from: files and folders given by path, and the shipped folders.  Finds files, reads no more than it must.

A folder is laid out like the shipped one (components/, traits/, workflows/, workflows/policies/, components/_shared/), or
simply holds definition files; a file is one definition.
"""

from __future__ import annotations

import os

from appdelivery import errors
from appdelivery.catalog import layouts
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDERS = {
    layouts.COMPONENT: "components",
    layouts.TRAIT: "traits",
    layouts.STEP: "workflows",
    layouts.POLICY: "workflows/policies",
}
SHARED = "components/_shared"
ENDING, TESTS = ".yaml", ".test.yaml"


@record
class Source:
    """root holds the folders of FOLDERS; files are definitions found outside of them: (kind, name) to path."""

    label: str  # as Definition.source: shipped, command line
    root: str
    files: dict[tuple[str, str], str]
    shared_roots: tuple[str, ...] = ()

    def find(self, kind: str, name: str) -> str:
        """Path of a definition's file, '' when this source has none."""
        loose = self.files.get((kind, name))
        if loose is not None:
            return loose
        path = f"{self.root}/{FOLDERS[kind]}/{name}{ENDING}" if self.root else ""
        return path if path and os.path.isfile(path) else ""

    def names(self, kind: str) -> list[str]:
        found = {name for of, name in self.files if of == kind}
        if self.root:
            found |= set(definition_names(f"{self.root}/{FOLDERS[kind]}"))
        return sorted(found)

    def shared(self, name: str) -> str:
        """Path of a shared part, '' when this source has none."""
        for root in self.shared_roots:
            path = f"{root}/{name}{ENDING}"
            if os.path.isfile(path):
                return path
        return ""


def definition_names(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    return [n.removesuffix(ENDING) for n in os.listdir(folder) if n.endswith(ENDING) and not n.endswith(TESTS)]


def shipped(folder: str) -> Source:
    return Source("shipped", folder, {}, (f"{folder}/{SHARED}",))


def given(paths: Sequence[str]) -> list[Source]:
    """One source for every path of the command line."""
    return [_folder(path) if os.path.isdir(path) else _file(path) for path in paths]


def _file(path: str) -> Source:
    """A definition, also when the path is that of its cases."""
    return _files(path, [path.removesuffix(TESTS) + ENDING if path.endswith(TESTS) else path])


def _folder(path: str) -> Source:
    laid_out = any(os.path.isdir(f"{path}/{folder}") for folder in FOLDERS.values())
    if laid_out:
        return Source("command line", path, {}, (f"{path}/{SHARED}",))
    return _files(path, [f"{path}/{name}{ENDING}" for name in sorted(definition_names(path))])


def _files(path: str, files: Iterable[str]) -> Source:
    found = {}
    for file in files:
        kind, name = head(file)
        if kind in FOLDERS:
            found[kind, name] = file
        elif not os.path.isdir(path):
            raise errors.SourceError(f"read {file}: it is not a definition (its kind is {kind or 'missing'})")
    folder = path if os.path.isdir(path) else os.path.dirname(path) or "."
    return Source("command line", "", found, (f"{folder}/_shared", f"{os.path.dirname(folder) or '.'}/{SHARED}"))


def head(file: str) -> tuple[str, str]:
    """Kind and name that a file states; '' for what is missing.  SpecError when it is no YAML."""
    from appdelivery.language.text import yaml_in

    trees = yaml_in.load(read(file), file)
    tree = trees[0] if trees and isinstance(trees[0], dict) else {}
    metadata = tree.get("metadata")
    return str(tree.get("kind", "")), str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def read(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except FileNotFoundError:
        raise errors.SourceError(f"read {file}: there is no such file") from None
    except OSError as error:
        raise errors.SourceError(f"read {file}: {error.strerror}") from error
