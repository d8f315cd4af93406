"""Print JSON Schemas for editors: of definition files, of applications, of the values of one type."""

from __future__ import annotations

from appdelivery import errors
from appdelivery.cli import asking, flags, printing
from appdelivery.platform import rendering

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl schema application > .vscode/application.schema.json"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("what", choices=("definition", "application", "values"), help="of which documents")
    parser.add_argument("type", nargs="?", help="values: of this component or trait type")
    parser.add_argument(
        "--definitions", action="append", default=[], metavar="PATH", help="definitions that come before the shipped ones"
    )
    flags.output(parser, "json", "yaml")


def run(args: Namespace) -> int:
    from appdelivery.catalog import jsonschema

    if args.what == "values" and not args.type:
        raise errors.UsageError("schema values: of which type?", hint="appctl schema values webservice")
    known = rendering.open_catalog(asking.definitions(args))
    if args.what == "definition":
        made = jsonschema.definition_schema()
    elif args.what == "application":
        made = jsonschema.application_schema(known)
    else:
        made = jsonschema.values_schema(rendering.find(known, args.type))
    printing.answer(made, args.output or "json")
    return 0
