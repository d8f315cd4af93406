"""Parsers: one per typed command, with the flags that mean the same everywhere and defaults from the environment."""

from __future__ import annotations

import argparse
import os

from appdelivery import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

WIDTH = 100
EXIT_CODES = "exit codes: 0 done, 1 the answer is no, 2 could not be done, 3 time-out, 64 usage, 70 our bug, 130 Ctrl-C"


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, with errors in our shape, and help that begins with what the command is for."""

    def error(self, message: str) -> NoReturn:
        raise errors.UsageError(f"{self.prog}: {message}", hint=f"{self.prog} --help shows the flags")

    def format_help(self) -> str:
        made = self._get_formatter()
        made.add_text(self.description)
        made.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        for group in self._action_groups:
            made.start_section(group.title)
            made.add_text(group.description)
            made.add_arguments(group._group_actions)
            made.end_section()
        made.add_text(self.epilog)
        return made.format_help()


def parser(name: str, command: ModuleType) -> Parser:
    """The parser of one command: its example first, the exit codes last."""
    example = getattr(command, "EXAMPLE", "")
    made = Parser(
        prog=f"appctl {name}",
        allow_abbrev=False,
        formatter_class=_formatter,
        description=f"{(command.__doc__ or '').strip().splitlines()[0]}\n\n  {example}" if example else command.__doc__,
        epilog=getattr(command, "EXIT", EXIT_CODES),
    )
    command.add(made)
    add_common(made)
    made.usage = " ".join(["appctl", name, *[_positional(a) for a in made._actions if not a.option_strings], "[flags]"])
    _from_environment(made)
    return made


def _positional(action: argparse.Action) -> str:
    """The list of flags follows anyway: a usage line that holds them all hides what matters."""
    shown = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
    return {"?": f"[{shown}]", "*": f"[{shown} ...]", "+": f"{shown} ..."}.get(str(action.nargs), shown)


def _formatter(prog: str) -> argparse.HelpFormatter:
    """argparse makes one for every flag; without a width each imports shutil and asks the terminal."""
    return argparse.RawDescriptionHelpFormatter(prog, width=WIDTH)


def add_common(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("everywhere")
    group.add_argument("-q", "--quiet", action="store_true", help="print only the answer")
    group.add_argument("--debug", action="store_true", help="print causes and requests")
    group.add_argument("--color", choices=("never", "auto", "always"), help="colour by meaning (auto: on a terminal)")


def output(made: argparse.ArgumentParser, *forms: str) -> None:
    made.add_argument("-o", "--output", choices=forms or ("table", "json", "yaml", "name"), help="form of the answer")


def table(made: argparse.ArgumentParser) -> None:
    output(made)
    made.add_argument("--columns", metavar="A,B", help="columns of the table")
    made.add_argument("--no-headers", action="store_true", help="leave out the header line")


def namespace(made: argparse.ArgumentParser, *, every: bool = False) -> None:
    made.add_argument("-n", "--namespace", metavar="NS", help="namespace (default: default)")
    if every:
        made.add_argument("-A", "--all-namespaces", action="store_true", help="every namespace")


def store(made: argparse.ArgumentParser) -> None:
    made.add_argument("--store", metavar="URL", help="the store: a file or postgresql://...")


def cluster(made: argparse.ArgumentParser) -> None:
    made.add_argument("--cluster", metavar="NAME", help="a registered cluster or a kubeconfig context")
    made.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig (default: KUBECONFIG, else ~/.kube/config)")


def documents(made: argparse.ArgumentParser) -> None:
    """Files and everything that changes what they say."""
    made.add_argument("files", nargs="*", metavar="FILE", help="application files or folders, - for standard input")
    made.add_argument("-f", "--file", action="append", default=[], metavar="FILE", help="the same, repeatable")
    made.add_argument(
        "--set", action="append", default=[], metavar="C.path=v", help="set a property of component C, typed by its schema"
    )
    made.add_argument("--set-string", action="append", default=[], metavar="C.path=v", help="the same, always text")
    made.add_argument("--set-json", action="append", default=[], metavar="C.path=v", help="the same, JSON")
    made.add_argument("--set-file", action="append", default=[], metavar="C.path=FILE", help="the same, a file's text")
    made.add_argument(
        "--values", action="append", default=[], metavar="FILE", help="YAML map: component to properties, merged over"
    )
    made.add_argument(
        "--definitions", action="append", default=[], metavar="PATH", help="definitions that come before the shipped ones"
    )
    made.add_argument("--lenient", action="store_true", help="unknown parameters become warnings")
    made.add_argument("--kube-version", metavar="V", help="cluster version to render for, such as 1.36")
    namespace(made)


def guards(made: argparse.ArgumentParser) -> None:
    """What may be done although it cannot be undone easily.  None is implied by --yes."""
    group = made.add_argument_group("consent")
    group.add_argument("-y", "--yes", action="store_true", help="answer the confirmation, nothing more")
    group.add_argument(
        "--force-conflicts", action="store_true", help="take fields from other managers (never replicas of an autoscaler)"
    )
    group.add_argument("--fail-on-conflict", action="store_true", help="fail when a field belongs to another manager")
    group.add_argument("--take-ownership", action="store_true", help="adopt existing objects that no application owns")
    group.add_argument("--allow-deletes", type=int, default=0, metavar="N", help="delete up to N objects beyond the budget")
    group.add_argument(
        "--delete", action="append", default=[], metavar="KIND/NAME", help="consent by name to delete this object"
    )
    group.add_argument("--create-namespace", action="store_true", help="create a missing namespace")
    group.add_argument("--reason", metavar="TEXT", help="stored with the release")


def waiting(made: argparse.ArgumentParser) -> None:
    made.add_argument("--timeout", metavar="15m", help="longest wait; the state is kept")
    made.add_argument("--progress", choices=("tree", "lines", "none"), help="tree on a terminal, else lines")
    made.add_argument("--events", metavar="FILE", help="write progress as JSON Lines")


def _from_environment(made: argparse.ArgumentParser) -> None:
    """APPCTL_<FLAG> in upper snake case gives a flag's default."""
    for action in made._actions:
        long = next((o for o in action.option_strings if o.startswith("--")), "")
        value = os.environ.get("APPCTL_" + long[2:].replace("-", "_").upper()) if long else None
        if value is None or action.dest == "help":
            continue
        action.default = _typed(made, action, value, long)


def _typed(made: argparse.ArgumentParser, action: argparse.Action, value: str, long: str) -> Any:
    if action.nargs == 0:
        if value.lower() not in ("1", "true", "yes", "0", "false", "no", ""):
            made.error(f"the environment sets {long} to '{value}'; write true or false")
        return value.lower() in ("1", "true", "yes")
    if action.choices and value not in action.choices:
        made.error(f"the environment sets {long} to '{value}'; choose from {', '.join(map(str, action.choices))}")
    if isinstance(action.default, list):
        return [value]
    if action.type is int:
        if not value.lstrip("-").isdigit():
            made.error(f"the environment sets {long} to '{value}', which is not a number")
        return int(value)
    return value
