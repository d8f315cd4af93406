"""Secret values: set through standard input, kept sealed, and never printed by any command in any form."""

from __future__ import annotations

import base64
import gzip
import json
import os
from typing import Any

import pytest
import running
import seeded

pytestmark = pytest.mark.slow
CANARIES = ("canary-first-hunter", "canary-second-hunter", "canary-third-hunter")
VAULT = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: vault}
spec:
  components:
    - name: settings
      type: config
      properties:
        configMaps: {plain: {mode: fast}}
        secrets: {db-auth: {password: CANARY, pin: "8421", made: {$generate: 24}, kept: {$secretRef: {key: token}}}}
    - name: objects
      type: k8s-objects
      properties:
        objects:
          - {apiVersion: v1, kind: Secret, metadata: {name: raw}, stringData: {a: CANARY}}
          - {apiVersion: v1, kind: Secret, metadata: {name: encoded}, data: {a: ENCODED}}
"""


def vault(canary: str) -> str:
    return VAULT.replace("CANARY", canary).replace("ENCODED", base64.b64encode(canary.encode()).decode())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    home = str(tmp_path_factory.mktemp("home"))
    seeded.deliver(home, vault(CANARIES[0]))
    seeded.deliver(home, vault(CANARIES[1]), health="degraded", outcome="failed", message="it broke")
    with open(f"{home}/vault.yaml", "w", encoding="utf-8") as file:
        file.write(vault(CANARIES[2]))
    return home


def leaks(text: str) -> list[str]:
    encoded = [base64.b64encode(canary.encode()).decode() for canary in CANARIES]
    return [word for word in (*CANARIES, *encoded) if word in text]


@pytest.mark.parametrize(
    "words",
    [
        "render vault.yaml",
        "render vault.yaml -o json --debug",
        "validate vault.yaml -o json",
        "plan vault.yaml --local -o json",
        "diff vault.yaml --local",
        "diff vault.yaml --revision 1 -o yaml --debug",
        "show vault",
        "show vault -o json --revision 1",
        "show vault --manifests",
        "show vault --release 2 -o json",
        "compare vault 1 2",
        "compare vault 1 2 -o json",
        "events -o json",
        "up vault.yaml --debug",
        "render vault.yaml --set settings.secrets.x=1 --set settings.nope=canary-first-hunter",
    ],
)
def test_no_value_is_printed(words: str, home: str) -> None:
    done = running.appctl(*words.split(), home=home, cwd=home)
    assert done.code in (0, 1, 2), done.err
    assert leaks(done.out + done.err) == []
    if words.startswith(("render vault.yaml", "show", "compare", "diff")) and done.code in (0, 1) and "release" not in words:
        assert "<redacted" in done.out, "the secret was not even shown as a mask"


def test_equal_values_look_equal_and_others_do_not(home: str) -> None:
    def masks(revision: int) -> dict[str, Any]:
        done = running.appctl("show", "vault", "--revision", str(revision), "-o", "json", home=home)
        shown = json.loads(done.out)
        settings, objects = shown["application"]["spec"]["components"]
        return {
            "given": settings["properties"]["secrets"]["db-auth"]["password"],
            "pin": settings["properties"]["secrets"]["db-auth"]["pin"],
            "made": settings["properties"]["secrets"]["db-auth"]["made"],
            "raw": objects["properties"]["objects"][0]["stringData"]["a"],
            "encoded": objects["properties"]["objects"][1]["data"]["a"],
            "plain": settings["properties"]["configMaps"]["plain"]["mode"],
        }

    first, second = masks(1), masks(2)
    assert first["given"] == first["raw"] == first["encoded"] != second["given"]
    assert first["pin"] == second["pin"] != "8421"
    assert first["made"] == {"$generate": 24}
    assert first["plain"] == "fast"


def test_no_value_lies_in_a_file_in_clear(home: str) -> None:
    assert running.appctl("db", "backup", f"{home}/backup.gz", home=home).code == 0
    texts = {"backup": gzip.open(f"{home}/backup.gz", "rb").read()}
    for folder, _, names in os.walk(home):
        for name in names:
            if name != "vault.yaml":
                with open(f"{folder}/{name}", "rb") as file:
                    texts[f"{folder}/{name}"] = file.read()
    found = {name: leaks(data.decode("latin-1")) for name, data in texts.items()}
    assert {name: words for name, words in found.items() if words} == {}
    store = f"{home}/.local/share/appctl"
    for name in os.listdir(store):
        assert os.stat(f"{store}/{name}").st_mode & 0o077 == 0, name


def test_values_are_shown_only_when_asked_for_and_only_those_of_the_document(home: str) -> None:
    done = running.appctl("render", "vault.yaml", "--show-secrets", home=home, cwd=home)
    assert f"password: {CANARIES[2]}" in done.out
    assert "<redacted" in done.out, "a generated value does not exist before the first release"


def test_masked_output_is_refused_as_input(home: str) -> None:
    shown = running.appctl("show", "vault", "-o", "json", home=home)
    document = json.dumps(json.loads(shown.out)["application"])
    done = running.appctl("render", "-", home=home, stdin=document)
    assert done.code == 2
    assert "masked text" in done.err


def test_secrets_are_set_listed_and_removed(tmp_path) -> None:
    home = str(tmp_path)
    done = running.appctl("secret", "set", "token", home=home, stdin=CANARIES[0])
    assert (done.code, done.out) == (0, "")
    assert "stored as version 1" in done.err
    (tmp_path / "value").write_text(CANARIES[1])
    words = ["secret", "set", "token", "--from-file", f"{home}/value"]
    assert "stored as version 2" in running.appctl(*words, home=home).err
    own = running.appctl("secret", "set", "token", "--app", "shop/web", home=home, stdin="x")
    assert "stored as version 1" in own.err
    listed = running.appctl("secret", "list", "-o", "json", home=home)
    rows = [(row["name"], row["owner"], row["version"]) for row in json.loads(listed.out)["items"]]
    assert ("token", "installation", 2) in rows
    assert ("token", "shop/web", 1) in rows
    assert leaks(listed.out) == []
    assert running.appctl("secret", "list", "-o", "name", home=home).out.startswith("secret/token\n")
    assert "removed (2 versions)" in running.appctl("secret", "remove", "token", home=home).err
    gone = running.appctl("secret", "remove", "token", home=home)
    assert (gone.code, "there is none of that name" in gone.err) == (2, True)
    assert running.appctl("secret", "remove", "token", "--app", "shop/web", home=home).code == 0


@pytest.mark.parametrize(
    ("words", "stdin", "code", "says"),
    [
        (["secret", "set", "token"], "", 64, "standard input is empty"),
        (["secret", "set", "token", "value"], "x", 64, "unrecognized arguments"),
        (["secret", "set", "token", "--from-file", "nope"], "", 64, "--from-file nope"),
        (["secret", "set", "token"], "x" * (1 << 20) + "y", 2, "the limit is"),
        (["secret", "set", "Not A Name"], "x", 2, "Not A Name"),
    ],
    ids=["nothing", "on the command line", "no file", "too large", "no name"],
)
def test_a_secret_that_cannot_be_kept_is_refused(words: list[str], stdin: str, code: int, says: str, tmp_path) -> None:
    done = running.appctl(*words, home=str(tmp_path), cwd=str(tmp_path), stdin=stdin)
    assert done.code == code, done.err
    assert says in done.err
