"""Set, list and remove secret values; they are kept encrypted and never printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import asking, flags, opening, printing
from appdelivery.platform import local, looking, managing

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = 'printf %s "$TOKEN" | appctl secret set registry-token'
COLUMNS = ("name", "owner", "version", "kind", "created")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("verb", choices=("set", "list", "remove"), help="what to do")
    parser.add_argument("name", nargs="?", help="name of the secret")
    parser.add_argument("--app", metavar="NS/NAME", help="a secret of this application (default: of the installation)")
    parser.add_argument("--from-file", metavar="FILE", help="read the value from a file (default: standard input)")
    flags.namespace(parser)
    flags.table(parser)
    flags.store(parser)


def run(args: Namespace) -> int:
    owner = str(looking.application_key(args.app, asking.namespace(args))) if args.app else ""
    if args.verb == "list":
        return opening.reading(args, lambda p: _list(p, owner or None, args))
    if not args.name:
        raise errors.UsageError(f"secret {args.verb}: which one?", hint=f"appctl secret {args.verb} NAME")
    if args.verb == "remove":
        removed = opening.writing(args, lambda p: managing.secret_remove(p, args.name, owner=owner))
        printing.notice(f"secret {args.name} removed ({removed} version{'s' if removed > 1 else ''})", args)
        return 0
    value = _value(args)
    version = opening.writing(args, lambda p: managing.secret_set(p, args.name, value, owner=owner))
    printing.notice(f"secret {args.name} stored as version {version}", args)
    return 0


def _value(args: Namespace) -> str:
    """Never from the command line: arguments are seen by everybody on the computer."""
    if args.from_file:
        try:
            with open(args.from_file, encoding="utf-8") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.UsageError(f"--from-file {args.from_file}: {error}") from error
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("value: ")
    value = sys.stdin.read()
    if not value:
        raise errors.UsageError("secret set: standard input is empty", hint='printf %s "$VALUE" | appctl secret set NAME')
    return value


def _list(p: local.Platform, owner: str | None, args: Namespace) -> int:
    rows = [
        {
            "name": s.name,
            "owner": s.owner or "installation",
            "version": s.version,
            "kind": s.kind,
            "created": s.created_at.isoformat(),
        }
        for s in managing.secret_list(p, owner)
    ]
    printing.items(rows, COLUMNS, args, kind="secret")
    return 0
