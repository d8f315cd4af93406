"""A tour in half a minute: deliver an application to a simulated cluster, change it, break it, roll it back."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.catalog import shipped
from appdelivery.cli import printing, sandbox
from appdelivery.platform import sandbox_home, sandboxes

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

EXAMPLE = "appctl demo --keep"
EXIT = "exit codes: 0 every step went as it should, 2 could not be done, 70 our bug, 130 Ctrl-C"
APPLICATION = "ai/inference"
GOOD, BROKEN = "example/inference-api:2.1.0", "example/inference-api:2.2.0-bad"
PRIVATE = ("XDG_DATA_HOME", "XDG_CONFIG_HOME")
OTHERS = ("KUBECONFIG", "APPCTL_STORE", "APPCTL_CLUSTER", "APPCTL_KUBECONFIG", "APPCTL_NAMESPACE", "APPCTL_OUTPUT")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="leave sandbox and application to look at, in your own store")


def run(args: Namespace) -> int:
    with _world(args) as example:
        _tour(example)
    if args.keep:
        _note("The sandbox goes on running, with the application in it:")
        home = sandbox_home.Home()
        _say(f"export KUBECONFIG={shlex.quote(home.kubeconfig)}")
        _say(f"appctl status {APPLICATION} --tree", "appctl delete ai/inference", "appctl sandbox stop")
    else:
        _note("All of it is gone again: it was a world of its own.  To look around in it:")
        _say("appctl demo --keep")
    _note("Next:")
    _say("appctl help", "appctl explain webservice", "appctl sandbox start --clusters 3 --preset gpu")
    return 0


@contextlib.contextmanager
def _world(args: Namespace) -> Iterator[str]:
    """A sandbox and the example; without --keep with a store and a sandbox of its own, all gone afterwards."""
    example = f"{shipped.folder()}/examples/inference.yaml"
    if not os.path.exists(example):
        raise errors.SourceError(f"read the example {example}: there is no such file", hint="install appdelivery again")
    before = dict(os.environ)
    place = "" if args.keep else tempfile.mkdtemp(prefix="appctl-demo-")
    try:
        for name in OTHERS:
            os.environ.pop(name, None)
        if place:
            os.environ.update({name: f"{place}/{name}" for name in PRIVATE})
        _note("A cluster starts on this computer: simulated, but with a real API; no Docker, no root.")
        _start()
        os.environ["KUBECONFIG"] = sandbox_home.Home().kubeconfig
        yield example
    finally:
        if place:
            sandboxes.stop()
            shutil.rmtree(place, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


def _start() -> None:
    """With --keep one that runs is good enough."""
    _shown(["sandbox", "start"])
    if sandbox_home.Home().running() is None:
        told = sandbox.background(sandboxes.Start())
        printing.table(told["clusters"], ("name", "server"))


def _tour(example: str) -> None:
    with open(example, encoding="utf-8") as file:
        lines = len(file.readlines())
    _note(f"{lines} lines of YAML are 20 Kubernetes objects.  Deliver them, and wait until all is healthy:")
    _do("up", example, "--create-namespace", "--yes")
    _do("status", APPLICATION)
    _note("A new image.  What would change?")
    newer = ("--set", f"api.image={GOOD}")
    _do("plan", example, *newer)
    _do("diff", example, *newer, ends=1)
    _do("up", example, *newer)
    _do("history", APPLICATION)
    _note("An image that cannot start.  It is noticed long before any time-out, and said why:")
    _do("up", example, "--set", f"api.image={BROKEN}", ends=1)
    _do("why", APPLICATION)
    _note("Back to what worked:")
    _do("rollback", APPLICATION, "--yes")
    _do("history", APPLICATION)


def _do(*words: str, ends: int = 0) -> None:
    """One command, as if it had been typed.  Another end than the expected one is the demo's end too."""
    from appdelivery import cli

    _shown([min(word, os.path.relpath(word), key=len) if os.path.isabs(word) else word for word in words])
    code = cli.main(list(words))
    if code == 130:
        raise KeyboardInterrupt
    if code != ends:
        raise errors.WorldError(f"show the demo: appctl {words[0]} ended with {code}, not {ends}", hint="see above")


def _note(text: str) -> None:
    sys.stdout.write(f"\n# {text}\n")
    sys.stdout.flush()


def _shown(words: list[str]) -> None:
    _say(f"appctl {shlex.join(words)}")


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"$ {line}\n")
    sys.stdout.flush()
