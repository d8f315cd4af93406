"""Opens the platform for one command and closes it, whatever happens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from appdelivery.cli import asking, printing
from appdelivery.platform import local, managing

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable

    from appdelivery.clusters.transport import Sent

T = TypeVar("T")


def options(args: Namespace) -> local.Options:
    return local.Options(*[asking.value(args, name) for name in ("store", "kubeconfig", "cluster")])


def reading(args: Namespace, work: Callable[[local.Platform], T]) -> T:
    """A store-only command: nothing is written, no cluster is asked."""
    platform = _opened(args, "read")
    try:
        return work(platform)
    finally:
        platform.store.close()


def writing(args: Namespace, work: Callable[[local.Platform], T]) -> T:
    platform = _opened(args, "write")
    try:
        return work(platform)
    finally:
        platform.store.close()


def working(
    args: Namespace, work: Callable[[local.Platform], Awaitable[T]], *, mode: Literal["read", "write"] = "write"
) -> T:
    """A command that speaks to clusters."""
    platform = _opened(args, mode)
    if args.debug:
        platform.requests = _told

    async def all_of_it() -> T:
        try:
            answer = await work(platform)
            if mode == "write":
                await platform.in_thread(partial(managing.sweep, platform))
            return answer
        finally:
            await platform.close()

    return local.run(all_of_it)


def _opened(args: Namespace, mode: Literal["read", "write"]) -> local.Platform:
    """What opening has to tell (a migration, a file mode put right) is told at once."""
    platform = local.open_store(options(args), mode=mode)
    for line in platform.store.notices:
        printing.notice(line, args)
    said: set[str] = set()

    def once(text: str) -> None:
        if text not in said:
            said.add(text)
            printing.notice(text, args)

    platform.notice = once
    return platform


def _told(sent: Sent) -> None:
    """--debug: every request to a cluster, as kubectl -v=6 shows them."""
    import sys

    from appdelivery.cli import clean

    query = "?" + "&".join(f"{name}={value}" for name, value in sent.query.items()) if sent.query else ""
    answer = f"{sent.status or 'no answer'} {sent.seconds * 1000:.0f}ms"
    sys.stderr.write(f"  {sent.verb} {clean.text(sent.path + query)} {answer}\n")
