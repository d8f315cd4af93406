"""List applications, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.cli import asking, flags, opening, printing
from appdelivery.platform import identity, local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.model.history import Summary

EXAMPLE = "appctl list -A -l team=ml"
COLUMNS = ("name", "health", "revision", "clusters", "age", "message")


def add(parser: ArgumentParser) -> None:
    flags.namespace(parser, every=True)
    flags.table(parser)
    flags.store(parser)
    parser.add_argument("-l", "--selector", metavar="K=V", help="only applications with these labels")
    parser.add_argument("--limit", type=int, metavar="N", help="entries of a page, 1 to 500 (50)")
    parser.add_argument("--cursor", default="", help="go on where the page before ended")


def run(args: Namespace) -> int:
    namespace = "" if args.all_namespaces else asking.namespace(args)
    labels = selector(args.selector)

    def work(p: local.Platform) -> int:
        found, following = looking.applications(
            p, namespace=namespace, labels=labels, limit=local.page_limit(args.limit), cursor=args.cursor
        )
        rows = [row(summary) for summary in found]
        columns = ("namespace", *COLUMNS) if args.all_namespaces else COLUMNS
        if args.output in ("json", "yaml"):
            printing.answer({"items": rows, "next": following or None}, args.output)
            return 0
        printing.items(rows, columns, args)
        if not rows:
            printing.notice(
                f"no applications in {f'namespace {namespace}' if namespace else 'any namespace'}; appctl up app.yaml delivers one",
                args,
            )
        if following:
            printing.notice(f"there are more: --cursor {following}", args)
        return 0

    return opening.reading(args, work)


def row(summary: Summary) -> dict[str, Any]:
    return {
        "namespace": summary.app.namespace,
        "name": summary.app.name,
        "health": summary.health,
        "revision": f"{summary.app.name}-v{summary.revision}" if summary.revision else None,
        "outcome": summary.outcome,
        "clusters": f"{summary.clusters_ready}/{summary.clusters_total}",
        "objects": summary.objects,
        "labels": summary.labels,
        "age": printing.age((identity.clock() - summary.created_at).total_seconds()),
        "updatedAt": summary.updated_at.isoformat(),
        "message": summary.message,
    }


def selector(text: str | None) -> dict[str, str]:
    labels = {}
    for piece in (text or "").split(","):
        name, sign, value = piece.partition("=")
        if piece and (not sign or not name):
            raise errors.UsageError(f"-l {text}: write name=value, several separated by commas")
        if piece:
            labels[name] = value.removeprefix("=")
    return labels
