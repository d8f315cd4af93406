"""What steps do beside delivering components, over three sandboxes: objects, secrets, configs, other applications."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from three_clusters import application, deploy, say, step

from appdelivery import errors
from appdelivery.model.live import Health
from appdelivery.model.refs import AppKey
from appdelivery.platform import local, planning, worlds
from appdelivery.workflow.steps.world import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from three_clusters import Person

    from appdelivery.model.history import Release
    from appdelivery.workflow.steps.world import World

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("three-sandboxes")]

STAGING = deploy("staging", "staging", "small")
CONFIG_MAP, SECRET = ("v1", "ConfigMap"), ("v1", "Secret")


def settings(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def apply(name: str, value: dict[str, object], **more: str) -> dict[str, object]:
    return step(name, "apply-object", {"value": value, **more})


def test_an_object_of_a_step_stands_until_a_run_no_longer_applies_it(person: Person) -> None:
    file = person.app(STAGING, apply("extra", settings("extra", a="1")), apply("more", settings("more")))
    person.appctl("up", file, "--create-namespace")
    body = person.clusters.body("test-1", CONFIG_MAP, person.namespace, "extra")
    assert body is not None
    assert body["data"] == {"a": "1"}
    assert {row["component"] for row in person.status()["objects"]} == {"web", "extra", "more"}

    written = person.writes()
    again = person.appctl("plan", file)
    assert "delete" not in again.out.lower().replace("0 to delete", "")
    person.appctl("up", file)
    assert person.writes() == written

    file = person.app(STAGING, apply("extra", settings("extra", a="2")))
    planned = json.loads(person.appctl("plan", file, "-o", "json", code=None).out)
    assert "more" in json.dumps(planned)  # no step of that name is left
    person.appctl("up", file, "--yes")
    assert person.clusters.body("test-1", CONFIG_MAP, person.namespace, "more") is None
    body = person.clusters.body("test-1", CONFIG_MAP, person.namespace, "extra")
    assert body is not None
    assert body["data"] == {"a": "2"}

    person.appctl("delete", person.key, "--yes")
    assert person.clusters.body("test-1", CONFIG_MAP, person.namespace, "extra") is None


def test_an_object_goes_to_the_cluster_that_its_step_names(person: Person) -> None:
    for name in ("eu-1", "us-1"):
        person.appctl("up", person.write(_only_namespace(person, name), f"{name}.yaml"), "--create-namespace")
    shared = step("shared", "export-data", {"name": "shared", "data": {"a": "1"}, "topology": "production"})
    file = person.app(STAGING, apply("extra", settings("extra"), cluster="us-1"), shared)
    person.appctl("up", file, "--create-namespace")
    for name in ("eu-1", "us-1"):
        body = person.clusters.body(name, CONFIG_MAP, person.namespace, "shared")
        assert body is not None
        assert body["data"] == {"a": "1"}
    assert person.replicas("us-1") is None
    found = [
        name for name in ("test-1", "eu-1", "us-1") if person.clusters.body(name, CONFIG_MAP, person.namespace, "extra")
    ]
    assert found == ["us-1"]


def _only_namespace(person: Person, cluster: str) -> dict[str, object]:
    places = [{"name": "here", "type": "topology", "properties": {"clusters": [cluster]}}]
    made = application(person.namespace, deploy("here"), name=cluster, policies=places)
    made["spec"]["components"] = [{"name": "a", "type": "raw", "properties": settings(f"of-{cluster}")}]
    return made


def test_a_step_takes_no_object_of_others_and_no_unknown_cluster(person: Person) -> None:
    person.appctl("up", person.app(STAGING, apply("extra", settings("extra"))), "--create-namespace")
    other = person.write(
        application(person.namespace, STAGING, apply("mine", settings("extra")), name="other"), "other.yaml"
    )
    done = person.appctl("up", other, code=None)
    assert done.code != 0
    assert f"belongs to application {person.key}" in done.out + done.err


def test_a_generated_secret_reaches_an_object_and_no_output(person: Person) -> None:
    making = step("make", "generate-secret", {"name": "login", "keys": ["password"], "length": 24})
    reference = {"$secretRef": {"store": "application", "key": "login/password"}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": reference}}
    file = person.app(STAGING, making, apply("write", body))
    out = person.appctl("up", file, "--create-namespace")
    made = person.clusters.body("test-1", SECRET, person.namespace, "login")
    assert made is not None
    value = base64.b64decode(made["data"]["password"]).decode()
    assert len(value) == 24
    again = person.appctl("up", person.app(STAGING, making, apply("write", body), say("end")))
    assert person.clusters.body("test-1", SECRET, person.namespace, "login")["data"] == made["data"]
    told = [out, again, *[person.appctl(verb, person.key, "-o", "json") for verb in ("status", "history", "events")]]
    for done in told:
        assert value not in done.out + done.err
        assert made["data"]["password"] not in done.out + done.err


def test_a_config_is_made_and_read_as_a_secret(person: Person) -> None:
    given = {"name": "registry", "config": {"url": "https://registry.example"}}
    person.appctl(
        "up",
        person.app(STAGING, step("keep", "create-config", given), step("look", "read-config", {"name": "registry"})),
        "--create-namespace",
    )
    body = person.clusters.body("test-1", SECRET, person.namespace, "registry")
    assert body is not None
    assert json.loads(base64.b64decode(body["data"]["input-properties"])) == {"url": "https://registry.example"}
    assert person.steps()["look"] == "succeeded"


def test_a_policy_check_sees_what_the_release_wants(person: Person) -> None:
    rule = {"must": "object.spec.replicas < 2", "kinds": ["Deployment"], "message": "one is enough"}
    done = person.appctl(
        "up",
        person.app(step("check", "policy-check", {"rules": [rule]}), deploy("production")),
        "--create-namespace",
        code=None,
    )
    assert done.code != 0
    assert "one is enough" in done.out + done.err


def test_a_url_inside_is_refused_and_says_how_it_may_be_allowed(person: Person) -> None:
    done = person.appctl(
        "up",
        person.app(STAGING, step("call", "request", {"url": "https://127.0.0.1:1/"})),
        "--create-namespace",
        code=None,
    )
    assert done.code != 0
    assert "an address inside" in done.out + done.err


def test_another_application_is_opened_once_and_a_step_waits_for_it(person: Person) -> None:
    inner = application(person.namespace, STAGING, name="base")
    inner["spec"]["components"][0]["name"] = "cache"
    inner["spec"]["policies"] = inner["spec"]["policies"][:1]
    inner["spec"]["workflow"]["steps"] = [deploy("staging")]
    file = person.app(step("base", "apply-app", {"data": inner}), STAGING)
    person.appctl("up", file, "--create-namespace")
    assert _releases(person, "base") == 1
    assert person.steps() == {"base": "succeeded", "staging": "succeeded"}
    person.appctl("up", file)
    assert _releases(person, "base") == 1  # its content stands


def _releases(person: Person, name: str) -> int:
    done = person.appctl("history", f"{person.namespace}/{name}", "-o", "json", code=None)
    return len(json.loads(done.out)["items"]) if done.code == 0 else 0


def test_a_step_goes_back_to_what_has_succeeded(person: Person) -> None:
    person.appctl("up", person.app(STAGING), "--create-namespace")
    back = step("back", "rollback", {"to": "last-succeeded"})
    person.appctl("up", person.app(STAGING, back, image="example/web:2"))
    assert person.outcomes() == ["succeeded", "superseded", "succeeded"]
    assert person.image("test-1") == "example/web:1"


def _in_world(person: Person, ask: Callable[[World, Release], Awaitable[Any]]) -> Any:
    """What a step of the newest release would see, asked directly."""

    async def work() -> Any:
        p = local.open_store(local.Options(), mode="write")
        try:
            newest = p.journal.newest(AppKey(person.namespace, "shop"))
            assert newest is not None
            planned = await planning.of_release(p, newest, None)

            async def never() -> Any:
                raise AssertionError

            return await ask(worlds.of(p, planned, newest, lambda _: Health("healthy", ""), never), newest)
        finally:
            await p.close()

    return local.run(work)


def test_a_call_that_is_repeated_after_a_kill_opens_no_second_release(person: Person) -> None:
    person.appctl("up", person.app(STAGING), "--create-namespace")
    person.appctl("up", person.app(STAGING, image="example/web:2"))
    other = application(person.namespace, STAGING, name="other")
    other["spec"]["components"][0]["name"] = "cache"
    other["spec"]["policies"] = other["spec"]["policies"][:1]
    other["spec"]["workflow"]["steps"] = [deploy("staging")]

    async def twice(world: World, _: Release) -> Any:
        apps = [await world.apply_application(other, "RUN.step.application") for _ in range(2)]
        state = await world.application(apps[0])
        numbers = [await world.rollback("previous", "RUN.step.rollback") for _ in range(2)]
        return apps, state.state, numbers

    apps, state, numbers = _in_world(person, twice)
    assert (set(apps), state, numbers) == ({AppKey(person.namespace, "other")}, "delivering", [3, 3])
    assert _releases(person, "other") == 1

    async def further(world: World, release: Release) -> None:
        assert release.cause == "rollback"
        with pytest.raises(errors.Refused, match="goes back no further"):
            await world.rollback("previous", "another")

    _in_world(person, further)


def test_a_step_sees_places_and_wishes_and_not_what_there_is_not(person: Person) -> None:
    person.appctl("up", person.app(STAGING, deploy("production")), "--create-namespace")

    async def ask(world: World, release: Release) -> None:
        assert [place.cluster for place in await world.places(["production"])] == ["eu-1", "us-1"]
        assert {place.namespace for place in await world.places(["production"])} == {person.namespace}
        assert list(await world.placed(release.app)) == ["eu-1", "test-1", "us-1"]
        assert {one.cluster for one in await world.desired()} == {"eu-1", "test-1", "us-1"}
        with pytest.raises(errors.RequestError, match="no policy 'absent'"):
            await world.places(["absent"])
        assert (await world.application(AppKey(person.namespace, "absent"))).state == "absent"
        found = await world.application(release.app)
        assert (found.state, found.document["kind"]) == ("running", "Application")
        with pytest.raises(errors.RequestError, match="its own workflow"):
            await world.apply_application(application(person.namespace, STAGING), "key")
        with pytest.raises(errors.RequestError, match="none of its last"):
            await world.rollback("last-succeeded", "key")
        assert world.may_override("anything")
        with pytest.raises(errors.Refused, match="an address inside"):
            await world.http(HttpRequest("GET", "https://169.254.169.254/latest", {}))

    _in_world(person, ask)
