"""appctl cluster: what is typed wrongly is refused with what to do, lists show what must be seen, nothing secret is printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import running
import yaml

from appdelivery import cli
from appdelivery.platform import local
from appdelivery.store import clusters, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CANARY = "canary-7f3a91c0-never-shown"


@pytest.fixture
def appctl(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """One command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str) -> running.Done:
        code = cli.main(["cluster", *words])
        printed = capsys.readouterr()
        assert CANARY not in printed.out + printed.err
        return running.Done(code, printed.out, printed.err)

    return run


@pytest.fixture
def registered() -> None:
    """Two clusters that nobody can reach: one well, one without verification, whose credentials end soon."""
    p = local.open_store(local.Options(), mode="write")
    try:
        soon = (datetime.now(UTC) + timedelta(days=3, hours=1)).isoformat()
        for name, more in {
            "eu-1": {"labels": {"env": "prod"}, "description": {"region": "eu-west-1"}},
            "us-1": {"labels": {"env": "test"}, "insecure": True, "probe": {"expires": soon}},
        }.items():
            clusters.add(
                p.store, name=name, uid=f"uid-{name}", server=f"https://{name}:6443", auth="token",
                credentials={"server": f"https://{name}:6443", "token": CANARY}, server_version="v1.36.0", actor=p.actor, **more,
            )  # fmt: skip
    finally:
        p.store.close()


# --- what is typed wrongly ---

CONFIG = """apiVersion: v1
clusters: [{name: x, cluster: {server: "https://127.0.0.1:1", insecure-skip-tls-verify: %s}}]
users: [{name: x, user: {%s}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
current-context: x
"""
TOKEN = f"token: {CANARY}"

WRONG: list[tuple[str, int, str]] = [
    ("shwo eu-1", 64, "invalid choice: 'shwo'"),
    ("show", 64, "cluster show: which one?"),
    ("rename eu-1", 64, "one new name is expected"),
    ("rename eu-1 a b", 64, "one new name is expected"),
    ("cordon eu-1 us-1", 64, "cluster cordon takes no 'us-1'"),
    ("show eu1", 2, "find cluster eu1: it is not known, did you mean 'eu-1'?"),
    ("cordon eu-2 --reason x", 2, "did you mean 'eu-1'?"),
    ("uncordon nowhere", 2, "known: eu-1, us-1"),
    ("forget eu1 --yes", 2, "did you mean 'eu-1'?"),
    ("forget eu-1", 2, "somebody has to agree"),
    ("label eu1 a=b", 2, "did you mean 'eu-1'?"),
    ("label eu-1", 64, "KEY=VALUE or KEY-"),
    ("label eu-1 a", 64, "'a' is not a label"),
    ("label eu-1 a=b=c", 64, "is not the value of a label"),
    ("label eu-1 env=test", 2, "it has env=prod already"),
    ("taint eu-1 a:NoSchedule", 64, "'NoSchedule' is not an effect"),
    ("rename eu-1 us-1", 2, "there is a cluster us-1 already"),
    ("rename eu-1 EU_2", 2, "for example eu-2"),
    ("list eu1", 2, "did you mean 'eu-1'?"),
    ("list -l env=stage", 2, "none has these labels"),
    ("list -l a=b=c", 64, "is not the value of a label"),
    ("list --columns nope", 64, "there is no column 'nope'"),
    ("probe nowhere", 2, "find cluster 'nowhere': it is neither registered nor a context"),
    ("probe eu1", 2, "did you mean 'eu-1'?"),
    ("add", 64, "cluster add: which one?"),
    ("add EU_1 --from-kubeconfig config", 2, "for example eu-1"),
    ("add a.b --from-kubeconfig config", 2, "'a.b' is not a name"),
    ("add eu-9 --from-kubeconfig nowhere", 2, "read kubeconfig nowhere: No such file"),
    ("add eu-9 --from-kubeconfig broken", 2, "broken:1"),
    ("add eu-9 --from-kubeconfig broken-token", 2, "broken-token:2"),
    ("add eu-9 --from-kubeconfig empty", 2, "this is no kubeconfig"),
    ("add eu-9 --from-kubeconfig config --from-context y", 2, "the kubeconfig has no context 'y'"),
    ("add eu-9 --from-kubeconfig config", 2, "register cluster eu-9: probe cluster eu-9: cannot reach https://127.0.0.1:1"),
    ("add eu-9 --from-kubeconfig loose", 2, "ask for it with --insecure-skip-tls-verify"),
    ("add eu-9 --from-kubeconfig plugin", 2, "--allow-exec aws"),
    ("add eu-9 --from-kubeconfig nobody", 2, "nothing to log in with"),
    ("add eu-9 --from-kubeconfig config -l a", 64, "register cluster eu-9: 'a' is not a label"),
    ("add eu-9 --from-kubeconfig config --region a/b", 64, "--region: 'a/b' is not the value of a label"),
    (
        "add eu-9 --server https://127.0.0.1:1 --from-kubeconfig config",
        64,
        "--server and --from-kubeconfig or --from-context both say",
    ),
    ("add eu-9 --in-cluster --server https://127.0.0.1:1", 64, "--server and --in-cluster both say"),
    ("add eu-9 --in-cluster", 2, "this is no pod"),
    ("add eu-9 --ca a", 64, "--ca belongs to --server"),
    ("add eu-9 --server 127.0.0.1", 64, "is not an address"),
    ("add eu-9 --server http://127.0.0.1:1 --token-file token", 64, "is not an address"),
    ("add eu-9 --server https://127.0.0.1:1", 2, "nothing to log in with"),
    ("add eu-9 --server https://127.0.0.1:1 --token-file nowhere", 2, "read token nowhere: No such file"),
    ("add eu-9 --server https://127.0.0.1:1 --client-key key", 64, "two files"),
    ("add eu-9 --server https://127.0.0.1:1 --ca token --token-file token", 2, "load the certificates"),
    ("add eu-9", 2, "does not exist"),
    ("add eu-9 -f good.yaml", 64, "the name stands in the document"),
    ("add -f good.yaml --region x", 64, "--region stands in the document"),
    ("add -f nowhere.yaml", 2, "there is no such file"),
    ("add -f bad.yaml", 2, "bad.yaml:4:26: expected one of NoPlace, PreferNoPlace, Evict"),
    ("add -f bad.yaml", 2, "bad.yaml:3:18: 'EU 1' is not a name"),
    ("add -f secret.yaml", 2, "a secret does not stand in a document"),
    ("add -f other.yaml", 2, "expected one of Cluster"),
    ("add -f good.yaml", 2, "it is not registered yet"),
]
HEAD = "apiVersion: appdelivery.dev/v1\nkind: Cluster\n"
FILES = {
    "config": CONFIG % ("false", TOKEN),
    "loose": CONFIG % ("true", TOKEN),
    "plugin": CONFIG % ("false", "exec: {command: aws, args: [eks]}"),
    "nobody": CONFIG % ("false", ""),
    "broken": "a: [",
    "broken-token": f"a: 1\n{TOKEN}: b\n",
    "empty": "",
    "token": CANARY,
    "good.yaml": HEAD + "metadata: {name: eu-9}\nspec: {region: a}\n",
    "bad.yaml": HEAD + "metadata: {name: EU 1}\nspec: {taints: [{effect: NoSchedule, key: a}]}\n",
    "secret.yaml": HEAD + f"metadata: {{name: eu-9}}\nspec: {{server: 'https://a', auth: {{token: {CANARY}}}}}\n",
    "other.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nspec: {}\n",
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "says"), WRONG, ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_refused_with_what_to_do(
    words: str, code: int, says: str, appctl: Callable[..., running.Done], registered: None, tmp_path: Path
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = appctl(*words.split())
    assert (done.code, done.out) == (code, ""), done.err
    assert says in done.err


def test_names_may_stand_behind_flags(appctl: Callable[..., running.Done], registered: None) -> None:
    assert appctl("cordon", "--reason", "disks", "eu-1").code == 0
    assert appctl("label", "eu-1", "--overwrite", "env=stage", "tier=gold").code == 0
    assert appctl("list", "-o", "name", "eu-*").out == "cluster/eu-1\n"
    assert appctl("label", "eu-1", "--no-such-flag", "env=stage").code == 64


# --- what is shown ---


def test_every_listing_says_whose_certificates_are_not_verified(
    appctl: Callable[..., running.Done], registered: None
) -> None:
    done = appctl("list")
    assert [line.split()[:2] for line in done.out.splitlines()] == [["NAME", "STATE"], ["eu-1", "ready"], ["us-1", "ready"]]
    assert "the server's certificate is not verified; its credentials end in 3 days" in done.out
    for words in (["list"], ["list", "--columns", "name"], ["list", "-o", "json"], ["list", "-o", "name"]):
        assert "warning: nobody proves who answers as us-1" in appctl(*words).err
    assert "warning" not in appctl("list", "eu-*").err


def test_a_list_is_chosen_by_names_and_labels(appctl: Callable[..., running.Done], registered: None) -> None:
    def names(*words: str) -> list[str]:
        return appctl("list", "-o", "name", *words).out.split()

    assert names() == ["cluster/eu-1", "cluster/us-1"]
    assert names("-l", "env=prod") == ["cluster/eu-1"]
    assert names("-l", "env in (test,stage)") == ["cluster/us-1"]
    assert names("eu-1,us-1", "-l", "env!=test") == ["cluster/eu-1"]


def test_what_people_say_is_shown_beside_what_probes_see(appctl: Callable[..., running.Done], registered: None) -> None:
    assert appctl("cordon", "eu-1", "--reason", "disk swap").code == 0
    shown = yaml.safe_load(appctl("show", "eu-1").out)
    assert (shown["state"], shown["people"]["state"], shown["people"]["reason"]) == ("cordoned", "cordoned", "disk swap")
    assert (shown["probes"]["state"], shown["credentials"]["kind"], shown["deployed"]) == ("ready", "token", [])
    assert shown["credentials"]["age"].endswith("s")
    (line,) = json.loads(appctl("list", "-o", "json", "eu-1").out)["items"]
    assert (line["state"], line["admin"], line["reach"]) == ("cordoned", "cordoned", "ready")
    assert line["message"].startswith("cordoned by ")
    assert appctl("cordon", "eu-1", "--reason", "disk swap").err == "cluster eu-1 is cordoned already\n"
    assert appctl("uncordon", "eu-1").code == 0
    assert yaml.safe_load(appctl("show", "eu-1").out)["state"] == "ready"


def test_labels_taints_and_names_are_changed(appctl: Callable[..., running.Done], registered: None) -> None:
    assert appctl("label", "eu-1", "tier=gold", "env-").code == 0
    assert appctl("label", "eu-1", "tier=silver", "--overwrite").code == 0
    assert appctl("taint", "eu-1", "team=ml:NoPlace").code == 0
    assert appctl("rename", "eu-1", "eu-main").code == 0
    shown = json.loads(appctl("show", "eu-main", "-o", "json").out)
    assert (shown["labels"], shown["taints"], shown["region"]) == (["tier=silver"], ["team=ml:NoPlace"], "eu-west-1")
    assert appctl("taint", "eu-main", "team-").code == 0
    assert json.loads(appctl("show", "eu-main", "-o", "json").out)["taints"] == []


def test_forgetting_says_what_stays_running(appctl: Callable[..., running.Done], registered: None) -> None:
    from store import making

    p = local.open_store(local.Options(), mode="write")
    making.delivered(p.journal, bodies=[making.config_map("a"), making.config_map("b")])
    registry.described(p.store, "east", lambda _: {"labels": {"a": "b"}}, actor=p.actor, message="seen")
    p.store.close()
    done = appctl("forget", "east")
    assert "forget cluster east, where 2 objects of ours keep running" in done.err
    done = appctl("forget", "east", "--yes")
    assert done.err.splitlines() == [
        "cluster east forgotten; 2 objects of ours stay running there, history is kept",
        "  shop/web: 2 objects",
    ]
    assert "nothing of ours runs there" in appctl("forget", "eu-1", "--yes").err


def test_an_empty_registry_says_what_commands_use(appctl: Callable[..., running.Done]) -> None:
    done = appctl("list")
    assert (done.code, "commands use the kubeconfig's current context" in done.err) == (0, True)


def test_a_cluster_that_does_not_answer_ends_a_probe_with_one(appctl: Callable[..., running.Done], tmp_path: Path) -> None:
    """Nobody listens on port 1, and a context is probed like a registered cluster."""
    (tmp_path / "config").write_text(CONFIG % ("false", TOKEN))
    done = appctl("probe", "x", "--kubeconfig", "config", "-o", "json")
    told = json.loads(done.out)
    assert (done.code, told["state"], told["tries"], told["recorded"]) == (1, "unreachable", 3, None)
    assert "cannot reach https://127.0.0.1:1" in told["message"]


# --- the whole way, as processes ---


@pytest.mark.slow
def test_looking_at_the_registry_imports_no_library_of_clusters(registered: None) -> None:
    code = (
        "import sys; from appdelivery.cli import main; code = [main(['cluster', *w]) for w in (['list'], ['show', 'eu-1'],"
        " ['cordon', 'eu-1'], ['label', 'eu-1', 'a=b'])]; print(code, *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("[0, 0, 0, 0]")
    assert not {"aiohttp", "kr8s", "jinja2", "jsonschema", "alembic", "psycopg"} & set(last.split())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[str]:
    started = running.appctl("sandbox", "start", "--clusters", "2", home=str(tmp_path))
    assert started.code == 0, started.err
    yield str(tmp_path)
    running.appctl("sandbox", "stop", home=str(tmp_path))


@pytest.mark.slow
def test_clusters_of_a_sandbox_are_registered_probed_lost_and_forgotten(home: str) -> None:
    folder = f"{home}/.local/share/appctl/sandbox"
    with open(f"{folder}/kubeconfig") as file:
        config = yaml.safe_load(file)
    tokens = [one["user"]["token"] for one in config["users"]]
    printed: list[str] = []

    def cluster(*words: str, **more: Any) -> running.Done:
        done = running.appctl("cluster", *words, home=home, **more)
        printed.append(done.out + done.err)
        return done

    shutil.copy(f"{folder}/kubeconfig", f"{home}/given")
    assert (
        cluster("add", "eu-1", "--from-kubeconfig", f"{home}/given", "--from-context", "sandbox-1", "-l", "env=prod").code
        == 0
    )
    with open(f"{home}/token", "w") as file:
        file.write(config["users"][0]["user"]["token"])
    server = config["clusters"][1]["cluster"]["server"]
    pieces = ("--server", server, "--ca", f"{folder}/authority.crt", "--token-file", f"{home}/token")
    assert cluster("add", "eu-2", *pieces).code == 0
    os.unlink(f"{home}/given")  # credentials were copied
    os.unlink(f"{home}/token")
    probed = cluster("probe", "-o", "json", "--debug")
    assert probed.code == 0, probed.err
    assert [(one["name"], one["state"]) for one in json.loads(probed.out)["items"]] == [("eu-1", "ready"), ("eu-2", "ready")]

    fault = running.appctl("sandbox", "fault", "add", "partition", "--cluster", "sandbox-2", home=home)
    assert fault.code == 0, fault.err
    lost = cluster("probe")
    assert lost.code == 1
    assert cluster("probe", "eu-1").code == 0
    states = {one["name"]: one["state"] for one in json.loads(cluster("list", "-o", "json").out)["items"]}
    assert states == {"eu-1": "ready", "eu-2": "unreachable"}
    assert running.appctl("sandbox", "fault", "clear", home=home).code == 0
    assert cluster("probe", "eu-2").code == 0
    for words in (["show", "eu-1"], ["show", "eu-2", "-o", "json"], ["list"], ["forget", "eu-2", "--yes"]):
        assert cluster(*words).code == 0
    everything = "\n".join(printed)
    assert not [token for token in tokens if token in everything]
