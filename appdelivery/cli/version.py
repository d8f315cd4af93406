"""Print the version."""

from __future__ import annotations

import sys

from appdelivery import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl version"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "json"), help="form of the answer")


def run(args: Namespace) -> int:
    if args.output == "json":
        import json

        sys.stdout.write(json.dumps({"version": __version__, "python": sys.version.split()[0]}) + "\n")
    else:
        sys.stdout.write(f"appctl {__version__}\n")
    return 0
