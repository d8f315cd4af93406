"""Configs in the form of KubeVela: written, read, listed and deleted as labelled Secrets, and no other Secret touched."""

from __future__ import annotations

import base64
import json

import pytest
from fakes.fleet import FakeFleet

from appdelivery import errors
from appdelivery.model.refs import Ref
from appdelivery.workflow.secret_configs import SecretConfigs
from appdelivery.workflow.steps.world import ConfigEntry


def ref(name):
    return Ref("", "v1", "Secret", "default", name)


def secret(name, labels, **data):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "data": data,
    }


async def test_a_config_comes_back_as_it_was_written():
    fleet = FakeFleet()
    configs = SecretConfigs(fleet, "one")
    entry = ConfigEntry("registry", "default", "image-registry", {"server": "ü", "n": [1, {"a": None}]})
    await configs.put(entry)
    await configs.put(entry)
    assert await configs.get("default", "registry") == entry
    assert await configs.list("default", "image-registry") == [entry]
    assert await configs.list("default", "other") == []
    labels = fleet.live(ref("registry"))["metadata"]["labels"]
    assert labels == {"config.oam.dev/catalog": "velacore-config", "config.oam.dev/type": "image-registry"}


async def test_a_config_of_kubevela_is_read():
    fleet = FakeFleet()
    content = base64.b64encode(json.dumps({"a": 1}).encode()).decode()
    labels = {"config.oam.dev/catalog": "velacore-config", "config.oam.dev/type": "t"}
    fleet.foreign(secret("old", labels, **{"input-properties": content}))
    assert await SecretConfigs(fleet, "one").get("default", "old") == ConfigEntry("old", "default", "t", {"a": 1})


async def test_deleting_says_whether_it_was_there():
    configs = SecretConfigs(FakeFleet(), "one")
    await configs.put(ConfigEntry("a", "default", "", {}))
    assert [await configs.delete("default", "a"), await configs.delete("default", "a")] == [True, False]
    assert await configs.get("default", "a") is None


async def test_secrets_that_are_no_configs_are_left_alone():
    fleet = FakeFleet()
    fleet.foreign(secret("db", {}, password="eA=="))
    configs = SecretConfigs(fleet, "one")
    for work in (
        configs.put(ConfigEntry("db", "default", "", {})),
        configs.get("default", "db"),
        configs.delete("default", "db"),
    ):
        with pytest.raises(errors.Conflict, match="is no config"):
            await work
    assert fleet.live(ref("db"))["data"] == {"password": "eA=="}
    assert fleet.writes == []


@pytest.mark.parametrize("content", ["!", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{").decode()])
async def test_a_broken_content_is_named(content):
    fleet = FakeFleet()
    fleet.foreign(secret("bad", {"config.oam.dev/catalog": "velacore-config"}, **{"input-properties": content}))
    with pytest.raises(errors.RequestError, match="default/bad: its content is no map"):
        await SecretConfigs(fleet, "one").get("default", "bad")
