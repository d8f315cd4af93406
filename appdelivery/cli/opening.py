"""Opens the platform for one command and closes it, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

from appdelivery.cli import asking
from appdelivery.platform import local

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable

    from appdelivery.clusters.transport import Sent

T = TypeVar("T")


def options(args: Namespace) -> local.Options:
    return local.Options(*[asking.value(args, name) for name in ("store", "kubeconfig", "cluster")])


def reading(args: Namespace, work: Callable[[local.Platform], T]) -> T:
    """A store-only command: nothing is written, no cluster is asked."""
    platform = local.open_store(options(args), mode="read")
    try:
        return work(platform)
    finally:
        platform.store.close()


def writing(args: Namespace, work: Callable[[local.Platform], T]) -> T:
    platform = local.open_store(options(args), mode="write")
    try:
        return work(platform)
    finally:
        platform.store.close()


def working(
    args: Namespace, work: Callable[[local.Platform], Awaitable[T]], *, mode: Literal["read", "write"] = "write"
) -> T:
    """A command that speaks to clusters."""
    platform = local.open_store(options(args), mode=mode)
    if args.debug:
        platform.requests = _told

    async def all_of_it() -> T:
        try:
            return await work(platform)
        finally:
            await platform.close()

    return local.run(all_of_it)


def _told(sent: Sent) -> None:
    """--debug: every request to a cluster, as kubectl -v=6 shows them."""
    import sys

    from appdelivery.cli import clean

    sys.stderr.write(
        f"  {sent.verb} {clean.text(sent.path)}{'?' + clean.text('&'.join(f'{k}={v}' for k, v in sent.query.items())) if sent.query else ''} {sent.status or 'no answer'} {sent.seconds * 1000:.0f}ms\n"
    )
