"""Rows of Tables.  Every kind's cells were compared with those of a real server; here are the rules that are easily lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from in_process import TABLE, Client, cluster, commit

from appdelivery.sandbox import kinds
from appdelivery.sandbox.http.printers import jsonpath, pods, rows, words, workloads

NOW = datetime(2026, 1, 10, tzinfo=UTC)


def ago(**time: float) -> str:
    return (NOW - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "<invalid>"), (-0.5, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"), (3 * 3600 - 1, "179m"),
     (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (8 * 3600, "8h"), (47 * 3600, "47h"), (2 * 86400, "2d"), (2 * 86400 + 3600, "2d1h"),
     (8 * 86400, "8d"), (700 * 86400, "700d"), (800 * 86400, "2y70d"), (8 * 365 * 86400, "8y")],
)  # fmt: skip
def test_ages_are_coarser_the_larger_they_are(seconds, said):
    assert words.duration(seconds) == said


def pod(*, phase: str = "Running", containers=(), initial=(), deleted: bool = False, sidecar: bool = False, **said) -> list:
    """The cells of a pod whose containers are in these states."""
    spec = {
        "containers": [{"name": f"c{index}"} for index, _ in enumerate(containers)],
        "initContainers": [
            {"name": f"i{index}", **({"restartPolicy": "Always"} if sidecar else {})} for index, _ in enumerate(initial)
        ],
    }
    status = {
        "phase": phase,
        "containerStatuses": [{"name": f"c{index}", **one} for index, one in enumerate(containers)],
        "initContainerStatuses": [{"name": f"i{index}", **one} for index, one in enumerate(initial)],
        **said,
    }
    metadata = {"name": "p", "creationTimestamp": ago(minutes=5)}
    if deleted:
        metadata["deletionTimestamp"] = ago(seconds=1)
    return pods.pod({"metadata": metadata, "spec": spec, "status": status}, NOW)[1:4]


RUNS = {"ready": True, "state": {"running": {}}}
STARTS = {"state": {"waiting": {"reason": "ContainerCreating"}}}
CRASHES = {
    "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "finishedAt": ago(seconds=42)}},
}  # fmt: skip
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
FAILED = {"state": {"terminated": {"exitCode": 3}}}
KILLED = {"state": {"terminated": {"exitCode": 137, "signal": 9}}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"containers": [RUNS, RUNS]}, ["2/2", "Running", "0"]),
        ({"containers": [STARTS], "phase": "Pending"}, ["0/1", "ContainerCreating", "0"]),
        ({"containers": [CRASHES]}, ["0/1", "CrashLoopBackOff", "3 (42s ago)"]),
        ({"containers": [DONE], "phase": "Succeeded"}, ["0/1", "Completed", "0"]),
        ({"containers": [FAILED], "phase": "Failed"}, ["0/1", "ExitCode:3", "0"]),
        ({"containers": [KILLED], "phase": "Failed"}, ["0/1", "Signal:9", "0"]),
        ({"containers": [RUNS, DONE], "conditions": [{"type": "Ready", "status": "True"}]}, ["1/2", "Running", "0"]),
        ({"containers": [DONE, RUNS], "conditions": [{"type": "Ready", "status": "True"}]}, ["1/2", "Running", "0"]),
        ({"containers": [DONE, RUNS]}, ["1/2", "NotReady", "0"]),
        ({"containers": [STARTS], "initial": [DONE, STARTS], "phase": "Pending"}, ["0/1", "Init:ContainerCreating", "0"]),
        ({"containers": [STARTS], "initial": [DONE, RUNS], "phase": "Pending"}, ["0/1", "Init:1/2", "0"]),
        ({"containers": [STARTS], "initial": [FAILED], "phase": "Pending"}, ["0/1", "Init:ExitCode:3", "0"]),
        ({"containers": [RUNS], "initial": [{**RUNS, "started": True}], "sidecar": True}, ["2/2", "Running", "0"]),
        ({"containers": [RUNS], "deleted": True}, ["1/1", "Terminating", "0"]),
        ({"containers": [RUNS], "deleted": True, "reason": "NodeLost"}, ["1/1", "Unknown", "0"]),
        ({"phase": "Failed", "reason": "Evicted"}, ["0/0", "Evicted", "0"]),
        ({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
         ["0/0", "SchedulingGated", "0"]),
    ],
)  # fmt: skip
def test_the_status_of_a_pod_is_that_of_its_worst_container(given, said):
    assert pod(**given) == said


def test_a_deployment_shows_how_far_it_is():
    body = {
        "metadata": {"name": "web", "creationTimestamp": ago(hours=9)},
        "spec": {
            "replicas": 3,
            "selector": {
                "matchLabels": {"b": "1"},
                "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}],
            },
            "template": {"spec": {"containers": [{"name": "m", "image": "i:1"}, {"name": "n", "image": "j:2"}]}},
        },
        "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
    }
    assert workloads.deployment(body, NOW) == ["web", "1/3", 2, 1, "9h", "m,n", "i:1,j:2", "a in (x,y),b=1"]


def test_an_autoscaler_shows_two_metrics_and_counts_the_rest():
    resource = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    per_pod = {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "5"}}}
    body = {
        "metadata": {"name": "h", "creationTimestamp": ago(seconds=3)},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "maxReplicas": 4,
            "metrics": [resource, per_pod, resource],
        },
        "status": {
            "currentReplicas": 2,
            "currentMetrics": [{"type": "Resource", "resource": {"current": {"averageUtilization": 7}}}],
        },
    }
    assert workloads.autoscaler(body, NOW) == [
        "h", "Deployment/web", "cpu: 7%/50%, <unknown>/5 + 1 more...", "<unset>", 4, 2, "3s",
    ]  # fmt: skip


def test_a_custom_kind_is_printed_by_its_own_columns():
    columns = [
        {"name": "Name", "type": "string", "format": "name", "priority": 0},
        {"name": "Size", "type": "integer", "priority": 0, "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "priority": 0, "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "First", "type": "string", "priority": 0, "jsonPath": ".spec.list[0]"},
        {"name": "Dotted", "type": "string", "priority": 0, "jsonPath": r".metadata.labels.example\.org/x"},
        {"name": "None", "type": "string", "priority": 0, "jsonPath": ".spec.nothing"},
        {"name": "On", "type": "boolean", "priority": 0, "jsonPath": ".spec.on"},
        {"name": "Map", "type": "string", "priority": 0, "jsonPath": ".spec.map"},
        {"name": "Age", "type": "date", "priority": 0, "jsonPath": ".metadata.creationTimestamp"},
    ]
    entry = {"resource": "ws", "responseKind": {"kind": "W"}, "scope": "Namespaced", "verbs": ["list"]}
    body = {
        "metadata": {"name": "w", "labels": {"example.org/x": "dotted"}, "creationTimestamp": ago(seconds=9)},
        "spec": {"size": 3, "list": ["one", "two"], "on": True, "map": {"a": 1}},
        "status": {"conditions": [{"type": "Other", "status": "No"}, {"type": "Ready", "status": "Yes"}]},
    }
    kind = kinds.Kind("example.org", "v1", entry, {}, columns=columns)
    assert rows.cells(kind, body, NOW) == ["w", 3, "Yes", "one", "dotted", None, True, '{"a":1}', "9s"]


@pytest.mark.parametrize(
    ("path", "found"),
    [(".a.b", [1]), ("{.a.b}", [1]), ("$.a['b']", [1]), (".l[*].n", [1, 2]), (".l[-1].n", [2]), (".l[5]", []), (".x.y", []),
     (".l[?(@.n==2)].s", ["z"]), (".l[?(@.n!=2)].s", ["y"]), (".l[?(", []), (".a.*", [1])],
)  # fmt: skip
def test_paths_lead_where_they_say(path, found):
    assert jsonpath.find({"a": {"b": 1}, "l": [{"n": 1, "s": "y"}, {"n": 2, "s": "z"}]}, path) == found


async def test_a_table_brings_along_what_is_asked_for():
    made = cluster()
    commit(made, "v1", "Pod", {"metadata": {"name": "p", "namespace": "team"}, "spec": {}, "status": {"phase": "Failed"}})
    client = Client(made)
    path = "/api/v1/namespaces/team/pods"
    row = (await client.get(path, accept=TABLE)).json["rows"][0]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["conditions"][0]["message"] == "The pod failed."
    assert (await client.get(f"{path}?includeObject=Object", accept=TABLE)).json["rows"][0]["object"]["kind"] == "Pod"
    assert (await client.get(f"{path}/p?includeObject=None", accept=TABLE)).json["rows"][0]["object"] is None
    reply = await client.get(f"{path}?includeObject=Foo", accept=TABLE)
    assert reply.message == (
        "Unable to convert to Table as requested: includeObject: Invalid value: \"Foo\": must be 'Metadata', 'Object', 'None', or empty"
    )


async def test_every_kind_that_can_be_listed_has_as_many_cells_as_columns():
    made = cluster()
    for kind in made.kinds:
        if "list" in kind.verbs:
            body = {"metadata": {"name": "x", "creationTimestamp": ago(seconds=1)}}
            assert len(rows.cells(kind, body, NOW)) == len(kind.columns), kind
