"""`appctl cluster list`, `show` and `probe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.cli import failures, opening, printing
from appdelivery.model import labels, reach, selection
from appdelivery.platform import identity, local, registry

if TYPE_CHECKING:
    from argparse import Namespace
    from datetime import datetime

COLUMNS = ("name", "state", "version", "region", "server", "auth", "labels", "message")
PROBED = ("name", "state", "version", "rtt", "kinds", "message")


def run(args: Namespace) -> int:
    return {"list": _list, "show": _show, "probe": _probe}[args.verb](args)


def _chosen(args: Namespace) -> selection.Selection:
    return selection.parse([word for word in (args.name, *args.rest) if word], args.labels or "")


def _list(args: Namespace) -> int:
    chosen = _chosen(args)

    def work(p: local.Platform) -> int:
        found = registry.known(p, chosen)
        printing.items([row(one) for one in found], COLUMNS, args, kind="cluster")
        if not found:
            printing.notice("no clusters are registered; commands use the kubeconfig's current context", args)
        # Whatever columns were asked for: this is not to be overlooked.
        if trusted := [one.name for one in found if one.insecure]:
            printing.notice(
                f"warning: nobody proves who answers as {', '.join(trusted)}: certificates are not verified", args
            )
        return 0

    return opening.reading(args, work)


def row(one: Any) -> dict[str, Any]:
    """One line of the list, and the beginning of `show`."""
    return {
        "name": one.name,
        "state": one.state,
        "admin": one.admin,
        "reach": one.reach,
        "version": one.server_version or None,
        "region": one.region or None,
        "zone": one.zone or None,
        "provider": one.provider or None,
        "server": one.server,
        "auth": one.auth,
        "insecure": one.insecure,
        "labels": [f"{key}={value}" for key, value in sorted(one.labels.items())],
        "taints": [labels.taint_text(taint) for taint in one.taints],
        "uid": one.uid or None,
        "seen": _age(one.seen_at),
        "message": registry.warning(one),
    }


def _show(args: Namespace) -> int:
    def work(p: local.Platform) -> int:
        one, there = registry.one(p, args.name)
        told = row(one) | {
            "people": {"state": one.admin, "by": one.admin_by or None, "at": _iso(one.admin_at), "reason": one.admin_reason or None},
            "probes": {
                "state": one.reach,
                "reason": one.reach_reason or None,
                "since": _iso(one.reach_since),
                "failures": one.failures,
                "seenAt": _iso(one.seen_at),
                **{name: value for name, value in (one.probe or {}).items() if name in SHOWN},
            },
            "credentials": {
                "kind": one.auth,
                "registered": one.registered,
                "since": _iso(one.credentials_at),
                "age": _age(one.credentials_at),
                "expires": (one.probe or {}).get("expires"),
            },
            "prices": one.prices or {},
            "capacity": one.capacity or {},
            "limits": one.limits or {},
            "deployed": [{"application": str(app.app), "health": app.health, "objects": app.objects} for app in there],
        }  # fmt: skip
        printing.answer(told, "json" if args.output == "json" else "yaml")
        return 0

    return opening.reading(args, work)


SHOWN = ("roundTripMs", "skewSeconds", "kinds", "missing", "extensions", "gatewayClasses")


def _probe(args: Namespace) -> int:
    """0 when every cluster that was asked is ready, else 1."""
    names = [word for word in (args.name, *args.rest) if word]
    plain = not args.labels and not any(set(name) & selection.GLOB or "," in name for name in names)

    async def work(p: local.Platform) -> int:
        import asyncio

        # A name that is no registered cluster may still be a context of the kubeconfig.
        asked = names if names and plain else [one.name for one in registry.known(p, _chosen(args)) if one.registered]
        found = await asyncio.gather(*[registry.probe(p, name) for name in asked])
        if names and plain and len(names) == 1:
            printing.answer(_probed(found[0]), "json" if args.output == "json" else "yaml")
        else:
            printing.items([_probed(one) for one in found], PROBED, args, kind="cluster")
        for one in found:
            if one.probe.hint and one.probe.reach != reach.READY:
                printing.notice(failures.indented(one.probe.hint), args)
        return 0 if all(one.probe.reach == reach.READY for one in found) else 1

    return opening.working(args, work)


def _probed(one: registry.Probed) -> dict[str, Any]:
    seen = one.probe
    facts = seen.facts
    return {
        "name": one.name,
        "version": facts.version if facts else None,
        "state": seen.reach,
        "message": seen.reason,
        "recorded": one.reach.state if one.reach else None,
        "uid": (facts.uid or None) if facts else None,
        "kinds": len(facts.served) if facts else None,
        "rtt": f"{seen.round_trip_ms:g}ms" if seen.round_trip_ms is not None else None,
        "roundTripMs": seen.round_trip_ms,
        "skewSeconds": seen.skew_s,
        "missing": {use: list(lacking) for use, lacking in (seen.missing or {}).items() if lacking},
        "extensions": list(seen.extensions),
        "gatewayClasses": list(seen.gateway_classes),
        "tries": seen.tries,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _age(at: datetime | None) -> str | None:
    return printing.age((identity.clock() - at).total_seconds()) if at else None
