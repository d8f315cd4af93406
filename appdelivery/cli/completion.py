"""Print a completion script for a shell."""

from __future__ import annotations

import sys

from appdelivery import errors
from appdelivery.cli import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Action, ArgumentParser, Namespace
    from collections.abc import Iterable

# bash expands what it completes with: a name that holds more than this is not offered.
HARMLESS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@:=")
EXAMPLE = "source <(appctl completion bash)"
SCRIPTS = {
    "bash": """_appctl() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(appctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _appctl appctl
""",
    "zsh": """#compdef appctl
_appctl() {
  local -a found
  found=("${(@f)$(appctl __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found || _files
}
compdef _appctl appctl
""",
    "fish": """complete -c appctl -a '(appctl __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
    "powershell": """Register-ArgumentCompleter -Native -CommandName appctl -ScriptBlock {
  param($word, $ast, $position)
  $words = $ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() }
  if ($word -eq '') { $words = @($words) + '' }
  appctl __complete @words 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
""",
}


def add(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="your shell")


def run(args: Namespace) -> int:
    sys.stdout.write(SCRIPTS[args.shell])
    return 0


def complete(words: list[str]) -> int:
    """Answers the scripts: what may stand at the last word.  Errors are silence: a shell must not be disturbed."""
    last, before = (words[-1], words[:-1]) if words else ("", [])
    try:
        found = {c for c in _choices(before, last) if c.startswith(last) and not set(c) - HARMLESS}
    except errors.AppError:
        return 0
    sys.stdout.write("".join([f"{choice}\n" for choice in sorted(found)]))
    return 0


def _choices(before: list[str], last: str) -> Iterable[str]:
    if not before:
        return [*commands.COMMANDS, *commands.ALIASES]
    name = commands.ALIASES.get(before[0], before[0])
    if name not in commands.COMMANDS:
        return ()
    import importlib

    from appdelivery.cli import parsers

    if name == "help":
        return commands.COMMANDS
    parser = parsers.parser(name, importlib.import_module(commands.module(name)))
    valued = _valued(parser, before[-1])
    if valued is not None:
        return valued.choices or ()
    if last.startswith("-"):
        return [option for action in parser._actions for option in action.option_strings]
    return [*_positionals(parser), *_names(name)]


def _valued(parser: ArgumentParser, word: str) -> Action | None:
    """The flag before, when it waits for its value."""
    return next((a for a in parser._actions if word in a.option_strings and a.nargs != 0), None)


def _positionals(parser: ArgumentParser) -> list[str]:
    return [
        str(choice)
        for action in parser._actions
        if not action.option_strings and action.choices
        for choice in action.choices
    ]


def _names(command: str) -> list[str]:
    """Types for `explain`, which need no store."""
    if command in ("explain", "definition"):
        from appdelivery.platform import rendering

        known = rendering.open_catalog()
        return [name for kind in ("ComponentDefinition", "TraitDefinition") for name in known.names(kind)]
    return []
