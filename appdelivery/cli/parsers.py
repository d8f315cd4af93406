"""argparse for one command: its help, its errors in our shape, and defaults from the environment.  Called by dispatch."""

from __future__ import annotations

import argparse
import os

from appdelivery import errors
from appdelivery.cli import flags

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

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Names may stand behind flags too: argparse takes the first group of words for all of them."""
        found, rest = self.parse_known_args(args, namespace)
        return self.parse_intermixed_args(args, namespace) if rest else found

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
    flags.add_common(made)
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


def _from_environment(made: argparse.ArgumentParser) -> None:
    """APPCTL_<FLAG> in upper snake case gives a flag's default."""
    for action in made._actions:
        long = next((o for o in action.option_strings if o.startswith("--")), "")
        value = os.environ.get(_variable(long)) if long else None
        if value is None or action.dest == "help":
            continue
        action.default = _typed(made, action, value, long)


def _variable(flag: str) -> str:
    return "APPCTL_" + flag[2:].replace("-", "_").upper()


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
