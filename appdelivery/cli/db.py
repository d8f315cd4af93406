"""Migrate, check, back up and restore the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import flags, opening, printing
from appdelivery.platform import local, managing

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl db backup appctl-2026.jsonl.gz"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("verb", choices=("migrate", "check", "backup", "restore"), help="what to do")
    parser.add_argument("file", nargs="?", help="of backup and restore")
    parser.add_argument("--deep", action="store_true", help="check: also the slow proofs (every blob, every cipher)")
    parser.add_argument("--replace", action="store_true", help="restore: over an existing store; the old file is kept aside")
    parser.add_argument("--as-new", action="store_true", help="restore: as another installation that owns nothing")
    flags.store(parser)
    flags.table(parser)


def run(args: Namespace) -> int:
    if args.verb in ("backup", "restore") and not args.file:
        raise errors.UsageError(f"db {args.verb}: which file?", hint=f"appctl db {args.verb} FILE")
    verbs = {"migrate": _migrate, "check": _check, "backup": _backup, "restore": _restore}
    return verbs[args.verb](args)


def _migrate(args: Namespace) -> int:
    from appdelivery.store import migrate

    before, after = migrate.migrate(local.location(opening.options(args)))
    printing.notice(f"the store is at schema {after}" + ("" if before == after else f" (was {before or 'empty'})"), args)
    return 0


def _check(args: Namespace) -> int:
    findings = opening.reading(args, lambda p: managing.store_check(p, deep=args.deep))
    rows = [{"name": f.what, "level": f.level, "message": f.message} for f in findings]
    if rows or args.output:
        printing.items(rows, ("level", "name", "message"), args, kind="finding")
    if not rows:
        printing.notice("the store is whole", args)
    return 1 if rows else 0


def _backup(args: Namespace) -> int:
    from appdelivery.store import backup

    opening.reading(args, lambda p: backup.backup(p.store, args.file))
    place = local.location(opening.options(args))
    key = "the file that APPCTL_MASTER_KEY_FILE names" if place.startswith("postgres") else f"{place}.key"
    printing.notice(f"written to {args.file}. The master key is not in it: keep {key} apart.", args)
    return 0


def _restore(args: Namespace) -> int:
    from appdelivery.store import backup

    backup.restore(args.file, local.location(opening.options(args)), replace=args.replace, as_new=args.as_new)
    printing.notice("restored; the next delivery reads every object anew from its cluster", args)
    return 0
