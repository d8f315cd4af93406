"""`World`: everything outside of a run that step actions may use; a frozen record which the composition root fills.

What a process does not have raises `Unavailable` when it is used, which fails the step and says what is missing.  The
small helpers that several actions need stand here too, because actions do not import each other.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from appdelivery import errors
from appdelivery.model.record import record
from appdelivery.model.refs import Ref
from appdelivery.workflow.model import WakeKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from datetime import datetime

    from appdelivery.delivery.ports import Fleet, Judge, ResolveSecret
    from appdelivery.model.refs import AppKey
    from appdelivery.workflow.model import StepContext

HTTP_TIMEOUT_S = 8.0  # below the longest time a step may take without answering
LOOK_S = 0.2  # how often a running request looks whether its step was cancelled


class Unavailable(errors.WorldError):
    code = "step.unavailable"


class Cancelled(errors.RequestError):
    """The run was cancelled while the step waited for an answer."""

    code = "step.cancelled"


@record
class HttpRequest:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    timeout: float = HTTP_TIMEOUT_S


@record
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@record
class Email:
    host: str
    port: int
    sender: str
    alias: str
    password: str
    to: tuple[str, ...]
    subject: str
    body: str
    key: str  # the idempotency key, for the Message-ID


@record
class Wanted:
    """An object that shall stand in a cluster as a part of the application."""

    cluster: str
    body: dict[str, Any]


@record
class Place:
    cluster: str
    namespace: str


@record
class AppState:
    """How another application stands.  state: absent, delivering, running, failed, suspended."""

    state: str
    message: str = ""
    document: Mapping[str, Any] = {}


@record
class ConfigEntry:
    name: str
    namespace: str
    template: str
    config: Mapping[str, Any]


class Configs(Protocol):
    """Named configurations that outlive applications."""

    async def put(self, entry: ConfigEntry) -> None: ...
    async def get(self, namespace: str, name: str) -> ConfigEntry | None: ...
    async def delete(self, namespace: str, name: str) -> bool: ...
    async def list(self, namespace: str, template: str) -> Sequence[ConfigEntry]: ...


def _missing(what: str) -> Callable[..., Any]:
    async def use(*_: Any, **__: Any) -> Any:
        raise Unavailable(f"{what} is not available in this process", retryable=False)

    return use


class _NoConfigs:
    put = get = delete = list = staticmethod(_missing("the store of configs"))


@record
class World:
    """cluster and namespace: where the run acts when a step names no other."""

    fleet: Fleet
    cluster: str
    namespace: str
    judge: Judge
    apply_objects: Callable[[str, Sequence[Wanted]], Awaitable[Sequence[dict[str, Any]]]] = _missing("applying objects")
    """(step, objects): server-side apply into the application's inventory; the objects as the servers answer, in order.
    Applying the same again changes nothing."""
    http: Callable[[HttpRequest], Awaitable[HttpAnswer]] = _missing("HTTP")
    """Any answer is an answer; WorldError when there is none."""
    email: Callable[[Email], Awaitable[None]] = _missing("sending e-mail")
    configs: Configs = _NoConfigs()
    resolve_secret: ResolveSecret = _missing("the store of secrets")
    """Makes the value when it does not exist and the reference says how."""
    application: Callable[[AppKey], Awaitable[AppState]] = _missing("looking at other applications")
    apply_application: Callable[[dict[str, Any], str], Awaitable[AppKey]] = _missing("delivering other applications")
    """(document, idempotency key): opens a release of it unless its content is already delivered or being delivered."""
    placed: Callable[[AppKey], Awaitable[Sequence[str]]] = _missing("the inventory")
    """Clusters in which objects of an application stand."""
    places: Callable[[Sequence[str]], Awaitable[Sequence[Place]]] = _missing("placement")
    """Where topology policies of those names put things."""
    desired: Callable[[], Awaitable[Sequence[Wanted]]] = _missing("the rendered objects")
    """What the release of this run wants, secrets masked."""
    rollback: Callable[[str, str], Awaitable[int]] = _missing("rolling back")
    """(revision, 'previous' or 'last-succeeded'; idempotency key): number of the release it opened."""
    schedule_restart: Callable[[datetime, float, str], Awaitable[None]] = _missing("scheduling")
    """(when, seconds between repetitions or 0, idempotency key)."""
    may_override: Callable[[str], bool] = lambda _: False
    """Whether the actor of the run has the right `override` for what the text names."""

    def at(self, cluster: str) -> str:
        return cluster or self.cluster


def of(at: StepContext) -> World:
    found = at.world
    if not isinstance(found, World):
        raise errors.Bug(f"step {at.name}: its world is no World")
    return found


def key(at: StepContext, name: str) -> str:
    """An idempotency key for calls that are safe to repeat with it."""
    return f"{at.run.id}.{at.name}.{name}"


async def secret_value(at: StepContext, given: Mapping[str, Any], what: str) -> str:
    """The text of {value: TEXT} or {secretRef: {name, key}}; a value read from a Secret is masked from now on."""
    if given.get("value") is not None:
        return str(given["value"])
    reference = given["secretRef"]
    world = of(at)
    ref = Ref("", "v1", "Secret", world.namespace, reference["name"])
    live = (await world.fleet.read(world.cluster, [ref])).get(ref)
    data = (live.body.get("data") or {}) if live else {}
    if reference["key"] not in data:
        lacks = f"has no key {reference['key']}" if live else "does not exist"
        raise errors.Missing(f"read {what} from {ref} in cluster {world.cluster}: it {lacks}", retryable=True)
    found = decoded(data[reference["key"]])
    at.secrets.append(found)
    return found


def decoded(data: str) -> str:
    """Base64 as in the data of a Secret."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise errors.RequestError("a value of the Secret is no base64 of UTF-8 text", code="step.secret") from None


async def unless_cancelled(at: StepContext, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a call that may take longer than a cancelled step may."""
    task = asyncio.ensure_future(work)
    try:
        while True:
            done, _ = await asyncio.wait([task], timeout=LOOK_S)
            if done:
                return task.result()
            if at.cancelled():
                raise Cancelled(f"step {at.name}: cancelled while it waited for an answer")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


async def ask(at: StepContext, request: HttpRequest, doing: str) -> HttpAnswer:
    """One HTTP exchange; an answer from status 400 on is a WorldError, worth a retry when the server may recover."""

    async def exchange() -> HttpAnswer:
        return await of(at).http(request)

    answer: HttpAnswer = await unless_cancelled(at, exchange())
    if answer.status >= 400:
        again = answer.status >= 500 or answer.status in (408, 425, 429)
        said = answer.body[:200].decode("utf-8", "replace").strip()
        raise errors.WorldError(
            f"{doing}: status {answer.status}{': ' + said if said else ''}",
            code="step.http",
            retryable=again,
            after=_after(answer.headers),
        )
    return answer


def _after(headers: Mapping[str, str]) -> float | None:
    found = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(found) if found.isdigit() and int(found) <= 3600 else None


def poll(since: int) -> timedelta:
    """1 s doubling to 60 s: the fallback of those that wait for something that no event tells of."""
    return timedelta(seconds=min(60.0, 2.0 ** min(since, 6)))


def wake(cluster: str, ref: Ref) -> WakeKey:
    """What wakes a step that waits for an object."""
    return WakeKey("object", f"{cluster}:{ref.group}/{ref.kind}:{ref.namespace}/{ref.name}")


def plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """An object as an output: without what only servers read."""
    about = {name: value for name, value in body.get("metadata", {}).items() if name != "managedFields"}
    return {**body, "metadata": about}


async def configmap_key(at: StepContext, namespace: str, name: str, key_: str) -> str | None:
    """One key of a ConfigMap of the run's cluster; None when the ConfigMap or the key is not there."""
    ref = Ref("", "v1", "ConfigMap", namespace, name)
    world = of(at)
    live = (await world.fleet.read(world.cluster, [ref])).get(ref)
    found = (live.body.get("data") or {}).get(key_) if live else None
    return None if found is None else str(found)
