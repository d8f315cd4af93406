"""A world in memory for step actions, and the contract that every action must pass.

The fleet is the FakeFleet of the delivery tests; every other callable passes the same crash points, so a test can kill the
process before or after any await of an action.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.crash import Crash
from fakes.fleet import FakeFleet

from appdelivery import errors
from appdelivery.catalog import catalog, expectations, layouts
from appdelivery.catalog import steps as definitions
from appdelivery.model.history import Actor
from appdelivery.model.live import Served
from appdelivery.model.refs import AppKey, Kind, ref_of
from appdelivery.model.run import Run, Spec
from appdelivery.model.secret import Secret
from appdelivery.workflow import steps
from appdelivery.workflow.model import CURSOR_BYTES, LONGEST_S, OUTPUT_BYTES, Done, Fail, StepContext, Suspend, Wait
from appdelivery.workflow.steps import world

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
CATALOG = catalog.Catalog()
TURNS = 60
ENDPOINTS = Served(Kind("", "v1", "Endpoints"), "endpoints", True, frozenset(("get", "list", "patch", "delete")))


class Configs:
    def __init__(self, lab):
        self.lab, self.kept = lab, {}

    async def put(self, entry):
        await self.lab.point("put config")
        self.kept[entry.namespace, entry.name] = entry
        self.lab.done("put config")

    async def get(self, namespace, name):
        await self.lab.point("get config")
        return self.kept.get((namespace, name))

    async def delete(self, namespace, name):
        await self.lab.point("delete config")
        found = self.kept.pop((namespace, name), None)
        self.lab.done("delete config")
        return found is not None

    async def list(self, namespace, template):
        await self.lab.point("list configs")
        return [one for key, one in sorted(self.kept.items()) if key[0] == namespace and one.template == template]


@dataclass
class Lab:
    weather: str = "fair"
    now: datetime = NOW
    answers: dict[str, Any] = field(default_factory=dict)  # URL without query to (status, body) or a list of them
    apps: dict[AppKey, world.AppState] = field(default_factory=dict)
    wanted: list[world.Wanted] = field(default_factory=list)
    override: bool = False
    hangs: bool = False  # HTTP and mail never answer

    def __post_init__(self):
        self.fleet = FakeFleet(clusters=("one", "two"), weather=self.weather, clock=lambda: self.now)
        for one in self.fleet.worlds.values():
            one._kinds[ENDPOINTS.kind] = ENDPOINTS
        self.crash = self.fleet.crash
        self.calls: list[world.HttpRequest] = []
        self.mails: list[world.Email] = []
        self.effects: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, str] = {}
        self.releases: dict[str, int] = {}  # idempotency key to release
        self.restarts: dict[str, tuple[datetime, float]] = {}
        self.delivered: dict[str, dict[str, Any]] = {}
        self.configs = Configs(self)
        self.logged: list[str] = []
        self.world = world.World(
            fleet=self.fleet,
            cluster="one",
            namespace="default",
            judge=self.fleet.judge,
            apply_objects=self._apply,
            http=self._http,
            email=self._email,
            configs=self.configs,
            resolve_secret=self._secret,
            application=self._application,
            apply_application=self._deliver,
            placed=self._placed,
            places=self._places,
            desired=self._desired,
            rollback=self._rollback,
            schedule_restart=self._restart,
            may_override=lambda _: self.override,
        )

    # --- crash points -------------------------------------------------------------------------------------------------
    async def point(self, label):
        self.crash.before(label)
        await asyncio.sleep(0)
        self.crash.before_effect()

    def done(self, label):
        self.crash.after(label)

    # --- callables ----------------------------------------------------------------------------------------------------
    async def _apply(self, step, wanted):
        from appdelivery.delivery.ports import ApplyOptions

        bodies = []
        for one in wanted:
            body = {**one.body, "metadata": {"namespace": "default", **one.body["metadata"]}}
            if body["kind"] == "CustomResourceDefinition":
                body["metadata"].pop("namespace")
            bodies.append((await self.fleet.apply(one.cluster, ref_of(body), body, ApplyOptions("appctl:shop"))).body)
        return bodies

    async def _http(self, request):
        await self.point(f"http {request.url}")
        self.calls.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        answer = self.answers[request.url.partition("?")[0]]
        status, body = answer.pop(0) if isinstance(answer, list) else answer
        self.done("http")
        return world.HttpAnswer(status, {"Content-Type": "application/json"}, body.encode())

    async def _email(self, mail):
        await self.point("mail")
        self.mails.append(mail)
        if self.hangs:
            await asyncio.Event().wait()
        self.done("mail")

    async def _secret(self, ref):
        await self.point(f"secret {ref.name}")
        value = self.secrets.setdefault(ref.name, "x" * ref.length)
        self.done("secret")
        return Secret(value)

    async def _application(self, key):
        await self.point(f"look at {key}")
        return self.apps.get(key, world.AppState("absent"))

    async def _deliver(self, document, key):
        await self.point("deliver")
        self.delivered[key] = document
        about = document["metadata"]
        app = AppKey(about.get("namespace", "default"), about["name"])
        self.apps.setdefault(app, world.AppState("delivering", document=document))
        self.done("deliver")
        return app

    async def _placed(self, _):
        await self.point("placed")
        return ("one", "two")

    async def _places(self, policies):
        await self.point("places")
        return (world.Place("one", "default"), world.Place("two", "default"))

    async def _desired(self):
        await self.point("desired")
        return self.wanted

    async def _rollback(self, to, key):
        await self.point("rollback")
        release = self.releases.setdefault(key, 7 + len(self.releases))
        self.done("rollback")
        return release

    async def _restart(self, when, every, key):
        await self.point("restart")
        self.restarts.setdefault(key, (when, every))
        self.done("restart")

    async def _effect(self, key, request, call):
        json.dumps(request)  # a row holds it
        kept = self.effects.setdefault(key, {"request": request})
        if "result" in kept:
            return kept["result"]
        await self.point(f"effect {key}")
        result = await call(f"RUN.step.{key}")
        json.dumps(result)
        await self.point(f"keep {key}")
        kept["result"] = result
        self.done(f"keep {key}")
        return result

    # --- running ------------------------------------------------------------------------------------------------------
    def context(self, properties, *, cursor=None, answer=None, cancelled=lambda: False, app=AppKey("default", "shop")):
        run = Run("01J0000000000000000000RUN", "default", "shop", "executing", Spec((), ("StepByStep", "DAG")), NOW, app=app)
        return StepContext(
            run=run,
            name="step",
            properties=properties,
            inputs={},
            cursor=json.loads(json.dumps(cursor)),  # a row holds it
            attempt=1,
            now=self.now,
            actor=Actor("user", "ana", "cli"),
            effect=self._effect,
            world=self.world,
            app=app,
            answer=answer,
            cancelled=cancelled,
            log=self.logged.append,
            secrets=[],
        )

    def objects(self):
        """What stands in the clusters, without what no two servers give alike."""
        return sorted(
            (name, *identity, json.dumps(body.get("spec") or body.get("data") or {}, sort_keys=True))
            for name, one in self.fleet.worlds.items()
            for identity, body in one.objects.items()
        )

    def seen(self):
        return {
            "objects": self.objects(),
            "calls": sorted({(c.method, c.url, c.headers.get("Idempotency-Key"), c.body) for c in self.calls}, key=str),
            "mails": sorted({(m.key, m.to) for m in self.mails}),
            "effects": self.effects,
            "configs": self.configs.kept,
            "secrets": self.secrets,
            "releases": self.releases,
            "restarts": self.restarts,
            "delivered": self.delivered,
        }


def arguments(step_type, properties):
    """As the engine makes them: properties checked and filled by the shipped definition, then its `with`."""
    definition = CATALOG.resolve(layouts.STEP, step_type)
    context = {**expectations.context(definition, {"appName": "shop"}), "stepName": "step"}
    parameters = definitions.fill(definition, properties)
    assert [p for p in definitions.failed(definition, parameters, context) if p.level == "error"] == []
    return definition.use, definitions.arguments(definition, parameters, context)


async def drive(lab, step_type, properties, *, meanwhile=None, twice=False, kill=None):
    """Runs a step to its end as the engine does: cursors are kept, time passes, a killed process starts again."""
    use, given = arguments(step_type, properties)
    action, cursor, turn = steps.find(use), None, 0
    if kill is not None:
        lab.crash.kill(kill[0], after=kill[1])
    for _ in range(TURNS):
        try:
            result = await action(lab.context(given, cursor=cursor))
            if twice and not isinstance(result, (Done, Fail)):
                result = await action(lab.context(given, cursor=cursor))
        except Crash:
            lab.crash.revive()
            continue
        except errors.WorldError as error:
            if not error.retryable:
                return Fail(error.code, error.message, retryable=False)
            result = Wait(timedelta(seconds=1), cursor, error.message)
        except errors.RequestError as error:
            return Fail(error.code, error.message, retryable=False)
        check(result)
        if isinstance(result, Fail) and result.retryable:
            result = Wait(timedelta(seconds=1), None, result.message)
        if not isinstance(result, Wait):
            return result
        cursor, turn = result.cursor, turn + 1
        lab.now += result.after or timedelta(seconds=1)
        if meanwhile is not None:
            meanwhile(lab, turn)
    raise AssertionError(f"{step_type} did not end in {TURNS} turns: {result}")


def check(result):
    """What the engine demands of every answer."""
    assert isinstance(result, (Done, Wait, Suspend, Fail)), result
    if isinstance(result, (Wait, Suspend)):
        assert len(json.dumps(result.cursor)) <= CURSOR_BYTES
        assert result.message
    if isinstance(result, Wait):
        assert result.after is None or result.after.total_seconds() > 0
    if isinstance(result, Done):
        assert len(json.dumps(result.outputs, default=str)) <= OUTPUT_BYTES
        assert set(result.secret) <= set(result.outputs)


def told(result):
    """An end without what differs between two runs that mean the same: versions, ids, times."""
    if isinstance(result, Done):
        return "done", sorted(result.outputs), result.message
    return type(result).__name__, getattr(result, "code", ""), result.message


async def assert_contract(make, step_type, properties, *, meanwhile=None):
    """make() gives a fresh Lab.  1: run again with the same cursor.  2: kill before and after every call.  3: cancel."""
    plain = make()
    end = await drive(plain, step_type, properties, meanwhile=meanwhile)
    calls = len(plain.crash.calls)
    again = make()
    assert told(await drive(again, step_type, properties, meanwhile=meanwhile, twice=True)) == told(end)
    assert again.seen() == plain.seen()
    for call in range(1, calls + 1):
        for after in (False, True):
            lab = make()
            killed = await drive(lab, step_type, properties, meanwhile=meanwhile, kill=(call, after))
            assert told(killed) == told(end), f"killed {'after' if after else 'before'} call {call}"
            assert lab.seen() == plain.seen(), f"killed {'after' if after else 'before'} call {call}"
    await assert_cancels(make, step_type, properties)
    return plain, end


async def assert_cancels(make, step_type, properties):
    """A cancelled step answers within 5 s, also when the other side never does, and begins nothing that writes."""
    lab = make()
    lab.hangs = True
    use, given = arguments(step_type, properties)
    begun = asyncio.get_running_loop().time()
    try:
        result = await asyncio.wait_for(steps.find(use)(lab.context(given, cancelled=lambda: True)), LONGEST_S)
        check(result)
    except (world.Cancelled, errors.WorldError):
        pass
    assert asyncio.get_running_loop().time() - begun < 5
    assert [r for r in lab.fleet.writes if r.verb != "facts"] == []
