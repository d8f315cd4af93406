"""`collect-service-endpoints`: the addresses of an application's Services and Ingresses; waits until there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.model import marks
from appdelivery.model.refs import AppKey, Kind, Selector
from appdelivery.workflow.model import Done, Wait, WakeKey
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from appdelivery.model.live import Live
    from appdelivery.workflow.model import Result, StepContext

SERVICE, INGRESS = Kind("", "v1", "Service"), Kind("networking.k8s.io", "v1", "Ingress")


async def run(at: StepContext) -> Result:
    given, around = at.properties, world.of(at)
    app = AppKey(given["namespace"], given["name"])
    found = [
        one
        for cluster in await around.placed(app) or (around.cluster,)
        for kind in (SERVICE, INGRESS)
        for live in await _list(at, cluster, kind, app)
        for one in _of(live, cluster)
        if _wanted(one, given)
    ]
    if not found:
        looks = int((at.cursor or {}).get("looks", 0))
        return Wait(world.poll(looks), {"looks": looks + 1}, _none(app, given), [WakeKey("application", str(app))])
    first = found[0]["endpoint"]
    url = f"{given['protocal']}://{first['host']}:{first['port']}"
    value = {"endpoint": first, "endpoints": found, "url": url}
    return Done({"value": value, "endpoints": found}, f"{len(found)} endpoints, first {url}")


async def _list(at: StepContext, cluster: str, kind: Kind, app: AppKey) -> Sequence[Live]:
    labels = f"{marks.NAME}={app.name},{marks.NAMESPACE}={app.namespace}"
    try:
        return await world.of(at).fleet.list(cluster, kind, "", Selector(labels))
    except errors.NotServed:
        return ()


def _wanted(one: dict[str, Any], given: dict[str, Any]) -> bool:
    endpoint = one["endpoint"]
    return (
        (not given.get("components") or one["component"] in given["components"])
        and given.get("port") in (None, endpoint["port"])
        and given.get("portName") in (None, endpoint["portName"])
        and not (given.get("outer") and endpoint["inner"])
    )


def _of(live: Live, cluster: str) -> Iterator[dict[str, Any]]:
    reader = _service if live.ref.kind == SERVICE.kind else _ingress
    component = (live.body["metadata"].get("labels") or {}).get(marks.COMPONENT, "")
    ref = {"kind": live.ref.kind, "namespace": live.ref.namespace, "name": live.ref.name}
    for endpoint in reader(live):
        yield {"endpoint": endpoint, "ref": ref, "cluster": cluster, "component": component}


def _service(live: Live) -> Iterator[dict[str, Any]]:
    """Addresses from outside first, then the name inside the cluster."""
    spec, balancer = live.body.get("spec") or {}, (live.body.get("status") or {}).get("loadBalancer") or {}
    outside = [entry.get("hostname") or entry.get("ip") for entry in balancer.get("ingress") or ()]
    for port in spec.get("ports") or ():
        known = {"protocol": port.get("protocol", "TCP"), "portName": port.get("name"), "port": port["port"], "path": ""}
        for host in outside:
            yield {**known, "host": host, "inner": False}
        if spec.get("clusterIP") != "None":
            yield {**known, "host": f"{live.ref.name}.{live.ref.namespace}", "inner": True}


def _ingress(live: Live) -> Iterator[dict[str, Any]]:
    spec = live.body.get("spec") or {}
    secure = {host for entry in spec.get("tls") or () for host in entry.get("hosts") or ()}
    balancer = ((live.body.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = [entry.get("hostname") or entry.get("ip") for entry in balancer]
    for rule in spec.get("rules") or ():
        for host in [rule["host"]] if rule.get("host") else addresses:
            port, name = (443, "https") if host in secure else (80, "http")
            for path in (rule.get("http") or {}).get("paths") or ():
                where = path.get("path", "")
                yield {"protocol": "TCP", "portName": name, "port": port, "path": where, "host": host, "inner": False}


def _none(app: AppKey, given: dict[str, Any]) -> str:
    narrowed = [f"{name} {given[name]}" for name in ("components", "port", "portName", "outer") if given.get(name)]
    return f"application {app} has no endpoint{' with ' + ', '.join(narrowed) if narrowed else ''} yet"
