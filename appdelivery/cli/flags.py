"""Flags that mean the same everywhere; the parser of one command is made in `parsers`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser


def add_common(made: ArgumentParser) -> None:
    group = made.add_argument_group("everywhere")
    group.add_argument("-q", "--quiet", action="store_true", help="print only the answer")
    group.add_argument("--debug", action="store_true", help="print causes and requests")
    group.add_argument("--color", choices=("never", "auto", "always"), help="colour by meaning (auto: on a terminal)")


def output(made: ArgumentParser, *forms: str) -> None:
    made.add_argument("-o", "--output", choices=forms or ("table", "json", "yaml", "name"), help="form of the answer")


def table(made: ArgumentParser) -> None:
    output(made)
    made.add_argument("--columns", metavar="A,B", help="columns of the table")
    made.add_argument("--no-headers", action="store_true", help="leave out the header line")


def namespace(made: ArgumentParser, *, every: bool = False) -> None:
    made.add_argument("-n", "--namespace", metavar="NS", help="namespace (default: default)")
    if every:
        made.add_argument("-A", "--all-namespaces", action="store_true", help="every namespace")


def store(made: ArgumentParser) -> None:
    made.add_argument("--store", metavar="URL", help="the store: a file or postgresql://...")


def cluster(made: ArgumentParser) -> None:
    made.add_argument("--cluster", metavar="NAME", help="a registered cluster or a kubeconfig context")
    made.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig (default: KUBECONFIG, else ~/.kube/config)")


def documents(made: ArgumentParser) -> None:
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


def guards(made: ArgumentParser) -> None:
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


def waiting(made: ArgumentParser) -> None:
    made.add_argument("--timeout", metavar="15m", help="longest wait; the state is kept")
    made.add_argument("--progress", choices=("tree", "lines", "none"), help="tree on a terminal, else lines")
    made.add_argument("--events", metavar="FILE", help="write progress as JSON Lines")
