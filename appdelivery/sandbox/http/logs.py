"""What a container wrote: the lines that its pod's weather says, all at once or followed until it ends.

A test scripts a log by an annotation (`controllers.weather`); who follows sees lines that are added to it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.controllers import weather
from appdelivery.sandbox.http import answers, parameters
from appdelivery.sandbox.http.printers import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from appdelivery.sandbox.http.answers import Answer, Receive, Send
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Event

    Line = tuple[datetime, str]

PLAIN = "text/plain"
DEFAULT = "kubectl.kubernetes.io/default-container"
STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
LEAST = {"tailLines": 0, "limitBytes": 1, "sinceSeconds": 1}


def serve(call: Call, kind: Kind) -> Answer:
    request = call.request
    item = call.cluster.collection(kind).get(request.key)
    if item is None:
        raise status.not_found(kind, request.name)
    limits = _limits(request.query, request.name)
    previous = request.flag("previous")
    container = _container(item.body, request.query.get("container", ""))
    state = _state(item.body, container, previous=previous)
    lines = _lines(call, item.body, state, previous=previous)
    text = _text(_chosen(call, lines, request.query, limits), stamped=request.flag("timestamps"))
    if limits["limitBytes"] is not None:
        text = text[: limits["limitBytes"]]
    if not request.flag("follow") or "terminated" in state:
        return answers.Answer(text, content_type=PLAIN)

    async def follow(receive: Receive, send: Send) -> None:
        await _follow(call, kind, container, receive, send, text=text, said=len(lines))

    return answers.Answer(b"", content_type=PLAIN, stream=follow)


def _limits(query: Mapping[str, str], name: str) -> dict[str, int | None]:
    found = {key: parameters.number(query, key) for key in LEAST}
    for key, least in LEAST.items():
        value = found[key]
        if value is not None and value < least:
            more = "greater than or equal to 0" if least == 0 else "greater than 0"
            raise _invalid(name, "FieldValueInvalid", f"Invalid value: {value}: must be {more}", key)
    if query.get("sinceTime") and found["sinceSeconds"] is not None:
        said = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        raise _invalid(name, "FieldValueForbidden", said, "[]")
    return found


def _invalid(name: str, reason: str, message: str, field: str) -> status.Refusal:
    cause = status.Cause(reason, message, field)
    details = {"name": name, "kind": "PodLogOptions", "causes": [cause.body()]}
    return status.Refusal(422, "Invalid", f'PodLogOptions "{name}" is invalid: {field}: {message}', details=details)


def _container(pod: Body, asked: str) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    main = [one["name"] for one in spec.get("containers") or ()]
    initial = [one["name"] for one in spec.get("initContainers") or ()]
    if not asked:
        chosen = words.at(pod, "metadata", "annotations", DEFAULT)
        if len(main) == 1 or chosen in main:
            return str(chosen) if chosen in main else main[0]
        init = f" or one of the init containers: [{' '.join(initial)}]" if initial else ""
        raise status.bad_request(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]{init}"
        )
    others = [one["name"] for one in spec.get("ephemeralContainers") or ()]
    if asked not in (*main, *initial, *others):
        raise status.bad_request(f"container {asked} is not valid for pod {name}")
    return asked


def _state(pod: Body, container: str, *, previous: bool) -> Mapping[str, Any]:
    """Of the run that is asked about; 400 when it wrote nothing."""
    said = pod.get("status") or {}
    name = pod["metadata"]["name"]
    found = next((one for key in STATUSES for one in said.get(key) or () if one["name"] == container), None)
    if previous:
        last = (found or {}).get("lastState") or {}
        if "terminated" not in last:
            raise status.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return dict(last)
    if found is None:
        if not pod["spec"].get("nodeName"):
            raise status.bad_request(f"pod {name} does not have a host assigned")
        raise status.bad_request(f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating')
    state: Mapping[str, Any] = found.get("state") or {}
    waits = state.get("waiting")
    if waits is None:
        return state
    last = found.get("lastState") or {}
    if "terminated" in last:  # between two runs one sees the one before
        return dict(last)
    why = waits.get("reason", "ContainerCreating")
    if why in ("ErrImagePull", "ImagePullBackOff"):
        why = "trying and failing to pull image" if why == "ImagePullBackOff" else "image can't be pulled"
    raise status.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def _lines(call: Call, pod: Body, state: Mapping[str, Any], *, previous: bool) -> list[Line]:
    run: Mapping[str, Any] = state.get("running") or state.get("terminated") or {}
    began = run.get("startedAt")
    start = words.moment(began) if began else call.cluster.clock.now()
    found = weather.logs(pod, previous=previous)
    return [(start + timedelta(milliseconds=index), line) for index, line in enumerate(found)]


def _chosen(call: Call, lines: list[Line], query: Mapping[str, str], limits: Mapping[str, int | None]) -> list[Line]:
    earliest = None
    if limits["sinceSeconds"] is not None:
        earliest = call.cluster.clock.now() - timedelta(seconds=limits["sinceSeconds"])
    elif query.get("sinceTime"):
        try:
            earliest = words.moment(query["sinceTime"])
        except ValueError:
            raise status.bad_request(f'parsing time "{query["sinceTime"]}" as "2006-01-02T15:04:05Z07:00": cannot parse it') from None  # fmt: skip
    if earliest is not None:
        lines = [line for line in lines if line[0] >= earliest]
    tail = limits["tailLines"]
    return lines if tail is None else lines[len(lines) - tail :] if tail < len(lines) else lines


def _text(lines: list[Line], *, stamped: bool) -> bytes:
    parts = [f"{moment.isoformat().replace('+00:00', 'Z')} {line}\n" if stamped else f"{line}\n" for moment, line in lines]
    return "".join(parts).encode()


async def _follow(call: Call, kind: Kind, container: str, receive: Receive, send: Send, *, text: bytes, said: int) -> None:
    """Sends what there is, then what is added, until the container ends or the client goes."""
    kept = call.cluster.collection(kind)
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    written = {"lines": said}

    def hear(event: Event) -> None:
        if event.item.key != call.request.key:
            return
        body = event.item.body
        lines = _lines(call, body, _run(body, container), previous=False)
        fresh = lines[written["lines"] :]
        written["lines"] = max(written["lines"], len(lines))
        if fresh:
            queue.put_nowait(_text(fresh, stamped=call.request.flag("timestamps")))
        if event.type == storage.DELETED or "terminated" in _run(body, container):
            queue.put_nowait(None)

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        queue.put_nowait(None)

    kept.listeners[hear] = None
    gone = asyncio.get_running_loop().create_task(until_gone())
    part: bytes | None = text
    try:
        while part is not None:
            if part:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            part = await queue.get()
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        kept.listeners.pop(hear, None)
        gone.cancel()


def _run(pod: Body, container: str) -> Mapping[str, Any]:
    said = pod.get("status") or {}
    found: Body = next((one for key in STATUSES for one in said.get(key) or () if one["name"] == container), {})
    state: Mapping[str, Any] = found.get("state") or {}
    return state
