"""From the typed words to one command module: finds it, builds its parser alone, runs it."""

from __future__ import annotations

import sys

from appdelivery import errors
from appdelivery.cli import commands


def run(words: list[str]) -> int:
    name, rest = (words[0], words[1:]) if words else ("help", [])
    if name == "__complete":
        from appdelivery.cli import completion

        return completion.complete(rest)
    if name in ("-h", "--help"):
        name, rest = "help", []
    elif name in ("-V", "--version"):
        name, rest = "version", []
    name = commands.ALIASES.get(name, name)
    if name not in commands.COMMANDS:
        return _unknown(name, rest)
    from appdelivery.cli import parsers

    place = commands.module(name)
    __import__(place)  # importlib's own module would import `warnings`
    command = sys.modules[place]
    args = parsers.parser(name, command).parse_args(rest)
    args.words = words  # as typed: what to repeat after an interruption
    answer: int = command.run(args)
    return answer


def _unknown(name: str, rest: list[str]) -> int:
    """A plugin `appctl-NAME` on PATH, else the nearest names."""
    import shutil

    plugin = None if name.startswith("-") or "/" in name else shutil.which(f"appctl-{name}")
    if plugin:
        import subprocess

        sys.stdout.flush()
        return subprocess.run([plugin, *rest], check=False).returncode  # noqa: S603 - the user's own program, as with kubectl
    from appdelivery.model import suggest

    near = suggest.nearest(name, [*commands.COMMANDS, *commands.ALIASES])
    raise errors.UsageError(
        f"there is no command '{name}'" + (f", did you mean '{near}'?" if near else ""),
        hint="appctl help lists the commands",
    )
