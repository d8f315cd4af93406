"""From parsed flags to the requests of platform: shared by every command that reads documents."""

from __future__ import annotations

import os
import sys

from appdelivery import errors, settings
from appdelivery.platform import documents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from appdelivery.platform import overrides


def request(args: Namespace) -> documents.Request:
    """The documents that the flags name, with the changes they ask for."""
    return documents.Request(
        paths=(*args.files, *args.file),
        namespace=namespace(args),
        lenient=args.lenient,
        changes=tuple(changes(args)),
        stdin=sys.stdin.buffer.read,
    )


def namespace(args: Namespace) -> str:
    return args.namespace or value(args, "namespace") or "default"


def value(args: Namespace, name: str) -> str:
    """A setting from the flags, the environment or the configuration file; '' when nobody gives it."""
    found = settings.read(os.environ, {name: getattr(args, name, None)}).get(name)
    return found.value if found else ""


def definitions(args: Namespace) -> tuple[str, ...]:
    configured = value(args, "definitions") if not args.definitions else ""
    return tuple(args.definitions) or ((configured,) if configured else ())


def changes(args: Namespace) -> list[overrides.Change]:
    """--values first, then the flags in the order of this list: the nearer to one value, the later."""
    if not (args.values or args.set or args.set_string or args.set_json or args.set_file):
        return []
    from appdelivery.language.text import yaml_in
    from appdelivery.platform import overrides

    found = []
    for path in args.values:
        trees = yaml_in.load(_text(path, "--values"), path)
        found.append(overrides.Change("tree", path, trees[0] if trees else {}, "--values"))
    found += [overrides.Change("typed", text) for text in args.set]
    found += [overrides.Change("string", text, flag="--set-string") for text in args.set_string]
    found += [overrides.Change("json", text, flag="--set-json") for text in args.set_json]
    for text in args.set_file:
        path = text.partition("=")[2]
        found.append(overrides.Change("file", text, _decoded(path), flag="--set-file"))
    return found


def _decoded(path: str) -> str:
    try:
        return _text(path, "--set-file").decode()
    except UnicodeDecodeError:
        raise errors.UsageError(f"--set-file {path}: it is not UTF-8 text") from None


def _text(path: str, flag: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise errors.UsageError(f"{flag} {path}: {error.strerror}") from error
