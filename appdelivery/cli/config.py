"""Show settings and where each value comes from."""

from __future__ import annotations

import os

from appdelivery import settings
from appdelivery.cli import flags, printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl config show --origin"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("show", "path"), default="show", help="show values, or the file's place")
    parser.add_argument("--origin", action="store_true", help="say where each value comes from")
    flags.table(parser)


def run(args: Namespace) -> int:
    places = settings.folders(os.environ)
    if args.verb == "path":
        printing.answer(
            {"config": f"{places.config}/config.yaml", "data": places.data, "cache": places.cache}, args.output or "yaml"
        )
        return 0
    found = settings.read(os.environ, {})
    rows = [
        {
            "name": name,
            "value": found[name].value if name in found else None,
            "origin": found[name].origin if name in found else "default",
            "meaning": meaning,
        }
        for name, meaning in settings.KNOWN.items()
    ]
    printing.items(rows, ("name", "value", *(("origin",) if args.origin else ()), "meaning"), args, kind="setting")
    return 0
