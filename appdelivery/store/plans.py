"""A `Plan` as a plain tree: what is kept with the release that carries it out, and read back by `history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appdelivery.model.change import Change, Plan
    from appdelivery.model.refs import Ref


def tree(plan: Plan) -> dict[str, Any]:
    return {
        "app": str(plan.app),
        "base": {
            "release": plan.base.release,
            "objects": [[cluster, *address, uid, digest] for cluster, address, uid, digest in plan.base.objects],
        },
        "changes": [_change(change) for change in plan.changes],
        "edges": [
            {"waiter": _flat(edge.waiter), "other": _flat(edge.other), "until": edge.until, "hard": edge.hard}
            for edge in plan.edges
        ],
        "warnings": list(plan.warnings),
    }


def _change(change: Change) -> dict[str, Any]:
    subject = change.subject
    return {
        "cluster": subject.cluster,
        "ref": ref_tree(subject.ref),
        "component": subject.component,
        "action": change.action,
        "why": {"code": change.why.code, "text": change.why.text, "detail": change.why.detail},
        "before": change.before,
        "after": change.after,
    }


def ref_tree(ref: Ref) -> dict[str, str]:
    return {
        "group": ref.group,
        "version": ref.version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
    }


def _flat(identity: tuple[str, tuple[str, str, str, str]]) -> list[str]:
    cluster, address = identity
    return [cluster, *address]
