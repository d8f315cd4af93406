"""Register and look at clusters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.cli import flags, list_, opening, printing
from appdelivery.platform import local, managing, reaching

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl cluster add eu-1 --from ./kubeconfig --from-context admin@eu-1"
COLUMNS = ("name", "reach", "version", "server", "labels", "message")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("verb", choices=("add", "list", "show", "probe", "forget"), help="what to do")
    parser.add_argument("name", nargs="?", help="name of the cluster")
    parser.add_argument("--from", dest="source", metavar="FILE", help="kubeconfig to register from (default: your own)")
    parser.add_argument("--from-context", default="", metavar="NAME", help="its context (default: the current one)")
    parser.add_argument("-l", "--labels", metavar="K=V", help="labels of the cluster")
    parser.add_argument(
        "--insecure-skip-tls-verify", action="store_true", help="accept that nobody proves who the server is"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="answer the confirmation")
    flags.cluster(parser)
    flags.store(parser)
    flags.table(parser)


def run(args: Namespace) -> int:
    if args.verb == "list":
        return opening.reading(args, lambda p: _list(p, args))
    if not args.name:
        raise errors.UsageError(f"cluster {args.verb}: which one?", hint=f"appctl cluster {args.verb} NAME")
    verbs = {"add": _add, "show": _show, "probe": _probe, "forget": _forget}
    return verbs[args.verb](args)


def _list(p: local.Platform, args: Namespace) -> int:
    rows = [_row(c) for c in managing.cluster_list(p)]
    printing.items(rows, COLUMNS, args, kind="cluster")
    if not rows:
        printing.notice("no clusters are registered; commands use the kubeconfig's current context", args)
    return 0


def _row(c: Any) -> dict[str, Any]:
    return {
        "name": c.name,
        "reach": c.reach,
        "version": c.server_version or None,
        "server": c.server,
        "uid": c.uid or None,
        "labels": [f"{k}={v}" for k, v in sorted(c.labels.items())],
        "insecure": c.insecure,
        "auth": c.auth,
        "message": "the server's certificate is not verified" if c.insecure else (c.reach_reason or ""),
    }


def _add(args: Namespace) -> int:
    path = (
        args.source
        or args.kubeconfig
        or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
        or os.path.expanduser("~/.kube/config")
    )
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 22)
    except OSError as error:
        raise errors.SourceError(f"read kubeconfig {path}: {error.strerror}") from error
    how = managing.Registration(
        args.name, data, path, args.from_context, tuple(list_.selector(args.labels).items()), args.insecure_skip_tls_verify
    )
    found = opening.working(args, lambda p: managing.cluster_add(p, how))
    printing.notice(f"cluster {args.name} registered: {found['server']}, Kubernetes {found['version']}", args)
    return 0


def _show(args: Namespace) -> int:
    def work(p: local.Platform) -> int:
        row = next((_row(c) for c in managing.cluster_list(p) if c.name == args.name), None)
        if row is None:
            raise errors.NotFound(f"there is no registered cluster '{args.name}'", hint="appctl cluster list shows them")
        printing.answer(row, "json" if args.output == "json" else "yaml")
        return 0

    return opening.reading(args, work)


def _probe(args: Namespace) -> int:
    """Reads version, identity and what is served now; 1 when it does not answer."""

    async def work(p: local.Platform) -> int:
        facts = await reaching.facts(p, args.name)
        printing.answer(
            {"name": facts.name, "version": facts.version, "uid": facts.uid or None, "kinds": len(facts.served)},
            "json" if args.output == "json" else "yaml",
        )
        return 0

    return opening.working(args, work)


def _forget(args: Namespace) -> int:
    from appdelivery.cli import confirming

    confirming.ask(args, f"forget cluster {args.name}, whose objects keep running and are no longer managed")
    left = opening.writing(args, lambda p: managing.cluster_forget(p, args.name))
    printing.notice(
        f"cluster {args.name} forgotten; {left} object{'s' if left != 1 else ''} of ours stay running there", args
    )
    return 0
