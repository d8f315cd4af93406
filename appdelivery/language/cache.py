"""Compiled definitions on disk, so that a command line does not compile what it compiled yesterday.

Unmarshalling executes what it reads in effect, so an entry is only taken from a folder and a file that belong to us
and that nobody else can write: checked on every open, on what was opened, without following links.  Servers compile
in memory and never come here.  Everything that could make an entry wrong is part of it: path, time and size of the
definition and of every shared part, the language, our code generator, the interpreter.
"""

from __future__ import annotations

import marshal
import os
import sys
from binascii import crc32

import appdelivery
from appdelivery.language import module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.language.module import Compiled

NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
GENERATORS = (
    "compiling/compiler", "compiling/sections", "compiling/template", "compiling/shapes", "expressions/leaves",
    "expressions/translate", "expressions/access", "schema/generate",
)  # fmt: skip


def load(path: str, *, folder: str, tag: str = "") -> Compiled | None:
    """The entry of a definition file, or None when there is none that can be trusted and is up to date.

    tag stands for whatever else the caller's compile depends on (layouts, known actions).
    """
    try:
        place = _opened(folder)
    except OSError:
        return None
    try:
        data = _read(place, _name(path))
        return None if data is None else _entry(data, path, tag)
    except (OSError, ValueError, EOFError, TypeError):  # not ours, torn or of another Python: as if it were not there
        return None
    finally:
        os.close(place)


def store(path: str, compiled: Compiled, *, folder: str, tag: str = "") -> bool:
    """Keeps an entry; False when the folder cannot be trusted or written, which costs only time."""
    shared = tuple([name for name, _ in compiled.files[1:]])
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        place = _opened(folder)
    except OSError:
        return False
    try:
        key = _key(tag), _facts(path), tuple([_facts(name) for name in shared])
        body = marshal.dumps((key, tuple([_interned(getattr(compiled, name)) for name in FIELDS])))
        _write(place, _name(path), crc32(body).to_bytes(4, "big") + body)
    except (OSError, ValueError):
        return False
    finally:
        os.close(place)
    return True


FIELDS: Sequence[str] = module.Compiled.__slots__  # type: ignore[attr-defined]


def _entry(data: bytes, path: str, tag: str) -> Compiled | None:
    body = memoryview(data)[4:]
    if crc32(body).to_bytes(4, "big") != data[:4]:
        return None
    (general, own, shared), fields = marshal.loads(body)  # noqa: S302 - from a private folder of ours, see above
    if general != _key(tag) or own != _facts(path) or any(facts != _facts(facts[0]) for facts in shared):
        return None
    return module.Compiled(*fields)


def _key(tag: str) -> tuple[Any, ...]:
    """What an entry depends on beside its files."""
    return appdelivery.__version__, module.LANGUAGE, module.CODE, sys.version, sys.implementation.cache_tag, OWN, tag


def _own() -> tuple[int, ...]:
    """Times of the generator's own files, which change during its development without a new version."""
    here = os.path.dirname(__file__)
    try:
        return tuple([os.stat(f"{here}/{name}.py").st_mtime_ns for name in GENERATORS])
    except OSError:  # installed without sources: then they do not change
        return ()


OWN = _own()


def _interned(tree: Any) -> Any:
    """The same with equal strings being one object: half the size and half the time to read."""
    if type(tree) is str:
        return sys.intern(tree)
    if type(tree) is dict:
        return {_interned(key): _interned(value) for key, value in tree.items()}
    if type(tree) is list:
        return [_interned(value) for value in tree]
    return tree


def _facts(path: str) -> tuple[str, int, int]:
    seen = os.stat(path)
    return path, seen.st_mtime_ns, seen.st_size


def _name(path: str) -> str:
    """Readable and short; a collision only replaces an entry, because the entry says whose it is."""
    return f"{os.path.basename(path)[:64]}-{crc32(os.path.abspath(path).encode()):08x}"


# --- trust ---


def _opened(folder: str) -> int:
    """The folder, open, if it is a folder of ours that nobody else can enter."""
    if not hasattr(os, "geteuid"):
        raise PermissionError(folder)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | NOT_FOLLOWED)
    if not _ours(os.fstat(place)):
        os.close(place)
        raise PermissionError(folder)
    return place


def _ours(seen: os.stat_result) -> bool:
    return seen.st_uid == os.geteuid() and not seen.st_mode & 0o077


def _read(place: int, name: str) -> bytes | None:
    try:
        file = os.open(name, os.O_RDONLY | NOT_FOLLOWED, dir_fd=place)
    except FileNotFoundError:
        return None
    try:
        seen = os.fstat(file)
        if not _ours(seen) or not seen.st_mode & 0o100000 or seen.st_nlink != 1:
            return None
        data = os.read(file, seen.st_size + 1)
        return data if len(data) == seen.st_size else None
    finally:
        os.close(file)


def _write(place: int, name: str, data: bytes) -> None:
    """Whole or not at all: another process may read at any moment."""
    temporary = f"{name}.{os.getpid()}"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NOT_FOLLOWED, 0o600, dir_fd=place)
    try:
        written = 0
        while written < len(data):
            written += os.write(file, data[written:])
    finally:
        os.close(file)
    os.rename(temporary, name, src_dir_fd=place, dst_dir_fd=place)
