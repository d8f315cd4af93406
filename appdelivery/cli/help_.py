"""List the commands, or print the help of one."""

from __future__ import annotations

import sys

from appdelivery import errors
from appdelivery.cli import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl help up"
FIRST = "appctl describes an application once; renders, delivers and remembers it.\n\n  appctl up app.yaml\n"
# What people type elsewhere, and what it is called here.
TABLES = {
    "helm": {
        "install, upgrade": "up",
        "template": "render",
        "list": "list",
        "status": "status",
        "history": "history",
        "rollback": "rollback",
        "uninstall": "delete",
        "lint": "validate, lint",
        "get manifest": "show",
        "diff (plugin)": "diff",
    },
    "kubectl": {
        "apply": "up",
        "diff": "diff",
        "get": "list, status",
        "describe": "why",
        "delete": "delete",
        "logs": "logs",
        "rollout status": "wait",
        "rollout history": "history",
        "rollout undo": "rollback",
        "explain": "explain",
    },
    "vela": {
        "up": "up",
        "dry-run": "render, diff",
        "live-diff": "diff --revision",
        "ls": "list",
        "status --tree": "status --tree",
        "logs": "logs",
        "delete": "delete",
        "def list": "definition list",
        "show": "explain",
        "cluster join": "cluster add",
    },
    "argocd": {
        "app create, app sync": "up",
        "app diff": "diff",
        "app list": "list",
        "app get": "status",
        "app history": "history",
        "app rollback": "rollback",
        "app delete": "delete",
        "app wait": "wait",
        "app logs": "logs",
        "cluster add": "cluster add",
    },
}


def add(parser: ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", help="a command, or helm, kubectl, vela, argocd for a table of names")


def run(args: Namespace) -> int:
    if args.topic is None:
        sys.stdout.write(overview())
    elif args.topic in TABLES:
        width = max(map(len, TABLES[args.topic]))
        sys.stdout.write(
            "".join(f"{args.topic} {theirs:<{width}}   appctl {ours}\n" for theirs, ours in TABLES[args.topic].items())
        )
    else:
        name = commands.ALIASES.get(args.topic, args.topic)
        if name not in commands.COMMANDS:
            raise errors.UsageError(f"there is no command '{args.topic}'", hint="appctl help lists the commands")
        import importlib

        from appdelivery.cli import parsers

        parsers.parser(name, importlib.import_module(commands.module(name))).print_help()
    return 0


def overview() -> str:
    out = [FIRST]
    width = max(map(len, commands.COMMANDS))
    for group, names in commands.GROUPS.items():
        out.append(f"\n{group}\n" + "".join(f"  {name:<{width}}  {text}\n" for name, text in names.items()))
    out.append(
        "\nappctl COMMAND --help shows flags and an example; appctl help helm|kubectl|vela|argocd maps their commands to ours.\n"
    )
    return "".join(out)
