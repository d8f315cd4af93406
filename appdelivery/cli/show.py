"""Print a revision, a release or a saved plan."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from appdelivery.cli import asking, flags, history, opening, printing
from appdelivery.platform import local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl show shop/web --revision 7"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("what", help="an application, or the file of a saved plan")
    flags.namespace(parser)
    flags.output(parser, "yaml", "json", "table")
    flags.store(parser)
    parser.add_argument("--revision", default="", metavar="N", help="a revision (default: the newest)")
    parser.add_argument("--release", type=int, metavar="N", help="a release with its plan")
    parser.add_argument("--manifests", action="store_true", help="only the manifests, one document each")


def run(args: Namespace) -> int:
    if os.path.isfile(args.what):
        return _plan(args)
    app = looking.application_key(args.what, asking.namespace(args))

    def work(p: local.Platform) -> int:
        if args.release is not None:
            release, plan = looking.release(p, app, args.release)
            printing.answer({**history.row(release), "plan": plan}, "json" if args.output == "json" else "yaml")
            return 0
        content = looking.revision(p, app, looking.revision_number(p, app, args.revision))
        if args.manifests:
            import sys

            from appdelivery.language.text import yaml_out

            sys.stdout.write(yaml_out.dump_all(content["manifests"]))
        else:
            printing.answer(content, "json" if args.output == "json" else "yaml")
        return 0

    return opening.reading(args, work)


def _plan(args: Namespace) -> int:
    """Offline: the file says everything but the values of secrets."""
    import sys

    from appdelivery.cli import plans
    from appdelivery.delivery import saved
    from appdelivery.platform import documents

    texts = documents.read(documents.Request((args.what,)))
    read = saved.read(texts[args.what], args.what)
    if args.output == "json":
        printing.answer(plans.tree(read.plan), "json")
    else:
        plans.show(
            read.plan,
            f"{read.plan.app}  saved plan, expires {read.expires.isoformat()}",
            colour=printing.colours(args, sys.stdout),
            graph=True,
        )
    return 0
