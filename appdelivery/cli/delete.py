"""Remove an application and its objects; what is not ours stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import asking, flags, opening, plan, up
from appdelivery.platform import delivering, local, looking, planning

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl delete shop/web --yes"
EXIT = up.EXIT


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    flags.namespace(parser)
    flags.cluster(parser)
    flags.store(parser)
    flags.output(parser, "table", "json")
    parser.add_argument("--dry-run", action="store_true", help="only the plan; exit 0")
    flags.waiting(parser)
    flags.guards(parser)


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))

    async def work(p: local.Platform) -> int:
        planned = await delivering.deletion(p, app, planning.Ask(plan.consent(args)))
        return await up.carry_out(p, planned, args)

    return opening.working(args, work)
