"""Show what `up` would change, and save it to be carried out exactly."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import asking, failures, flags, opening, plans, printing
from appdelivery.platform import delivering, local, offline, planning, rendering

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from appdelivery.delivery.consent import Consent
    from appdelivery.platform.planning import Planned

EXAMPLE = "appctl plan app.yaml --out plan.json && appctl up plan.json"
EXIT = "exit codes: 0 done, 1 there are changes (with --exit-code), 2 could not be done, 64 usage, 70 our bug"
MOST_NAMES = 3


def add(parser: ArgumentParser) -> None:
    flags.documents(parser)
    flags.cluster(parser)
    flags.store(parser)
    flags.output(parser, "table", "json", "yaml")
    parser.add_argument("--out", metavar="FILE", help="save the plan; `appctl up FILE` carries out exactly it")
    parser.add_argument("--graph", action="store_true", help="print the order too")
    parser.add_argument("--local", action="store_true", help="compare with what was last applied, without a cluster")
    parser.add_argument("--exit-code", action="store_true", help="1 when there are changes")
    flags.guards(parser)


def run(args: Namespace) -> int:
    work = rendering.load(asking.request(args), asking.definitions(args))
    failures.problems(work.loaded.warnings)
    if args.local:
        return _local(args, work)

    async def plan(p: local.Platform) -> int:
        made = await delivering.plans(p, work, ask(args))
        if args.out:
            if len(made) != 1:
                raise errors.UsageError(f"plan --out: a plan file holds one application, the documents hold {len(made)}")
            delivering.allowed(made[0])
            await delivering.save(p, made[0], args.out)
        for planned in made:
            failures.problems(planned.warnings)
        return show(made, args)

    return opening.working(args, plan, mode="write" if args.out else "read")


def show(made: tuple[Planned, ...], args: Namespace) -> int:
    if args.output in ("json", "yaml"):
        printing.answer({"items": [plans.tree(planned.plan) for planned in made]}, args.output)
    else:
        for planned in made:
            plans.show(
                planned.plan, title(planned), colour=printing.colours(args, sys.stdout), graph=getattr(args, "graph", False)
            )
    changed = any(planned.plan.writes for planned in made)
    return failures.NO if changed and getattr(args, "exit_code", False) else failures.DONE


def title(planned: Planned) -> str:
    return f"{planned.app} on {listed(planned.clusters)}"


def listed(names: Sequence[str]) -> str:
    """The first few of many, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def consent(args: Namespace) -> Consent:
    from appdelivery.delivery.consent import Consent

    if args.force_conflicts and args.fail_on_conflict:
        raise errors.UsageError("--force-conflicts and --fail-on-conflict exclude each other")
    return Consent(
        force_conflicts=args.force_conflicts,
        fail_on_conflict=args.fail_on_conflict,
        take_ownership=args.take_ownership,
        allow_deletes=args.allow_deletes,
        deletes=frozenset(args.delete),
        create_namespace=args.create_namespace,
    )


def ask(args: Namespace) -> planning.Ask:
    version = rendering.cluster_version(args.kube_version) if getattr(args, "kube_version", None) else None
    return planning.Ask(consent(args), getattr(args, "lenient", False), version)


def _local(args: Namespace, work: rendering.Work) -> int:
    def compare(p: local.Platform) -> int:
        found = [offline.without_cluster(p, work, app) for app in work.loaded.applications]
        if args.output in ("json", "yaml"):
            printing.answer({"items": [plans.tree(plan) for plan in found]}, args.output)
        else:
            for plan in found:
                plans.show(
                    plan,
                    f"{plan.app} against what was last applied",
                    colour=printing.colours(args, sys.stdout),
                    graph=args.graph,
                )
        return failures.NO if args.exit_code and any(plan.writes for plan in found) else failures.DONE

    return opening.reading(args, compare)
