"""Restarts pods when their configuration changes: a hash of the ConfigMaps and Secrets that a pod uses, in its template.

Done after all components are rendered, because a definition sees only its own.  Only objects of `config` components
count, so that documents written for KubeVela render as upstream.  Jobs are left alone: their templates cannot change,
and their pods read their configuration when they start.
"""

from __future__ import annotations

from appdelivery.model import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Work

SOURCE = "config"  # the type whose objects count
ANNOTATION = "appdelivery.dev/config"
IMPORTED = "appdelivery.dev/imported-from"  # taking over live objects must not restart their pods
PARAMETER = "restartOnConfigChange"
LENGTH = 16  # hex digits

Kept = dict[tuple[str, str, str], "dict[str, Any]"]  # (kind, namespace, name) to object


def stamp(works: Sequence[Work], facts: Facts) -> None:
    """Writes the annotation into the pod templates of components that ask for it."""
    sources = [w for w in works if w.parts[0].definition.name == SOURCE]
    if not sources or IMPORTED in facts.app.annotations:
        return
    kept: Kept = {}
    for w in sources:
        for made in w.objects:
            body = made.body
            if body["kind"] in ("ConfigMap", "Secret") and body["apiVersion"] == "v1":
                kept[body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]] = body
    for w in works:
        parameters = w.parts[0].parameters
        if type(parameters) is dict and parameters.get(PARAMETER) is True:
            for made in w.objects:
                # The workload has a pod template; what comes with it, for example a Service, seldom.
                if not made.trait and made.body["kind"] != "Job" and (pod := _pod(made.body)) is not None:
                    made.body = _annotated(made.body, pod, kept, facts.context.digest_key)


def _pod(body: dict[str, Any]) -> dict[str, Any] | None:
    spec = body.get("spec")
    template = spec.get("template") if type(spec) is dict else None
    pod = template.get("spec") if type(template) is dict else None
    return pod if type(pod) is dict else None


def _annotated(body: dict[str, Any], pod: dict[str, Any], kept: Kept, key: bytes) -> dict[str, Any]:
    named = uses(pod)
    if not named:
        return body
    namespace = body["metadata"].get("namespace", "")
    used = sorted([(kind, name) for kind, name in named if (kind, namespace, name) in kept])
    if not used:
        return body
    content = [[kind, name, _content(kept[kind, namespace, name])] for kind, name in used]
    template = body["spec"]["template"]
    metadata = template.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: canonical.digest(content, key)[:LENGTH]}
    return {**body, "spec": {**body["spec"], "template": {**template, "metadata": {**metadata, "annotations": annotations}}}}


def _content(body: dict[str, Any]) -> list[Any]:
    return [body.get("data"), body.get("stringData"), body.get("binaryData")]


def uses(pod: dict[str, Any]) -> set[tuple[str, str]]:
    """(kind, name) of every ConfigMap and Secret that a pod spec names."""
    found: set[tuple[str, str]] = set()
    for field in ("containers", "initContainers"):
        for container in maps(pod.get(field)):
            if "envFrom" in container:
                for source in maps(container["envFrom"]):
                    _add(found, source.get("configMapRef"), source.get("secretRef"))
            if "env" in container:
                for variable in maps(container["env"]):
                    if "valueFrom" in variable and type(value := variable["valueFrom"]) is dict:
                        _add(found, value.get("configMapKeyRef"), value.get("secretKeyRef"))
    for volume in maps(pod.get("volumes")):
        _add(found, volume.get("configMap"), volume.get("secret"), "secretName")
        if "projected" in volume and type(projected := volume["projected"]) is dict:
            for source in maps(projected.get("sources")):
                _add(found, source.get("configMap"), source.get("secret"))
    return found


def _add(found: set[tuple[str, str]], config_map: Any, secret: Any, field: str = "name") -> None:
    if config_map is not None and type(config_map) is dict and type(name := config_map.get("name")) is str:
        found.add(("ConfigMap", name))
    if secret is not None and type(secret) is dict and type(name := secret.get(field)) is str:
        found.add(("Secret", name))


def maps(value: Any) -> Sequence[dict[str, Any]]:
    """The maps of a list; nothing for anything else."""
    if type(value) is not list:
        return ()
    return value if ONLY_MAPS.issuperset(map(type, value)) else [item for item in value if type(item) is dict]


ONLY_MAPS = frozenset((dict,))
