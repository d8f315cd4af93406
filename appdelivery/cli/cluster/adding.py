"""`appctl cluster add`: from flags, a kubeconfig, or documents of kind Cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.cli import failures, opening, printing
from appdelivery.model import labels
from appdelivery.platform import documents, registry

if TYPE_CHECKING:
    from argparse import Namespace

# Ways to log in that exclude each other: what makes the choice, and the flags that belong to it.
PIECES = ("ca", "token_file", "client_certificate", "client_key", "tls_server_name")
ABOUT = ("region", "zone", "provider")


def run(args: Namespace) -> int:
    if args.file:
        return _declare(args)
    login = _login(args)
    described = _description(args)
    made = opening.working(args, lambda p: registry.add(p, args.name, login, described))
    _tell(made, args)
    return 0


def _login(args: Namespace) -> registry.Login:
    ways = {
        "--server": args.server,
        "--in-cluster": args.in_cluster,
        "--from-kubeconfig or --from-context": args.source or args.from_context,
    }
    chosen = [way for way, given in ways.items() if given]
    if len(chosen) > 1:
        raise errors.UsageError(f"cluster add: {chosen[0]} and {chosen[1]} both say how to log in; give one")
    lonely = [f"--{name.replace('_', '-')}" for name in PIECES if getattr(args, name)]
    if lonely and not args.server:
        raise errors.UsageError(f"cluster add: {lonely[0]} belongs to --server", hint="appctl cluster add --help")
    return registry.Login(
        kubeconfig=args.source or "",
        context=args.from_context,
        server=args.server,
        ca=args.ca,
        token=args.token_file,
        certificate=args.client_certificate,
        key=args.client_key,
        server_name=args.tls_server_name,
        in_cluster=args.in_cluster,
        insecure=args.insecure_skip_tls_verify,
        commands=tuple(args.allow_exec),
    )


def _description(args: Namespace) -> dict[str, Any]:
    """What was given; a cluster that is known already keeps the rest."""
    doing = f"register cluster {args.name}"
    found: dict[str, Any] = {name: getattr(args, name) for name in ABOUT if getattr(args, name) is not None}
    for name, value in found.items():
        if trouble := labels.value_trouble(value):
            raise errors.UsageError(f"{doing}: --{name}: {trouble}")
    return found | ({"labels": labels.given(args.labels, doing)} if args.labels is not None else {})


def _declare(args: Namespace) -> int:
    """Each cluster by itself: exit code 2 when one could not be registered."""
    words = ["name", "source", "from_context", "server", "in_cluster", "labels", *PIECES, *ABOUT]
    if beside := [word for word in words if getattr(args, word)]:
        said = "the name" if beside[0] == "name" else f"--{beside[0].replace('_', '-')}"
        raise errors.UsageError(f"cluster add -f: {said} stands in the document, not beside it")
    texts = documents.read(documents.Request(tuple(args.file), stdin=sys.stdin.buffer.read))
    login = registry.Login(insecure=args.insecure_skip_tls_verify, commands=tuple(args.allow_exec))
    code = 0
    for _, made in opening.working(args, lambda p: registry.declare(p, texts, login)):
        if isinstance(made, errors.AppError):
            code = max(code, failures.report(made, args.words))
        else:
            _tell(made, args)
    return code


def _tell(made: registry.Added, args: Namespace) -> None:
    did = "has new credentials" if made.renewed else "registered"
    printing.notice(f"cluster {made.name} {did}: {made.server}, Kubernetes {made.version}", args)
    if made.context:
        printing.notice(f"  what was delivered there as {made.context} is now kept as {made.name}", args)
    for warning in made.warnings:
        printing.notice("warning: " + warning.replace("\n", "\n  "), args)
