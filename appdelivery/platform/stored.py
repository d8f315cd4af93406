"""A revision as the store keeps it: manifests with where they came from, and back to the form that render gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.model.manifest import Manifest, Origin, Rendered, RenderedComponent
from appdelivery.model.record import record
from appdelivery.model.refs import ref_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.model.refs import AppKey

    Row = tuple[str, dict[str, Any], dict[str, Any]]  # component, origin tree, body


@record
class Place:
    """Where a part of a release goes, and by which step of its workflow.  cluster '' = the application's own, wherever
    that is: no policy names one."""

    step: str = ""
    cluster: str = ""
    namespace: str = ""


def origin_tree(item: Desired, depends_on: Sequence[str], place: Place = Place()) -> dict[str, Any]:  # noqa: B008 - frozen
    """What is kept beside a stored manifest, so that the revision can be delivered again as it was."""
    return {
        "component": item.origin.component,
        "trait": item.origin.trait,
        "output": item.origin.output,
        "stage": item.stage,
        "workload": item.workload,
        "type": item.component_type,
        "dependsOn": list(depends_on),
        **({"step": place.step, "cluster": place.cluster, "namespace": place.namespace} if place != Place() else {}),
    }


def by_place(rows: Iterable[Row]) -> dict[Place, list[Row]]:
    found: dict[Place, list[Row]] = {}
    for row in rows:
        origin = row[1]
        place = Place(origin.get("step", ""), origin.get("cluster", ""), origin.get("namespace", ""))
        found.setdefault(place, []).append(row)
    return found


def rendered(app: AppKey, key: str, rows: Iterable[Row], used: Iterable[Any]) -> Rendered:
    """A stored revision in the form that render gives."""
    by_component: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for component, origin, body in rows:
        by_component.setdefault(component, []).append((origin, body))
    components = []
    for name, entries in by_component.items():
        first = entries[0][0]
        manifests = tuple(
            [
                Manifest(
                    ref_of(body),
                    body,
                    Origin(name, o.get("trait", ""), o.get("output", "")),
                    o.get("stage", "DefaultDispatch"),
                    bool(o.get("workload")),
                )
                for o, body in entries
            ]
        )
        components.append(
            RenderedComponent(name, first.get("type", ""), manifests, tuple(first.get("dependsOn", ())), f"{name}-v0", "")
        )
    return Rendered(
        app,
        key,
        tuple(components),
        definitions(used),
    )


def definitions(kept: Iterable[Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple([(d["kind"], d["name"], d["hash"]) if isinstance(d, dict) else (d[0], d[1], d[2]) for d in kept])
