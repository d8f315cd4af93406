"""appctl sandbox as a process: it starts, is found, survives a kill, says what is wrong, and ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest
import running
import yaml

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path):
    yield str(tmp_path)
    folder = f"{tmp_path}/.local/share/appctl/sandbox"
    if os.path.exists(f"{folder}/running.json"):
        running.appctl("sandbox", "stop", home=str(tmp_path))


def sandbox(*words, home, **more):
    return running.appctl("sandbox", *words, home=home, **more)


def place(home, name=""):
    return f"{home}/.local/share/appctl/sandbox/{name}"


def told(home):
    with open(place(home, "running.json")) as file:
        return json.load(file)


def ask(home, path, body=None, *, cluster=0, user="admin"):
    """What a client with the kubeconfig gets: (status, JSON)."""
    with open(place(home, "kubeconfig")) as file:
        config = yaml.safe_load(file)
    server = config["clusters"][cluster]["cluster"]["server"]
    token = next(one["user"]["token"] for one in config["users"] if one["name"] == user)
    request = urllib.request.Request(
        server + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    trust = ssl.create_default_context(cafile=place(home, "authority.crt"))
    try:
        with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def config_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def test_three_clusters_start_are_found_and_end(home):
    started = sandbox("start", "--preset", "multi-region", home=home)
    assert started.code == 0, started.err
    assert [line.split()[0] for line in started.out.splitlines()[1:]] == ["sandbox-1", "sandbox-2", "sandbox-3"]
    path = place(home, "kubeconfig")
    assert f"export KUBECONFIG={path}" in started.err
    with open(path) as file:
        config = yaml.safe_load(file)
    assert [one["name"] for one in config["contexts"]] == ["sandbox-1", "sandbox-2", "sandbox-3"]
    assert config["current-context"] == "sandbox-1"
    regions = [ask(home, "/api/v1/nodes", cluster=n)[1]["items"][0]["metadata"]["labels"] for n in range(3)]
    assert len({labels["topology.kubernetes.io/region"] for labels in regions}) == 3
    assert ask(home, "/api/v1/pods", user="nobody")[0] == 403

    shown = sandbox("status", "-o", "json", home=home)
    assert shown.code == 0
    answer = json.loads(shown.out)
    assert [one["name"] for one in answer["clusters"]] == ["sandbox-1", "sandbox-2", "sandbox-3"]
    assert (answer["kubeconfig"], answer["pid"]) == (path, told(home)["pid"])
    again = sandbox("start", home=home)
    assert again.code == 2
    assert f"one runs already as process {told(home)['pid']}" in again.err
    assert config["clusters"][0]["cluster"]["server"] in again.err

    assert sandbox("stop", home=home).code == 0
    assert sandbox("status", home=home).code == 1
    assert "no sandbox is running" in sandbox("stop", home=home).err


def test_its_files_are_for_their_owner_alone(home):
    assert sandbox("start", home=home).code == 0
    assert {stat.S_IMODE(os.stat(folder).st_mode) for folder in (place(home), f"{place(home)}/..")} == {0o700}
    secret = ("kubeconfig", "identity.json", "tls.key", "running.json", "log")
    assert {stat.S_IMODE(os.stat(place(home, name)).st_mode) for name in secret} == {0o600}


def writing(home, acknowledged):
    """Makes ConfigMaps one after the other until the sandbox is gone."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        for number in range(100_000):
            name = f"a-{number}"
            assert ask(home, CONFIG_MAPS, config_map(name), cluster=1)[0] == 201
            acknowledged.append(name)


def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged(home):
    started = sandbox("start", "--state", "clusters.db", "--clusters", "2", home=home, cwd=home)
    assert started.code == 0, started.err
    before = told(home)
    acknowledged = []
    writer = threading.Thread(target=writing, args=(home, acknowledged))
    writer.start()
    while len(acknowledged) < 40:
        assert writer.is_alive()
        writer.join(0.01)
    os.kill(before["pid"], signal.SIGKILL)
    writer.join()
    again = sandbox("start", "--state", "clusters.db", home=home, cwd=home)
    assert again.code == 0, again.err
    assert told(home)["clusters"] == before["clusters"]  # names and ports: a kubeconfig of before is still good
    _, found = ask(home, CONFIG_MAPS, cluster=1)
    names = {item["metadata"]["name"] for item in found["items"]} - {"kube-root-ca.crt"}
    assert names >= set(acknowledged)
    assert len(names) <= len(acknowledged) + 1  # the one that was on its way


def test_without_a_state_file_clusters_keep_who_they_are(home):
    assert sandbox("start", home=home).code == 0
    before = ask(home, "/api/v1/namespaces/kube-system")[1]["metadata"]["uid"]
    ask(home, CONFIG_MAPS, config_map("a"))
    sandbox("stop", home=home)
    assert sandbox("start", home=home).code == 0
    assert ask(home, "/api/v1/namespaces/kube-system")[1]["metadata"]["uid"] == before
    assert ask(home, f"{CONFIG_MAPS}/a")[0] == 404


def test_things_go_wrong_on_demand(home):
    assert sandbox("start", home=home).code == 0
    add = sandbox("fault", "add", "status=503", "--verbs", "get", "--kinds", "configmaps", "--count", "1", home=home)
    assert (add.code, add.out) == (0, "fault-1\n")
    assert ask(home, f"{CONFIG_MAPS}/a")[0] == 503
    assert ask(home, f"{CONFIG_MAPS}/a")[0] == 404
    (row,) = json.loads(sandbox("fault", "list", "-o", "json", home=home).out)["items"]
    assert (row["fault"], row["left"], row["struck"]) == ("status=503", 0, 1)
    assert sandbox("fault", "clear", "fault-1", home=home).code == 0

    sandbox("fault", "add", "login", home=home)
    assert ask(home, "/api/v1/pods")[0] == 401
    assert sandbox("kubeconfig", "--login", home=home).out == place(home, "kubeconfig") + "\n"
    assert ask(home, "/api/v1/pods")[0] == 200

    assert sandbox("speed", "10", home=home).out == "10\n"
    ask(home, CONFIG_MAPS, config_map("a"))
    assert sandbox("reset", home=home).code == 0
    assert ask(home, f"{CONFIG_MAPS}/a")[0] == 404


def test_nodes_are_those_of_a_file(home):
    with open(f"{home}/nodes.yaml", "w") as file:
        file.write(
            "apiVersion: v1\nkind: Node\nmetadata: {name: big}\n"
            "status: {capacity: {cpu: '64', memory: 256Gi, pods: '110', example.com/fpga: '4'}}\n"
        )
    assert sandbox("start", "--nodes", "nodes.yaml", home=home, cwd=home).code == 0
    (node,) = ask(home, "/api/v1/nodes")[1]["items"]
    assert node["status"]["allocatable"]["example.com/fpga"] == "4"


def test_in_the_foreground_it_ends_with_ctrl_c(home):
    environment = {"PATH": os.environ["PATH"], "HOME": home}
    words = [sys.executable, "-m", "appdelivery.cli", "sandbox", "start", "--foreground"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout.readline().startswith("NAME")
        assert process.stdout.readline().startswith("sandbox ")
        assert ask(home, "/version")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert not os.path.exists(place(home, "running.json"))


BROKEN = "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nstatus: {capacity: {cpu: lots}}\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--preset", "smal"], 64, "there is no preset 'smal'; there are gpu, multi-region, small"),
        (["--nodes", "broken.yaml"], 2, "node 'a': status.capacity.cpu"),
        (["--nodes", "no.yaml"], 2, "read nodes from"),
        (["--nodes", "syntax.yaml"], 2, "syntax.yaml"),
        (["--nodes", "nodes.yaml", "--preset", "gpu"], 64, "name one"),
        (["--state", "text.db"], 2, "damaged or no state file"),
        (["--state", "no/such/folder.db"], 2, "No such file or directory"),
        (["--port", "TAKEN"], 2, "the port is in use"),
        (["--port", "70000"], 64, "a port is"),
        (["--clusters", "1000"], 64, "1 to 50 clusters"),
        (["--speed", "101"], 64, "the speed is 0 to 100"),
        (["--speed", "fast"], 64, "invalid float value"),
        (["now"], 64, "sandbox start takes no 'now'"),
    ],
)
def test_bad_input_is_an_error_with_its_reason(home, words, code, said):
    for name, text in (("broken.yaml", BROKEN), ("text.db", "no database" * 500), ("syntax.yaml", "a: [")):
        with open(f"{home}/{name}", "w") as file:
            file.write(text)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = [str(taken.getsockname()[1]) if word == "TAKEN" else word for word in words]
        done = sandbox("start", *words, home=home, cwd=home)
    assert (done.code, done.out) == (code, ""), done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert sandbox("status", home=home).code == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["reset"], 2, "no sandbox is running"),
        (["kubeconfig"], 2, "no sandbox is running"),
        (["speed", "5"], 2, "no sandbox is running"),
        (["fault", "list"], 2, "no sandbox is running"),
        (["fault", "add"], 64, "add KIND[=VALUE], list or clear [ID] is expected"),
        (["fault", "add", "delay=x"], 64, "'x' is no number"),
        (["restart"], 64, "invalid choice: 'restart'"),
    ],
)
def test_without_a_sandbox_there_is_nothing_to_tell(home, words, code, said):
    done = sandbox(*words, home=home)
    assert done.code == code
    assert said in done.err


APP = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: web}
spec:
  components: [{name: web, type: webservice, properties: {image: "nginx:1.27"}}]
"""


def test_without_a_kubeconfig_appctl_uses_the_sandbox_and_says_so(home):
    with open(f"{home}/app.yaml", "w") as file:
        file.write(APP)
    nothing = running.appctl("up", "app.yaml", home=home, cwd=home)
    assert nothing.code == 2
    assert "appctl sandbox start" in nothing.err

    assert sandbox("start", "--clusters", "2", home=home).code == 0
    done = running.appctl("up", "app.yaml", home=home, cwd=home)
    assert done.code == 0, done.err
    assert done.err.count("using the sandbox on this computer") == 1
    assert ask(home, "/apis/apps/v1/namespaces/default/deployments/web")[0] == 200
    other = running.appctl("plan", "app.yaml", "--cluster", "sandbox-2", "-q", home=home, cwd=home)
    assert "using the sandbox" not in other.err

    kubeconfig = f"{home}/other"
    elsewhere = running.appctl("plan", "app.yaml", home=home, cwd=home, env={"KUBECONFIG": kubeconfig})
    assert elsewhere.code == 2  # a kubeconfig that was asked for is not replaced by anything
    assert "using the sandbox" not in elsewhere.err


def test_of_two_starts_at_once_one_wins(home):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        both = sorted(pool.map(lambda _: sandbox("start", home=home), range(2)), key=lambda done: done.code)
    assert [done.code for done in both] == [0, 2], [done.err for done in both]
    assert "one runs already" in both[1].err
    assert sandbox("status", home=home).code == 0
