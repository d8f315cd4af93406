"""Check definitions and applications for mistakes and bad habits."""

from __future__ import annotations

from appdelivery.cli import asking, findings, flags
from appdelivery.platform import checking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl lint components/ app.yaml --strict"
EXIT = "exit codes: 0 no findings, 1 findings (warnings count with --strict), 2 could not run, 64 usage, 70 our bug"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders (default: the shipped definitions)")
    parser.add_argument(
        "--definitions", action="append", default=[], metavar="PATH", help="definitions that come before the shipped ones"
    )
    parser.add_argument("--strict", action="store_true", help="warnings count as findings")
    flags.output(parser, "table", "json")


def run(args: Namespace) -> int:
    return findings.report(checking.lint(args.paths, asking.definitions(args)), args)
