"""`appctl cluster label`, `taint`, `rename`, `cordon`, `uncordon` and `forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import confirming, opening, printing
from appdelivery.model import wording
from appdelivery.platform import local, registry

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from appdelivery.store.registry import Deployed


def run(args: Namespace) -> int:
    verbs = {
        "label": _label, "taint": _taint, "rename": _rename, "cordon": _cordon, "uncordon": _cordon, "forget": _forget,
    }  # fmt: skip
    return verbs[args.verb](args)


def _label(args: Namespace) -> int:
    _some(args, "KEY=VALUE or KEY-")
    changed = opening.writing(args, lambda p: registry.label(p, args.name, args.rest, overwrite=args.overwrite))
    printing.notice(f"cluster {args.name} {'labelled' if changed else 'has these labels already'}", args)
    return 0


def _taint(args: Namespace) -> int:
    _some(args, "KEY=VALUE:EFFECT or KEY-")
    changed = opening.writing(args, lambda p: registry.taint(p, args.name, args.rest, overwrite=args.overwrite))
    printing.notice(f"cluster {args.name} {'tainted' if changed else 'has these taints already'}", args)
    return 0


def _some(args: Namespace, form: str) -> None:
    if not args.rest:
        raise errors.UsageError(f"cluster {args.verb} {args.name}: nothing to change was given", hint=form)


def _rename(args: Namespace) -> int:
    if len(args.rest) != 1:
        raise errors.UsageError(
            f"cluster rename {args.name}: one new name is expected", hint="appctl cluster rename NAME NEW"
        )
    opening.writing(args, lambda p: registry.rename(p, args.name, args.rest[0]))
    printing.notice(f"cluster {args.name} is now {args.rest[0]}; its history went with it", args)
    return 0


def _cordon(args: Namespace) -> int:
    cordon = args.verb == "cordon"
    changed = opening.writing(args, lambda p: registry.cordon(p, args.name, args.reason, cordon=cordon))
    if not changed:
        printing.notice(f"cluster {args.name} is {args.verb}ed already", args)
    elif cordon:
        printing.notice(f"cluster {args.name} cordoned: nothing new is placed there, what runs there stays", args)
    else:
        printing.notice(f"cluster {args.name} uncordoned: it takes part in placement again", args)
    return 0


def _forget(args: Namespace) -> int:
    def look(p: local.Platform) -> Sequence[Deployed]:
        return registry.one(p, args.name)[1]

    there = opening.reading(args, look)
    stays = f"{wording.count(sum([one.objects for one in there]), 'object')} of ours"
    confirming.ask(args, f"forget cluster {args.name}, where {stays} keep running and are no longer managed")
    left = opening.writing(args, lambda p: registry.forget(p, args.name))
    count = sum([one.objects for one in left])
    stays = "nothing of ours runs there" if not left else f"{wording.count(count, 'object')} of ours stay running there"
    printing.notice(f"cluster {args.name} forgotten; {stays}, history is kept", args)
    for one in left:
        printing.notice(f"  {one.app}: {wording.count(one.objects, 'object')}", args)
    return 0
