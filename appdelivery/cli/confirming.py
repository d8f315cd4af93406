"""Questions before what cannot be undone easily.  Without a terminal and without --yes there is no answer: exit 2."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import clean

if TYPE_CHECKING:
    from argparse import Namespace


def ask(args: Namespace, what: str, *, expect: str = "") -> None:
    """Goes on, or raises Refused.  what: begins with a verb; expect: the word to type (a name), '' = y."""
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise errors.Refused(
            f"{what}: somebody has to agree, and there is no terminal to ask on",
            code="needs-confirmation",
            hint="if that is meant, add --yes",
        )
    question = f"{what[0].upper()}{what[1:]}?"
    sys.stderr.write(f"{clean.text(question)} {f'Type {expect}: ' if expect else '[y/N] '}")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer != expect if expect else answer.lower() not in ("y", "yes"):
        raise errors.Refused("nothing was changed: the answer was no", code="declined")
