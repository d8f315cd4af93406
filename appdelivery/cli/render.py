"""Print the manifests of an application, as they would be sent."""

from __future__ import annotations

import sys

from appdelivery.cli import asking, flags
from appdelivery.platform import rendering
from appdelivery.render.render import RenderContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl render app.yaml --set web.image=example/web:2"


def add(parser: ArgumentParser) -> None:
    flags.documents(parser)
    flags.output(parser, "yaml", "json", "name")
    parser.add_argument("--show-secrets", action="store_true", help="print secret values that stand in the document")
    parser.add_argument("--warnings", action="store_true", help="print warnings too")


def run(args: Namespace) -> int:
    work = rendering.load(asking.request(args), asking.definitions(args))
    context = RenderContext(lenient=args.lenient, identify=False)
    if args.kube_version:
        context = RenderContext(
            lenient=args.lenient, identify=False, cluster_version=rendering.cluster_version(args.kube_version)
        )
    bodies = [m.body for _, made in rendering.render(work, context) for m in made.manifests]
    if args.lenient or args.warnings:
        from appdelivery.cli import failures

        failures.problems(work.loaded.warnings)
    if args.output == "name":
        from appdelivery.cli import clean

        sys.stdout.write("".join(clean.text(f"{b['kind'].lower()}/{b['metadata']['name']}") + "\n" for b in bodies))
        return 0
    shown = [_opened(body) if args.show_secrets else _masked(body) for body in bodies]
    if args.output == "json":
        from appdelivery.cli import printing

        printing.answer({"items": shown}, "json")
    else:
        from appdelivery.language.text import yaml_out

        sys.stdout.write(yaml_out.dump_all(shown))
    return 0


def _masked(body: dict[str, object]) -> dict[str, object]:
    if body.get("kind") != "Secret":
        return body  # its Secret leaves, if any, are written as masks by the emitter
    from appdelivery.model import redact

    return redact.objects(body)


def _opened(body: dict[str, object]) -> dict[str, object]:
    """Given values in clear; referenced ones (`$generate`) have no value before the first release."""
    from appdelivery.model import secret

    opened: dict[str, object] = secret.shown(body)
    return opened
