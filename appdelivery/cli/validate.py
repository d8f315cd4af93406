"""Check applications: schema, references, duplicates, and what an API server would refuse."""

from __future__ import annotations

from appdelivery.cli import asking, findings, flags
from appdelivery.platform import checking, rendering
from appdelivery.render.render import RenderContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl validate app.yaml"
EXIT = "exit codes: 0 no findings, 1 findings, 2 could not run, 64 usage, 70 our bug"


def add(parser: ArgumentParser) -> None:
    flags.documents(parser)
    flags.output(parser, "table", "json")
    parser.add_argument("--strict", action="store_true", help="warnings count as findings")


def run(args: Namespace) -> int:
    context = RenderContext(lenient=args.lenient, identify=False)
    if args.kube_version:
        context = RenderContext(
            lenient=args.lenient, identify=False, cluster_version=rendering.cluster_version(args.kube_version)
        )
    found = checking.validate(asking.request(args), asking.definitions(args), context)
    return findings.report(found, args)
