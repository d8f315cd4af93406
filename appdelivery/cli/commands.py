"""The table of commands: what `appctl help` prints, and which module carries a command out."""

from __future__ import annotations

GROUPS: dict[str, dict[str, str]] = {
    "write": {
        "render": "print the manifests of an application",
        "validate": "check applications: schema, references, duplicates",
        "lint": "check definitions and applications for mistakes and bad habits",
        "test": "run the cases of definitions",
        "schema": "print JSON Schemas for editors",
        "explain": "describe a type and its parameters",
        "definition": "list and show definitions",
    },
    "deliver": {
        "plan": "show what `up` would change",
        "diff": "show field by field what differs from the cluster",
        "up": "deliver an application, or a saved plan, and wait until it is healthy",
        "wait": "wait until an application is healthy",
        "resume": "go on with a run that was interrupted, paused or suspended",
        "approve": "approve a step that waits for it",
        "reject": "reject a step that waits for approval",
        "retry": "try a failed step again",
        "skip": "take a step as done",
        "restart": "run a workflow again, or from a step on",
        "pause": "let no new step start",
        "cancel": "end a run",
        "rollback": "deliver an older revision again",
        "delete": "remove an application and its objects",
    },
    "look": {
        "list": "list applications, worst first",
        "status": "show an application's health",
        "why": "say why an application is not ready",
        "tree": "show an application's objects and what they own",
        "history": "list revisions and releases",
        "show": "print a revision, a release or a saved plan",
        "compare": "compare two revisions",
        "logs": "print logs of an application's pods",
        "events": "list what happened",
    },
    "place": {"cluster": "register and look at clusters"},
    "run it": {
        "demo": "a tour in half a minute, on a simulated cluster",
        "sandbox": "simulated clusters on this computer: start, stop, faults",
        "secret": "set, list and remove secret values",
        "worker": "carry on whatever is due, beside other workers",
        "db": "migrate, check, back up and restore the store",
        "doctor": "check this installation",
        "config": "show settings and where they come from",
        "completion": "print a completion script for a shell",
        "version": "print the version",
        "help": "this list, or the help of one command",
    },
}
ALIASES = {"apply": "up", "ls": "list", "def": "definition", "get": "list", "template": "render", "uninstall": "delete"}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}
MODULES = {"list": "list_", "help": "help_"}  # names that would hide a builtin inside this package


def module(name: str) -> str:
    return f"appdelivery.cli.{MODULES.get(name, name)}"
