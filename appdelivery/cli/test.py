"""Run the cases of definitions: NAME.test.yaml, their examples, the examples of their schemas."""

from __future__ import annotations

import sys

from appdelivery.cli import asking, clean, failures, flags, printing
from appdelivery.platform import checking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl test traits/hpa.yaml"
EXIT = "exit codes: 0 all pass, 1 some fail, 2 could not run, 64 usage, 70 our bug"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="definitions or folders (default: every known definition)")
    parser.add_argument("-k", dest="pattern", default="", metavar="TEXT", help="only cases whose name holds this text")
    parser.add_argument("--update", action="store_true", help="rewrite what is expected, then read the change")
    parser.add_argument(
        "--definitions", action="append", default=[], metavar="PATH", help="definitions that come before the shipped ones"
    )
    flags.output(parser, "table", "json")


def run(args: Namespace) -> int:
    results = checking.test(args.paths, asking.definitions(args), pattern=args.pattern, update=args.update)
    failed = [r for r in results if not r.passed]
    if args.output == "json":
        rows = [
            {
                "definition": r.definition,
                "case": r.case,
                "passed": r.passed,
                "difference": r.difference,
                "problems": [str(p) for p in r.problems],
            }
            for r in results
        ]
        printing.answer({"items": rows}, "json")
        return failures.NO if failed else failures.DONE
    for result in failed:
        sys.stdout.write(clean.text(f"FAILED {result.definition}: {result.case}  ({result.file})") + "\n")
        if result.difference:
            sys.stdout.write("".join(f"    {line}\n" for line in clean.lines(result.difference).splitlines()))
        failures.problems(result.problems)
    updated = sum(r.updated for r in results)
    sys.stdout.write(
        f"{len(results) - len(failed)} passed, {len(failed)} failed" + (f", {updated} updated" if updated else "") + "\n"
    )
    return failures.NO if failed else failures.DONE
