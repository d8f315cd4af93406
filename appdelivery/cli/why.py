"""Say why an application is not ready: the worst object, its events and last log lines, the cause, what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from appdelivery.cli import asking, clean, flags, opening, printing
from appdelivery.platform import local, looking

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import TextIO

    from appdelivery.delivery.why import Answer, Finding
    from appdelivery.model.refs import AppKey

EXAMPLE = "appctl why shop/web"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("application", help="NAME or NAMESPACE/NAME")
    flags.namespace(parser)
    flags.output(parser, "table", "json", "yaml")
    flags.store(parser)
    flags.cluster(parser)


def run(args: Namespace) -> int:
    from appdelivery.platform import live  # `up` needs this module for its `show` alone

    app = looking.application_key(args.application, asking.namespace(args))

    async def work(p: local.Platform) -> int:
        answer = await live.why(p, app)
        steps = [row for row in looking.steps(p, app) if row.state in ("failed", "suspended", "waiting")]
        if args.output in ("json", "yaml"):
            from appdelivery.delivery import why

            stuck = [{"step": row.name, "state": row.state, "reason": row.reason, "message": row.message} for row in steps]
            printing.answer({**why.as_tree(answer), **({"steps": stuck} if steps else {})}, args.output)
        else:
            show(answer, app, colour=printing.colours(args, sys.stdout))
            for row in steps:
                sys.stdout.write(f"  step {clean.text(f'{row.name} {row.state}: {row.message or row.reason}')}\n")
        return 0

    return opening.working(args, work, mode="read")


def show(answer: Answer, app: AppKey, *, colour: bool, stream: TextIO | None = None) -> None:
    write = (stream or sys.stdout).write
    if answer.state == "healthy":
        write(f"{app} is {printing.paint('healthy', 'green', on=colour)}: {answer.summary}\n")
    else:
        state = printing.paint(answer.state, printing.BY_WORD.get(answer.state, ""), on=colour)
        write(f"{app} is {state}: {clean.text(answer.summary)}\n")
    for finding in answer.chain[1:]:
        write(f"  {_said(finding)}\n")
    for i, event in enumerate(answer.events):
        at = event.at.strftime("%H:%M:%S") if event.at else ""
        times = f" (x{event.count})" if event.count > 1 else ""
        write(
            f"    {'events' if not i else '      '}  {at} {clean.text(event.reason)}: {clean.text(event.message)}{times}\n"
        )
    for i, line in enumerate(answer.log[-8:]):
        write(f"    {'log   ' if not i else '      '}  {clean.text(line)}\n")
    for name, text in (("cause", answer.cause), ("do", answer.advice)):
        if text:
            write(f"  {name:<8}  {clean.text(text)}\n")
    if answer.behind:
        write(f"  waiting behind it: {clean.text(', '.join(answer.behind))}\n")
    for finding in answer.optional:
        write(f"  not required, but not ready: {_said(finding)}\n")
    for text in answer.unread:
        write(printing.paint(f"  not read: {clean.text(text)}", "dim", on=colour) + "\n")


def _said(finding: Finding) -> str:
    said = finding.health.message or finding.health.reason or finding.health.state
    return clean.text(f"{finding.ref.kind} {finding.ref.name}  {said}")
