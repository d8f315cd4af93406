"""Compare two revisions of an application, object by object."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery.cli import asking, flags, hunks, opening, printing
from appdelivery.platform import local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl compare shop/web 6 7"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    parser.add_argument("older", help="a revision: APP-v6, v6 or 6")
    parser.add_argument("newer", nargs="?", default="", help="another one (default: the newest)")
    flags.namespace(parser)
    flags.output(parser, "table", "json", "yaml")
    flags.store(parser)


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))

    def work(p: local.Platform) -> int:
        older, newer = (looking.revision_number(p, app, text) for text in (args.older, args.newer))
        found = looking.compare(p, app, older, newer)
        if args.output in ("json", "yaml"):
            printing.answer({"older": older, "newer": newer, "items": found}, args.output)
        else:
            hunks.show(found, colour=printing.colours(args, sys.stdout))
            if not found:
                printing.notice(f"{app.name}-v{older} and {app.name}-v{newer} render the same objects", args)
        return 1 if found else 0

    return opening.reading(args, work)
