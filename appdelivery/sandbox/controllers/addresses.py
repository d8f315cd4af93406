"""IP addresses of pods: one range for the whole cluster, the lowest free one next, given back when the pod is gone."""

from __future__ import annotations

import heapq

from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body

FIRST = 2  # 10.244.0.0 is the range's own, .1 the gateway's
UNKNOWN_HOST = "127.0.0.1"


class Pool:
    def __init__(self) -> None:
        self._next = FIRST
        self._free: list[int] = []

    def take(self) -> str:
        if self._free:
            number = heapq.heappop(self._free)
        else:
            number, self._next = self._next, self._next + 1
        return f"10.{244 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"

    def give(self, address: str) -> None:
        parts = address.split(".")
        if len(parts) != 4 or parts[0] != "10":
            return
        number = (int(parts[1]) - 244 << 16) + (int(parts[2]) << 8) + int(parts[3])
        if FIRST <= number < self._next:
            heapq.heappush(self._free, number)

    def know(self, address: str) -> None:
        """An address of a former run."""
        parts = [int(part) for part in address.split(".") if part.isdecimal()]
        if len(parts) == 4 and parts[0] == 10:
            self._next = max(self._next, (parts[1] - 244 << 16) + (parts[2] << 8) + parts[3] + 1)


def of(context: Context, pod: Body) -> dict[str, Any]:
    """hostIP, podIP and their lists, the same as long as the pod lives."""
    known = pod["status"]
    if "podIP" in known:
        return {key: known[key] for key in ("hostIP", "hostIPs", "podIP", "podIPs") if key in known}
    host = _host(context, pod["spec"]["nodeName"])
    own = host if pod["spec"].get("hostNetwork") else context.addresses.take()
    return {"hostIP": host, "hostIPs": [{"ip": host}], "podIP": own, "podIPs": [{"ip": own}]}


def release(context: Context, pod: Body) -> None:
    address = pod.get("status", {}).get("podIP")
    if address and not pod["spec"].get("hostNetwork"):
        context.addresses.give(address)


def _host(context: Context, name: str) -> str:
    node = context.item(objects.NODES, ("", name))
    for one in (node or {}).get("status", {}).get("addresses") or ():
        if one["type"] == "InternalIP":
            return one["address"]  # type: ignore[no-any-return]
    return UNKNOWN_HOST
