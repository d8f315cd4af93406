"""Describe a type and its parameters."""

from __future__ import annotations

import sys

from appdelivery import errors
from appdelivery.cli import asking, clean, flags, parameters, printing
from appdelivery.platform import rendering

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from appdelivery.model.definition import Definition

EXAMPLE = "appctl explain webservice.livenessProbe"
COLUMNS = ("name", "type", "required", "default", "description")
NOUNS = {
    "ComponentDefinition": "component",
    "TraitDefinition": "trait",
    "PolicyDefinition": "policy",
    "WorkflowStepDefinition": "step",
}


def add(parser: ArgumentParser) -> None:
    parser.add_argument("type", help="TYPE, or TYPE.path to one parameter")
    parser.add_argument("--all", action="store_true", help="hidden parameters too")
    parser.add_argument(
        "--definitions", action="append", default=[], metavar="PATH", help="definitions that come before the shipped ones"
    )
    flags.table(parser)


def run(args: Namespace) -> int:
    name, _, path = args.type.partition(".")
    definition = rendering.find(rendering.open_catalog(asking.definitions(args)), name)
    rows = parameters.rows(definition.parameters, hidden=args.all or bool(path))
    if path:
        plain = path.replace("[]", "")
        rows = [
            r for r in rows if r["name"].replace("[]", "") == plain or r["name"].replace("[]", "").startswith(f"{plain}.")
        ]
        if not rows:
            from appdelivery.model import suggest

            every = [r["name"] for r in parameters.rows(definition.parameters, hidden=True)]
            raise errors.NotFound(f"{definition.name} has no parameter '{path}'{suggest.meant(path, every)}")
    if args.output in ("json", "yaml"):
        printing.answer({**head(definition), "parameters": rows}, args.output)
        return 0
    if not path:
        introduce(definition)
    printing.items(rows, COLUMNS, args, kind="parameter")
    return 0


def head(definition: Definition) -> dict[str, object]:
    return {
        "kind": NOUNS[definition.kind],
        "name": definition.name,
        "version": definition.version,
        "source": definition.source,
        "description": definition.description,
        "deprecated": definition.deprecated or None,
        "appliesTo": list(definition.applies_to),
        "owns": list(definition.owns),
        "requires": list(definition.requires),
    }


def introduce(definition: Definition) -> None:
    sys.stdout.write(f"{NOUNS[definition.kind]} {definition.name}: {clean.text(definition.description)}\n")
    for word, values in (("applies to", definition.applies_to), ("owns", definition.owns), ("needs", definition.requires)):
        if values:
            sys.stdout.write(f"{word} {clean.text(', '.join(values))}\n")
    if definition.deprecated:
        sys.stdout.write(f"deprecated: {clean.text(str(definition.deprecated))}\n")
    sys.stdout.write("\n")
