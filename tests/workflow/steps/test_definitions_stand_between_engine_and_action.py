"""What the engine calls for a step: the definition checks and shapes what the action gets and what it gave."""

from __future__ import annotations

from dataclasses import replace

import pytest
from step_lab import CATALOG, Lab

from appdelivery import errors
from appdelivery.model.record import changed
from appdelivery.model.run import Spec, StepSpec
from appdelivery.workflow import step_actions
from appdelivery.workflow.model import Done, Wait

STEPS = (
    StepSpec("cache", "apply-deployment", "apply-object", {}, 0),
    StepSpec("group/ask", "request", "request", {}, 1, group="group"),
    StepSpec("jdbc", "generate-jdbc-connection", "read-object", {}, 2),
    StepSpec("all", "deploy", "deploy", {}, 3),
    StepSpec("old", "chat-gpt", "refuse", {}, 4),
)


async def carried(lab, name, properties, own=None, cursor=None, **context):
    at = lab.context(properties, cursor=cursor)
    run = changed(at.run, spec=Spec(STEPS, ("StepByStep", "DAG")), context=context)
    at = replace(at, run=run, name=name)
    use = next(step.use for step in STEPS if step.name == name.partition("[")[0])
    return await step_actions.finder(CATALOG.resolve, own or {})(use)(at)


async def test_arguments_are_made_for_the_step_of_the_run():
    lab = Lab()
    waits = await carried(lab, "cache", {"image": "x:1"})
    found = await carried(lab, "cache", {"image": "x:1"}, cursor=waits.cursor)
    assert isinstance(found, Done)
    (deployment,) = [body for body in lab.fleet.world().objects.values() if body["kind"] == "Deployment"]
    assert deployment["metadata"]["name"] == "cache"
    assert deployment["spec"]["selector"] == {"matchLabels": {"workflow.oam.dev/step-name": "shop-cache"}}
    assert found.outputs["output"]["value"]["kind"] == "Deployment"


async def test_what_an_action_waits_for_is_left_as_it_is():
    lab = Lab(weather="still")
    assert isinstance(await carried(lab, "cache", {"image": "x:1"}), Wait)


async def test_outputs_are_those_that_the_definition_declares():
    lab = Lab(answers={"https://a.example/": (200, '{"free": 3}')})
    found = await carried(lab, "group/ask", {"url": "https://a.example/"})
    assert set(found.outputs) == {"response", "body", "statusCode", "http"}
    assert found.outputs["body"] == {"free": 3}


async def test_what_is_made_of_a_secret_is_secret():
    lab = Lab()
    data = dict.fromkeys(("DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"), "eA==")
    lab.fleet.foreign(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "default"}, "data": data}
    )
    found = await carried(lab, "jdbc", {"name": "db"})
    assert found.outputs["jdbc"][2] == {"name": "password", "value": "x"}
    assert found.secret == ("jdbc", "env")


async def test_values_that_became_known_are_checked_again():
    with pytest.raises(errors.RequestError, match=r"step cache \(apply-deployment\): properties.replicas: ") as raised:
        await carried(Lab(), "cache", {"image": "x:1", "replicas": "many"})
    assert raised.value.code == "step.properties"


async def test_a_step_that_was_withdrawn_says_what_to_use():
    with pytest.raises(errors.RequestError, match="use a request step"):
        await carried(Lab(), "old", {"token": {}})


async def test_the_composition_root_brings_the_delivery_of_applications():
    async def deploy(at):
        return Done({"placements": [at.properties["parallelism"], at.properties["policies"]]})

    found = await carried(Lab(), "all", {"policies": ["eu"]}, own={"deploy": deploy})
    assert found.outputs == {"placements": [5, ["eu"]]}


async def test_items_of_a_foreach_are_steps_like_the_others():
    found = await carried(Lab(answers={"https://a.example/": (200, "")}), "group/ask[3]", {"url": "https://a.example/"})
    assert found.outputs["statusCode"] == 200


def test_the_author_of_a_run_adds_to_the_context():
    at = Lab().context({})
    run = changed(at.run, context={"appRevision": "shop-v3", "team": "a"})
    found = step_actions.context(replace(at, run=run, name="group/ask"), STEPS[1])
    assert (found["appRevision"], found["team"], found["stepName"], found["stepGroupName"]) == (
        "shop-v3",
        "a",
        "ask",
        "group",
    )
    assert found["namespace"] == "default"
