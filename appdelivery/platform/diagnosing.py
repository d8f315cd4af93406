"""`doctor`: looks at everything an installation stands on and says what is wrong and what to do."""

from __future__ import annotations

import importlib.util
import platform
from typing import TYPE_CHECKING, Any

from appdelivery import __version__, errors
from appdelivery.platform import local, managing, reaching, rendering

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONAL = (("orjson", "fast", "reads cluster answers faster"), ("psycopg", "postgres", "the store on PostgreSQL"))


def examine(options: local.Options) -> list[dict[str, Any]]:
    """One row a check: name, state (ok, missing, failed), message."""
    rows = [_row("appctl", "ok", f"{__version__}, Python {platform.python_version()}, {platform.system()}")]
    rows.append(_checked("definitions", _definitions))
    rows.append(_checked("store", lambda: _store(options)))
    rows.append(_checked("cluster", lambda: local.run(lambda: _cluster(options))))
    for module, extra, use in OPTIONAL:
        there = importlib.util.find_spec(module) is not None
        rows.append(
            _row(module, "ok" if there else "missing", use if there else f"{use}: pip install 'appdelivery[{extra}]'")
        )
    return rows


def _row(name: str, state: str, message: str) -> dict[str, Any]:
    return {"name": name, "state": state, "message": message}


def _checked(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return _row(name, "ok", check())
    except errors.AppError as error:
        hint = f"; {error.hint.splitlines()[0]}" if error.hint else ""
        return _row(name, "missing" if isinstance(error, errors.NotFound) else "failed", f"{error.message}{hint}")


def _definitions() -> str:
    known = rendering.open_catalog()
    return ", ".join(
        f"{len(known.names(kind))} {noun}"
        for kind, noun in (("ComponentDefinition", "component types"), ("TraitDefinition", "trait types"))
    )


def _store(options: local.Options) -> str:
    p = local.open_store(options, mode="read")
    try:
        found = managing.store_check(p, deep=False)
        if found:
            raise errors.Corrupt(
                f"{found[0].message} (and {len(found) - 1} more)" if len(found) > 1 else found[0].message,
                hint="appctl db check",
            )
        return local.location(options)
    finally:
        p.store.close()


async def _cluster(options: local.Options) -> str:
    p = local.open_store(options, mode="read")
    try:
        name, found = reaching.credentials(p, options.cluster)
        facts = await reaching.probe(p, name, found)
        return f"{facts.name}, Kubernetes {facts.version}, {len(facts.served)} kinds" + (
            ", its certificate is not verified" if found.insecure else ""
        )
    finally:
        await p.close()
