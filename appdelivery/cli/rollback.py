"""Deliver an older revision again, with its stored manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import asking, flags, opening, plan, up
from appdelivery.platform import delivering, local, looking, planning

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.model.refs import AppKey

EXAMPLE = "appctl rollback shop/web --to web-v11"
EXIT = up.EXIT


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    parser.add_argument(
        "--to", default="", metavar="REVISION", help="APP-v7, v7 or 7 (default: the last one that succeeded)"
    )
    flags.namespace(parser)
    flags.cluster(parser)
    flags.store(parser)
    flags.output(parser, "table", "json")
    parser.add_argument("--wait", choices=("ready", "applied"), default="ready", help="until healthy, or only until applied")
    parser.add_argument("--dry-run", action="store_true", help="only the plan; exit 0")
    flags.waiting(parser)
    flags.guards(parser)


def run(args: Namespace) -> int:
    app = looking.application_key(args.application, asking.namespace(args))

    async def work(p: local.Platform) -> int:
        number = looking.revision_number(p, app, args.to) if args.to else _last_good(p, app)
        planned = await delivering.rollback(p, app, number, planning.Ask(plan.consent(args)))
        return await up.carry_out(p, planned, args)

    return opening.working(args, work)


def _last_good(p: local.Platform, app: AppKey) -> int:
    """The newest revision that was delivered well before the current one."""
    _, releases = looking.history(p, app, 500)
    current = releases[0].revision if releases else 0
    for release in releases:
        if release.outcome == "succeeded" and release.revision != current and release.request == "apply":
            return release.revision
    raise errors.NotFound(
        f"roll {app} back: no other revision has been delivered well", hint=f"appctl history {app} lists them"
    )
