"""--set, --set-string, --set-json, --set-file and --values by the real command: order, files, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import running

pytestmark = pytest.mark.slow
WEB = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - name: web
      type: webservice
      properties:
        image: example/web:1
        env: [{name: A, value: one}]
"""


def container(tmp_path, *words: str, stdin: str = WEB) -> dict[str, Any]:
    done = running.appctl("render", "-", "-o", "json", *words, home=str(tmp_path), cwd=str(tmp_path), stdin=stdin)
    assert done.code == 0, done.err
    body = json.loads(done.out)["items"][0]
    return dict(body["spec"]["template"]["spec"]["containers"][0])


def test_properties_are_set_typed_by_the_schema(tmp_path) -> None:
    words = ["--set", "web.image=example/web:1.10", "--set", "web.env[1].name=B,web.env[1].value=2"]
    made = container(tmp_path, *words, "--set", "web.cmd={sleep,10}", "--set-json", 'web.args=["x"]')
    assert made["image"] == "example/web:1.10"
    assert made["env"] == [{"name": "A", "value": "one"}, {"name": "B", "value": "2"}]
    assert made["command"] == ["sleep", "10"]
    assert made["args"] == ["x"]


def test_values_come_first_and_the_last_wins(tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("web: {image: example/web:a, cmd: [a]}\n")
    (tmp_path / "b.yaml").write_text("web: {image: example/web:b}\n")
    made = container(tmp_path, "--values", "a.yaml", "--values", "b.yaml")
    assert (made["image"], made["command"]) == ("example/web:b", ["a"])
    made = container(tmp_path, "--set", "web.image=example/web:set", "--values", "b.yaml")
    assert made["image"] == "example/web:set"


def test_a_files_text_is_set_as_it_is(tmp_path) -> None:
    (tmp_path / "text").write_text("{a: 1}, \\x\n")
    made = container(tmp_path, "--set-file", "web.env[0].value=text")
    assert made["env"][0]["value"] == "{a: 1}, \\x\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--set", "web.imgae=x"], 2, "--set web.imgae: unknown property 'imgae', did you mean 'image'?"),
        (["--set", "wbe.image=x"], 64, "there is no component 'wbe', did you mean 'web'?"),
        (["--set-file", "web.image=nope"], 64, "--set-file nope: No such file or directory"),
        (["--set-file", "web.image=binary"], 64, "--set-file binary: it is not UTF-8 text"),
        (["--values", "nope.yaml"], 64, "--values nope.yaml: No such file or directory"),
        (["--values", "broken.yaml"], 2, "broken.yaml:1:"),
        (["--set", "web.env[0].value={x"], 64, "--set web.env[0].value: a list does not end with '}'"),
    ],
)
def test_what_cannot_be_set_is_said_by_flag_and_path(words: list[str], code: int, says: str, tmp_path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "broken.yaml").write_text("web: [\n")
    done = running.appctl("render", "-", *words, home=str(tmp_path), cwd=str(tmp_path), stdin=WEB)
    assert done.code == code, done.err
    assert says in done.err
    assert done.out == ""
