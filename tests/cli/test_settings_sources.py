"""Settings: the command line wins over the environment, the environment over the file; every flag has its variable."""

from __future__ import annotations

import json
import os

import pytest
import running
import seeded

from appdelivery import errors, settings

WEB = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - {name: web, type: webservice, properties: {image: "example/web:1"}}
"""


@pytest.fixture
def home(tmp_path) -> str:
    os.makedirs(f"{tmp_path}/.config/appctl")
    return str(tmp_path)


def configure(home: str, text: str) -> None:
    with open(f"{home}/.config/appctl/config.yaml", "w", encoding="utf-8") as file:
        file.write(text)


def read(home: str, given: dict[str, str | None] | None = None, **environment: str) -> dict[str, tuple[str, str]]:
    found = settings.read({"HOME": home, **environment}, given or {})
    return {name: (one.value, one.origin) for name, one in found.items()}


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(home: str) -> None:
    configure(home, "defaults: {namespace: filed, timeout: 15m, color: never}\n")
    found = read(home, {"color": "always"}, APPCTL_COLOR="auto", APPCTL_NAMESPACE="set")
    assert found["color"] == ("always", "the command line")
    assert found["namespace"] == ("set", "the environment, APPCTL_NAMESPACE")
    assert found["timeout"] == ("15m", f"{home}/.config/appctl/config.yaml")
    assert "store" not in found


def test_places_follow_xdg(home: str) -> None:
    assert settings.folders({"HOME": home}).data == f"{home}/.local/share/appctl"
    moved = settings.folders({"HOME": home, "XDG_CACHE_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/e"})
    assert (moved.cache, moved.data, moved.config) == ("/c/appctl", "/d/appctl", "/e/appctl")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("defaults: {nmespace: x}\n", "unknown setting 'nmespace'"),
        ("defaults: [a]\n", "must be a map"),
        ("- a\n", "must be a map"),
        ("a: [\n", "did not find"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_place(text: str, says: str, home: str) -> None:
    configure(home, text)
    with pytest.raises(errors.AppError) as refused:
        read(home)
    assert says in str(refused.value)


def test_an_empty_configuration_is_none(home: str) -> None:
    configure(home, "")
    assert read(home) == {}


@pytest.mark.slow
def test_every_flag_can_be_given_by_its_variable(home: str) -> None:
    document = WEB.replace("{image:", "{imagee: x, image:")
    assert running.appctl("render", "-", home=home, stdin=document).code == 2
    done = running.appctl(
        "render",
        "-",
        home=home,
        stdin=document,
        env={
            "APPCTL_SET": "web.image=example/web:2",
            "APPCTL_NAMESPACE": "team",
            "APPCTL_OUTPUT": "json",
            "APPCTL_LENIENT": "true",
            "APPCTL_KUBE_VERSION": "1.30",
        },
    )
    assert done.code == 0, done.err
    body = json.loads(done.out)["items"][0]
    assert body["metadata"]["namespace"] == "team"
    assert body["spec"]["template"]["spec"]["containers"][0]["image"] == "example/web:2"
    wins = running.appctl("render", "-", "-o", "name", home=home, stdin=WEB, env={"APPCTL_OUTPUT": "json"})
    assert wins.out == "deployment/web\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("APPCTL_QUIET", "perhaps", "the environment sets --quiet to 'perhaps'; write true or false"),
        ("APPCTL_OUTPUT", "xml", "choose from table, json, yaml, name"),
        ("APPCTL_LIMIT", "many", "the environment sets --limit to 'many', which is not a number"),
    ],
)
def test_a_variable_with_a_wrong_value_is_refused_as_the_flag_would_be(
    variable: str, value: str, says: str, home: str
) -> None:
    done = running.appctl("list", home=home, env={variable: value})
    assert done.code == 64
    assert says in done.err


@pytest.mark.slow
def test_config_shows_what_holds_and_where_it_comes_from(home: str) -> None:
    configure(home, "defaults: {namespace: filed}\n")
    done = running.appctl("config", "show", "-o", "json", home=home, env={"APPCTL_TIMEOUT": "5m"})
    rows = {row["name"]: (row["value"], row["origin"]) for row in json.loads(done.out)["items"]}
    assert rows["namespace"] == ("filed", f"{home}/.config/appctl/config.yaml")
    assert rows["timeout"] == ("5m", "the environment, APPCTL_TIMEOUT")
    assert rows["store"] == (None, "default")
    assert set(rows) == set(settings.KNOWN)
    table = running.appctl("config", "show", "--origin", home=home)
    assert "ORIGIN" in table.out
    paths = json.loads(running.appctl("config", "path", "-o", "json", home=home).out)
    assert paths["data"] == f"{home}/.local/share/appctl"


@pytest.mark.slow
def test_the_namespace_of_the_file_is_the_default_of_every_command(home: str) -> None:
    seeded.deliver(home, WEB.replace("{name: shop}", "{name: shop, namespace: team}"))
    configure(home, "defaults: {namespace: team}\n")
    assert running.appctl("list", "-o", "name", home=home).out == "application/team/shop\n"
    assert running.appctl("status", "shop", home=home).code == 0
    assert running.appctl("status", "shop", "-n", "default", home=home).code == 2
