"""Check this installation: store, kubeconfig, cluster, optional parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.cli import flags, opening, printing
from appdelivery.platform import diagnosing

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl doctor"
EXIT = "exit codes: 0 all is well, 1 something is wrong, 64 usage, 70 our bug"


def add(parser: ArgumentParser) -> None:
    flags.store(parser)
    flags.cluster(parser)
    flags.table(parser)


def run(args: Namespace) -> int:
    rows = diagnosing.examine(opening.options(args))
    printing.items(rows, ("name", "state", "message"), args, kind="check")
    return 1 if any(row["state"] == "failed" for row in rows) else 0
