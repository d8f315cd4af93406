"""Show an application's objects and what they own: ReplicaSets, pods, as the cluster has them now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery.cli import asking, clean, flags, opening, printing
from appdelivery.platform import live, local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

EXAMPLE = "appctl tree shop/web"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    flags.namespace(parser)
    flags.output(parser, "table", "json", "yaml")
    flags.store(parser)
    flags.cluster(parser)


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))

    async def work(p: local.Platform) -> int:
        found = await live.tree(p, app)
        if args.output in ("json", "yaml"):
            printing.answer({"items": [live.branch_tree(b) for b in found]}, args.output)
        else:
            sys.stdout.write(f"{app}\n")
            show(found, "", colour=printing.colours(args, sys.stdout))
        return 0

    return opening.working(args, work, mode="read")


def show(branches: Sequence[live.Branch], stem: str, *, colour: bool) -> None:
    for i, branch in enumerate(branches):
        last = i == len(branches) - 1
        word = printing.paint(branch.health.state, printing.BY_WORD.get(branch.health.state, ""), on=colour)
        said = f"  {clean.text(branch.health.message)}" if branch.health.message and branch.health.state != "healthy" else ""
        sys.stdout.write(
            f"{stem}{'└─' if last else '├─'} {clean.text(branch.ref.kind)} {clean.text(branch.ref.name)}  {word}{said}\n"
        )
        show(branch.children, stem + ("   " if last else "│  "), colour=colour)
