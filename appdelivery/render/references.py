"""References between the rendered objects of one application that lead nowhere: what `lint` warns about (language.md 20).

What may stand in the cluster already is no finding: a name counts only when the application itself is evidently meant, by
a Service or component of that name or by a name that is nearly one of its own.
"""

from __future__ import annotations

from appdelivery.model import suggest
from appdelivery.model.problem import Problem
from appdelivery.render import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from appdelivery.model.application import Application
    from appdelivery.model.manifest import Manifest, Rendered

    Named = dict[tuple[str, str], dict[str, Any]]  # (kind, name) to body

TARGETS = ("Deployment", "StatefulSet", "ReplicaSet")


def dangling(app: Application, rendered: Rendered) -> list[Problem]:
    """Warnings at the component that makes the referring object."""
    bodies = {(m.ref.kind, m.ref.name): m.body for m in rendered.manifests}
    paths = {component.name: component.path for component in app.components}
    return [
        Problem(
            message,
            code="lint.reference",
            path=paths[component.name],
            file=app.file,
            document=app.index,
            hint=hint,
            level="warning",
        )
        for component in rendered.components
        for manifest in component.manifests
        for message, hint in _of(manifest, bodies, frozenset(paths))
    ]


def _of(manifest: Manifest, bodies: Named, components: frozenset[str]) -> Iterator[tuple[str, str]]:
    spec = manifest.body.get("spec")
    if not isinstance(spec, dict):
        return
    if manifest.ref.kind == "Ingress":
        yield from _routes(manifest, spec, bodies, components)
    elif manifest.ref.kind == "Service":
        yield from _named_ports(manifest, spec, bodies)
    elif manifest.ref.kind == "HorizontalPodAutoscaler":
        target = _map(spec.get("scaleTargetRef"))
        kind, name = target.get("kind"), target.get("name")
        if kind in TARGETS and name in components and (kind, name) not in bodies:
            yield f"{manifest.ref} scales {kind} {name}, which the application does not make", ""
    elif isinstance(pod := _pod(manifest.body), dict):
        for kind, name in sorted(config.uses(pod)):
            own = [other for of, other in bodies if of == kind]
            if name not in own and (near := suggest.nearest(name, own)):
                yield f"{manifest.ref} uses {kind} '{name}', which the application does not make", f"did you mean '{near}'?"


def _routes(
    manifest: Manifest, spec: dict[str, Any], bodies: Named, components: frozenset[str]
) -> Iterator[tuple[str, str]]:
    for rule in config.maps(spec.get("rules")):
        for path in config.maps(_map(rule.get("http")).get("paths")):
            service = _map(_map(path.get("backend")).get("service"))
            name, port = service.get("name"), _map(service.get("port"))
            made = bodies.get(("Service", str(name)))
            if made is None:
                own = [other for of, other in bodies if of == "Service"]
                near = suggest.nearest(str(name), own)
                if name in components or near:
                    hint = f"did you mean '{near}'?" if near else "expose one of its ports"
                    yield (
                        f"{manifest.ref} routes {path.get('path')} to Service {name}, which the application does not make",
                        hint,
                    )
                continue
            served = config.maps(_map(made.get("spec")).get("ports"))
            known = [p.get("port") for p in served] + [p.get("name") for p in served]
            wanted = port.get("number", port.get("name"))
            if wanted not in known:
                hint = f"it serves {', '.join([str(p.get('port')) for p in served]) or 'no port'}"
                yield (
                    f"{manifest.ref} routes {path.get('path')} to port {wanted} of Service {name}, which it does not serve",
                    hint,
                )


def _named_ports(manifest: Manifest, spec: dict[str, Any], bodies: Named) -> Iterator[tuple[str, str]]:
    """A target port by name must be a port of the pods that the Service selects."""
    selector = spec.get("selector")
    wanted = [p["targetPort"] for p in config.maps(spec.get("ports")) if isinstance(p.get("targetPort"), str)]
    if not wanted or not isinstance(selector, dict):
        return
    known: list[str] = []
    selected = False
    for body in bodies.values():
        pod, labels = _pod(body), _pod_labels(body)
        if isinstance(pod, dict) and selector.items() <= labels.items():
            selected = True
            for container in config.maps(pod.get("containers")):
                known += [p["name"] for p in config.maps(container.get("ports")) if isinstance(p.get("name"), str)]
    for name in wanted:
        if selected and name not in known:
            yield f"{manifest.ref} targets port '{name}', which no selected pod has", suggest.listed(known)


def _template(body: dict[str, Any]) -> dict[str, Any]:
    return _map(_map(body.get("spec")).get("template"))


def _pod(body: dict[str, Any]) -> Any:
    return _template(body).get("spec")


def _pod_labels(body: dict[str, Any]) -> dict[str, Any]:
    return _map(_map(_template(body).get("metadata")).get("labels"))


def _map(value: Any) -> dict[str, Any]:
    """Objects of k8s-objects are the user's: anything may stand where a map belongs."""
    return value if isinstance(value, dict) else {}
