"""List and show definitions."""

from __future__ import annotations

import sys

from appdelivery import errors
from appdelivery.cli import asking, explain, flags, parameters, printing
from appdelivery.platform import rendering

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.catalog.catalog import Catalog

EXAMPLE = "appctl definition show webservice --example"
COLUMNS = ("name", "kind", "version", "source", "description")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("verb", choices=("list", "show"), help="what to do")
    parser.add_argument("name", nargs="?", help="show: NAME or NAME@VERSION")
    parser.add_argument("--kind", choices=tuple(explain.NOUNS.values()), help="list: only this kind")
    parser.add_argument("--hidden", action="store_true", help="list hidden ones too")
    parser.add_argument("--parameters", action="store_true", help="show: the parameters")
    parser.add_argument("--example", action="store_true", help="show: an example application")
    parser.add_argument("--rendered", action="store_true", help="show: what the example renders")
    parser.add_argument(
        "--definitions", action="append", default=[], metavar="PATH", help="definitions that come before the shipped ones"
    )
    flags.table(parser)


def run(args: Namespace) -> int:
    known = rendering.open_catalog(asking.definitions(args))
    if args.verb == "list":
        rows = [
            explain.head(d)
            for d in known.all()
            if (args.hidden or not d.hidden) and args.kind in (None, explain.NOUNS[d.kind])
        ]
        printing.items(rows, COLUMNS, args, kind="definition")
        return 0
    if not args.name:
        raise errors.UsageError("definition show: which one?", hint="appctl definition show webservice")
    definition = rendering.find(known, args.name)
    if args.example or args.rendered:
        return _example(args, known, definition.name)
    if args.output in ("json", "yaml") and not args.parameters:
        printing.answer(
            {**explain.head(definition), "parameters": definition.parameters, "hash": definition.hash}, args.output
        )
        return 0
    explain.introduce(definition)
    printing.items(parameters.rows(definition.parameters), explain.COLUMNS, args, kind="parameter")
    return 0


def _example(args: Namespace, known: Catalog, name: str) -> int:
    from appdelivery.language.text import yaml_out
    from appdelivery.model import reading
    from appdelivery.render.render import render

    definition = rendering.find(known, name)
    if not definition.examples:
        raise errors.NotFound(f"{name} has no example")
    bodies = list(definition.examples)
    if args.rendered:
        bodies = [
            m.body for e in definition.examples for m in render(reading.application(e, name, 0), known.resolve).manifests
        ]
    sys.stdout.write(yaml_out.dump_all(bodies))
    return 0
