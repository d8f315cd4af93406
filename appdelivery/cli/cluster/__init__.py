"""Register clusters, look at them, and say what may be done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.cli import flags

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl cluster add eu-1 --from-kubeconfig ./kubeconfig --from-context admin@eu-1 --labels env=prod"
EXIT = "exit codes: 0 done, 1 a cluster is not ready (probe), 2 could not be done, 64 usage, 70 our bug"
VERBS = ("add", "list", "show", "label", "taint", "rename", "cordon", "uncordon", "probe", "forget")
WITH_ARGUMENTS = {
    "list": "NAME ...",
    "probe": "NAME ...",
    "label": "KEY=VALUE or KEY- ...",
    "taint": "KEY=VALUE:EFFECT or KEY- ...",
    "rename": "NEW",
}


def add(parser: ArgumentParser) -> None:
    parser.add_argument("verb", choices=VERBS, help="what to do")
    parser.add_argument("name", nargs="?", help="name of the cluster (list, probe: also globs such as 'eu-*')")
    parser.add_argument(
        "rest",
        nargs="*",
        metavar="ARG",
        help="label: KEY=VALUE sets, KEY- removes; taint: KEY=VALUE:EFFECT sets, KEY- removes; rename: the new name",
    )
    login = parser.add_argument_group("add: how to log in (default: your own kubeconfig)")
    login.add_argument("--from-kubeconfig", dest="source", metavar="FILE", help="a kubeconfig that somebody has given you")
    login.add_argument(
        "--from-context",
        default="",
        metavar="NAME",
        help="a context (default: the one named NAME where there is one, else the current one)",
    )
    login.add_argument("--server", default="", metavar="URL", help="address of the API server, with --ca and a login")
    login.add_argument("--ca", default="", metavar="FILE", help="the authority of the server's certificate")
    login.add_argument("--token-file", default="", metavar="FILE", help="a token; it is copied")
    login.add_argument("--client-certificate", default="", metavar="FILE", help="a client certificate; it is copied")
    login.add_argument("--client-key", default="", metavar="FILE", help="its key; it is copied")
    login.add_argument("--tls-server-name", default="", metavar="NAME", help="name in the server's certificate")
    login.add_argument("--in-cluster", action="store_true", help="the cluster in which appctl runs, by its service account")
    login.add_argument(
        "--allow-exec", action="append", default=[], metavar="COMMAND", help="let this credential plugin run, repeatable"
    )
    login.add_argument("--insecure-skip-tls-verify", action="store_true", help="accept that nobody proves who the server is")
    login.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE", help="documents of kind Cluster instead of all this"
    )
    about = parser.add_argument_group("add: what to know about it")
    about.add_argument("-l", "--labels", metavar="K=V", help="its labels; list, probe: only clusters with these labels")
    about.add_argument("--region", metavar="NAME", help="where it is")
    about.add_argument("--zone", metavar="NAME", help="its zone, when all its nodes are in one")
    about.add_argument("--provider", metavar="NAME", help="who runs it, such as aws")
    parser.add_argument("--overwrite", action="store_true", help="label, taint: change a value that is there")
    parser.add_argument("--reason", default="", metavar="TEXT", help="cordon, uncordon: why; it is shown and kept")
    parser.add_argument("-y", "--yes", action="store_true", help="answer the confirmation")
    parser.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig (default: KUBECONFIG, else ~/.kube/config)")
    flags.store(parser)
    flags.table(parser)


def run(args: Namespace) -> int:
    if args.rest and args.verb not in WITH_ARGUMENTS:
        raise errors.UsageError(f"cluster {args.verb} takes no '{args.rest[0]}'", hint="appctl cluster --help")
    if not args.name and args.verb not in ("list", "probe") and not (args.verb == "add" and args.file):
        what = WITH_ARGUMENTS.get(args.verb, "")
        raise errors.UsageError(f"cluster {args.verb}: which one?", hint=f"appctl cluster {args.verb} NAME {what}".rstrip())
    if args.verb == "add":
        from appdelivery.cli.cluster import adding

        return adding.run(args)
    if args.verb in ("list", "show", "probe"):
        from appdelivery.cli.cluster import viewing

        return viewing.run(args)
    from appdelivery.cli.cluster import changing

    return changing.run(args)
