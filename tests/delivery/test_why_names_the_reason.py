"""`why`: from the worst object down to a container and its last words, with few requests and nothing secret."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes import stage
from fakes.fleet import FakeFleet

from appdelivery import errors
from appdelivery.cli import why as shown
from appdelivery.delivery import causes, health
from appdelivery.delivery.why import Answer, as_tree, why
from appdelivery.model import marks
from appdelivery.model.history import Managed
from appdelivery.model.live import Health, KubeEvent, Live
from appdelivery.model.record import changed
from appdelivery.model.refs import ref_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
APP = stage.SHOP
OURS = {marks.NAME: APP.name, marks.NAMESPACE: APP.namespace}
WEB_PODS = {"app": "web"}


def fleet(*clusters: str) -> FakeFleet:
    return FakeFleet(clusters=clusters or ("one",), namespaces=("default", "shop"), weather="still", clock=lambda: NOON)


def put(
    to: FakeFleet, body: dict[str, Any], status: dict[str, Any] | None = None, cluster: str = "", **labels: str
) -> Managed:
    """An object of the application as a cluster has it, and its row of the inventory."""
    body["metadata"]["labels"] = {**OURS, **labels}
    to.foreign(body, cluster=cluster)
    if status is not None:
        to.settle(ref_of(body), status, cluster=cluster)
    return row(body, cluster or to.clusters[0])


def row(body: dict[str, Any], cluster: str = "one", **fields: Any) -> Managed:
    one = Managed(APP, cluster, ref_of(body), "web", "", "owned", "present", 1, 1, 1, 1)
    return changed(one, **fields)


def pod(
    name: str, state: dict[str, Any], restarts: int = 0, phase: str = "Running"
) -> tuple[dict[str, Any], dict[str, Any]]:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": WEB_PODS},
        "spec": {"restartPolicy": "Always"},
    }
    last = {"terminated": {"exitCode": 1, "reason": "Error"}} if restarts else {}
    container = {"name": "app", "ready": False, "restartCount": restarts, "state": state, "lastState": last}
    return body, {"phase": phase, "containerStatuses": [container]}


def crashing(to: FakeFleet, name: str = "web-7f3a-x2x8k") -> None:
    body, status = pod(name, {"waiting": {"reason": "CrashLoopBackOff"}}, restarts=4)
    to.foreign(body)
    to.settle(ref_of(body), status)


def event(reason: str, message: str, type: str = "Warning") -> KubeEvent:
    return KubeEvent(type, reason, message, 3, NOON)


def progress(available: int = 1, wanted: int = 3) -> dict[str, Any]:
    return {"observedGeneration": 1, "replicas": wanted, "updatedReplicas": wanted, "availableReplicas": available}


READY = progress(3)


def judge(live: Live) -> Health:
    return health.judge(live, now=NOON)


async def ask(to: FakeFleet, *rows: Managed, **how: Any) -> Answer:
    to.requests.clear()
    return await why(to, rows, judge, **how)


def printed(answer: Answer) -> str:
    out = io.StringIO()
    shown.show(answer, APP, colour=False, stream=out)
    return out.getvalue()


# --- what is named --------------------------------------------------------------------------------------------------
async def test_nothing_in_a_cluster_is_missing() -> None:
    assert (await ask(fleet())).state == "missing"


async def test_an_application_whose_objects_are_all_healthy_is_healthy() -> None:
    to = fleet()
    rows = [put(to, stage.deployment("web", replicas=3), READY), put(to, stage.config("web"))]
    answer = await ask(to, *rows)
    assert (answer.state, answer.chain, answer.optional) == ("healthy", (), ())
    assert answer.summary == "all 2 objects are healthy"


async def test_the_way_goes_from_the_workload_to_the_container_with_its_last_words() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    crashing(to)
    to.event_lines["one", "Pod", "web-7f3a-x2x8k"] = [
        event("BackOff", "back-off 40s restarting failed container"),
        event("Pulled", "Container image is present", "Normal"),
    ]
    to.log_lines["web-7f3a-x2x8k", "app"] = [f"line {i}" for i in range(30)] + ["panic: DB_URL is empty"]
    answer = await ask(to, web)
    assert answer.summary == "Deployment shop/web (cluster one): 1 of 3 pods are available"
    workload, leaf = answer.chain
    assert (workload.ref.kind, leaf.ref.name, leaf.container, leaf.restarts) == ("Deployment", "web-7f3a-x2x8k", "app", 4)
    assert leaf.health.reason == "CrashLoopBackOff"
    assert [e.reason for e in answer.events] == ["BackOff"]
    assert len(answer.log) == 20
    assert answer.log[-1] == "panic: DB_URL is empty"
    assert answer.cause == "the container ends again and again"
    text = printed(answer)
    assert text.startswith("shop/web is progressing: Deployment shop/web (cluster one)")
    assert "Pod web-7f3a-x2x8k  container app: CrashLoopBackOff (4 restarts), exit code 1" in text
    assert "panic: DB_URL is empty" in text


async def test_of_several_pods_the_worst_is_named() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    waiting, status = pod("web-7f3a-aaaaa", {"waiting": {"reason": "ContainerCreating"}}, phase="Pending")
    to.foreign(waiting)
    to.settle(ref_of(waiting), status)
    crashing(to)
    assert (await ask(to, web)).chain[-1].ref.name == "web-7f3a-x2x8k"


async def test_of_several_objects_the_worst_is_named_and_of_equals_the_longest() -> None:
    to = fleet()
    failed = {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    late = {**progress(), "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
    slow = put(to, stage.deployment("slow", replicas=3), progress())
    broken = put(to, stage.deployment("broken", replicas=3), late)
    gone = row(stage.deployment("gone"))
    final = put(to, stage.job("migrate"), failed)
    for expected, rows in (
        ("migrate", (slow, broken, gone, final)),
        ("broken", (slow, broken, gone)),
        ("gone", (slow, gone)),
        ("slow", (slow,)),
    ):
        assert (await ask(to, *rows)).chain[0].ref.name == expected
    other = put(to, stage.deployment("other", replicas=3), progress())
    since = [changed(slow, health_since=NOON), changed(other, health_since=NOON - timedelta(hours=1))]
    assert (await ask(to, *since)).chain[0].ref.name == "other"


async def test_what_waits_for_the_broken_component_is_told() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    answer = await ask(to, web, waiting=[("report", "web"), ("cron", "db")])
    assert answer.behind == ("component report",)
    assert "waiting behind it: component report" in printed(answer)


async def test_a_paused_workload_is_the_reason_when_nothing_is_worse() -> None:
    to = fleet()
    body = stage.deployment("web", replicas=3)
    body["spec"]["paused"] = True
    answer = await ask(to, put(to, body, READY), put(to, stage.config("web")))
    assert (answer.state, answer.chain[0].health.reason) == ("suspended", "Paused")


async def test_an_object_that_was_to_be_deleted_is_not_missed() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), READY)
    answer = await ask(to, web, row(stage.config("old"), state="deleting"))
    assert answer.state == "healthy"


# --- what is optional -----------------------------------------------------------------------------------------------
def unready(to: FakeFleet) -> list[Managed]:
    """A healthy workload; an autoscaler that is degraded and an Ingress without an address."""
    no_target = {
        "conditions": [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": "no target"}]
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {},
    }
    return [
        put(to, stage.deployment("web", replicas=3), READY),
        put(to, stage.hpa("web"), no_target),
        put(to, ingress, {"loadBalancer": {}}),
    ]


async def test_what_a_release_does_not_wait_for_is_told_but_is_not_the_reason() -> None:
    to = fleet()
    answer = await ask(to, *unready(to))
    assert (answer.state, answer.chain) == ("healthy", ())
    assert answer.summary == "all 1 required objects are healthy"
    assert [(one.ref.kind, one.health.state) for one in answer.optional] == [
        ("HorizontalPodAutoscaler", "degraded"),
        ("Ingress", "progressing"),
    ]
    text = printed(answer)
    assert text.startswith("shop/web is healthy: ")
    assert "not required, but not ready: HorizontalPodAutoscaler web  no target" in text
    assert "not required, but not ready: Ingress web  no address yet" in text
    assert not [r for r in to.requests if r.verb in ("events", "logs")]


async def test_a_required_object_is_the_reason_however_bad_the_optional_ones_are() -> None:
    to = fleet()
    rows = [*unready(to), put(to, stage.deployment("slow", replicas=3), progress())]
    answer = await ask(to, *rows)
    assert (answer.state, answer.chain[0].ref.name, len(answer.optional)) == ("progressing", "slow", 2)


async def test_the_applications_own_wait_rules_decide_what_is_optional() -> None:
    to = fleet()
    answer = await ask(to, *unready(to), wait_class=lambda ref, body: "required" if ref.kind == "Ingress" else "none")
    assert answer.chain[0].ref.kind == "Ingress"


async def test_an_object_asked_about_alone_is_explained_though_it_is_optional() -> None:
    to = fleet()
    answer = await ask(to, unready(to)[1])
    assert (answer.state, answer.chain[0].ref.kind) == ("degraded", "HorizontalPodAutoscaler")


async def test_a_missing_object_is_a_reason_though_nobody_waits_for_its_kind() -> None:
    to = fleet()
    answer = await ask(to, put(to, stage.deployment("web", replicas=3), READY), row(stage.config("gone")))
    assert (answer.state, answer.chain[0].ref.name) == ("missing", "gone")


# --- how much it asks -----------------------------------------------------------------------------------------------
async def test_requests_are_bounded_however_large_the_application_is() -> None:
    to = fleet()
    rows = [put(to, stage.deployment(f"web-{i}", replicas=3), READY) for i in range(40)]
    rows += [put(to, stage.config(f"web-{i}")) for i in range(40)]
    rows += [put(to, stage.secret(f"web-{i}", a="b")) for i in range(40)]
    rows += [put(to, stage.hpa("web")), put(to, stage.claim("data"), {"phase": "Bound"})]
    body = stage.deployment("web", replicas=3)
    rows.append(put(to, body, progress()))
    crashing(to)
    answer = await ask(to, *rows)
    assert answer.chain[-1].ref.name == "web-7f3a-x2x8k"
    verbs = [(r.verb, r.kind) for r in to.requests]
    lists = [kind for verb, kind in verbs if verb == "list"]
    assert sorted(lists) == ["ConfigMap", "Deployment", "Pod", "Secret"]
    others = [one for one in verbs if one[0] != "list"]
    assert len(others) <= 2 * 2 + 6, others  # two kinds of which there is one object each, and six further requests
    assert all(not r.writes for r in to.requests)


async def test_an_object_whose_labels_were_taken_off_is_not_called_missing() -> None:
    to = fleet()
    rows = [put(to, stage.config(f"web-{i}")) for i in range(5)]
    to.edit(rows[0].ref, {"metadata": {"labels": None}})
    answer = await ask(to, *rows)
    assert answer.state == "healthy"
    assert [(r.verb, r.kind) for r in to.requests] == [("list", "ConfigMap"), ("get", "ConfigMap")]


async def test_single_reads_are_bounded_even_when_everything_is_gone() -> None:
    to = fleet()
    answer = await ask(to, *[row(stage.config(f"gone-{i}")) for i in range(100)])
    assert answer.state == "missing"
    assert len(to.requests) <= 1 + 6 + 2


async def test_the_container_before_is_asked_only_when_there_was_one() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    body, status = pod("web-7f3a-x2x8k", {"running": {}})
    to.foreign(body)
    to.settle(ref_of(body), status)
    await ask(to, web)
    assert [r.verb for r in to.requests if r.verb == "logs"] == ["logs"]


async def test_a_container_that_never_ran_has_no_log_to_ask_for() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    body, status = pod("web-7f3a-x2x8k", {"waiting": {"reason": "ImagePullBackOff"}}, phase="Pending")
    to.foreign(body)
    to.settle(ref_of(body), status)
    answer = await ask(to, web)
    assert answer.log == ()
    assert answer.cause == "the image cannot be pulled"
    assert not [r for r in to.requests if r.verb == "logs"]


# --- what cannot be read --------------------------------------------------------------------------------------------
async def test_a_cluster_that_does_not_answer_is_unknown_and_named_once() -> None:
    to = fleet("one", "two")
    rows = [
        put(to, stage.deployment("web", replicas=3), READY, cluster="one"),
        *[put(to, stage.config(f"web-{i}"), cluster="two") for i in range(5)],
        put(to, stage.deployment("web", replicas=3), READY, cluster="two"),
    ]
    to.down.add("two")
    answer = await ask(to, *rows)
    assert answer.state == "unknown"
    assert answer.cluster == "two"
    assert "no answer" in answer.summary
    assert len(answer.unread) == 1
    assert not [r for r in to.requests if r.verb in ("events", "logs")]


async def test_what_is_known_to_be_wrong_goes_before_what_cannot_be_read() -> None:
    to = fleet("one", "two")
    rows = [
        put(to, stage.deployment("web", replicas=3), progress(), cluster="one"),
        put(to, stage.deployment("web", replicas=3), READY, cluster="two"),
    ]
    to.down.add("two")
    answer = await ask(to, *rows)
    assert (answer.state, answer.cluster, len(answer.unread)) == ("progressing", "one", 1)
    assert "not read: " in printed(answer)


async def test_a_kind_that_may_not_be_read_does_not_hide_the_others() -> None:
    to = fleet()
    rows = [put(to, stage.secret(f"s-{i}", a="b")) for i in range(4)]
    rows.append(put(to, stage.deployment("web", replicas=3), progress()))
    to.forbidden.add(("one", "Secret"))
    answer = await ask(to, *rows)
    assert (answer.state, answer.chain[0].ref.name) == ("progressing", "web")
    assert "forbidden" in answer.unread[0]


@pytest.mark.parametrize("verb", ["list", "events", "logs"])
async def test_a_refusal_on_the_way_down_shortens_the_answer_and_is_told(verb: str) -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    crashing(to)
    kind = "Pod" if verb != "events" else "*"
    to.fault(lambda: errors.Forbidden(f"{verb} pods: forbidden"), verb=verb, kind=kind, times=-1)
    answer = await ask(to, web)
    assert answer.state == "progressing"
    assert answer.unread == (f"{verb} pods: forbidden",)


# --- nothing secret, nothing endless --------------------------------------------------------------------------------
async def test_no_secret_leaves_through_messages_events_or_log() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    body, status = pod("web-7f3a-x2x8k", {"waiting": {"reason": "CreateContainerError", "message": "token hunter2-canary"}})
    to.foreign(body)
    to.settle(ref_of(body), status)
    to.event_lines["one", "Pod", "web-7f3a-x2x8k"] = [event("Failed", "dial postgres://ana:hunter2-canary@db/shop")]
    text = str(as_tree(await ask(to, web, secrets=["hunter2-canary"])))
    assert "hunter2-canary" not in text
    assert "<redacted" in text
    without = as_tree(await ask(to, web))
    assert "hunter2-canary" not in str(without["events"])  # a password in an address shows itself


async def test_a_private_key_in_a_log_is_masked_however_much_of_it_is_seen() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    crashing(to)
    key = ["-----BEGIN RSA PRIVATE KEY-----", *[f"MIIcanary{i}" for i in range(12)], "-----END RSA PRIVATE KEY-----"]
    for lines in (["start", *key, "end"], [*key, *["after"] * 12], ["start", *key[:-1]]):
        to.log_lines["web-7f3a-x2x8k", "app"] = lines
        answer = await ask(to, web)
        assert "canary" not in "\n".join(answer.log)
        assert "<redacted" in "\n".join(answer.log)


async def test_long_lines_are_cut() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    crashing(to)
    to.log_lines["web-7f3a-x2x8k", "app"] = ["x" * 100_000]
    answer = await ask(to, web)
    assert len(answer.log[0]) <= 1000
    assert len(str(as_tree(answer))) < 5000


async def test_hostile_text_does_not_reach_the_terminal() -> None:
    to = fleet()
    web = put(to, stage.deployment("web", replicas=3), progress())
    crashing(to)
    evil = "\x1b]0;owned\x07\x1b[2J\u202e\r"
    to.event_lines["one", "Pod", "web-7f3a-x2x8k"] = [event("BackOff" + evil, evil)]
    to.log_lines["web-7f3a-x2x8k", "app"] = [evil]
    text = printed(await ask(to, web))
    assert not set(text) & set("\x1b\x07\r\u202e")


async def test_the_answer_is_plain_data() -> None:
    to = fleet()
    rows = [*unready(to), put(to, stage.deployment("slow", replicas=3), progress())]
    tree = as_tree(await ask(to, *rows))
    assert json.loads(json.dumps(tree)) == tree
    assert [one["kind"] for one in tree["optional"]] == ["HorizontalPodAutoscaler", "Ingress"]


# --- causes ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("verdict", "events", "log", "cause"),
    [
        ('CreateContainerConfigError secret "web-db" not found', (), (), 'secret "web-db" does not exist'),
        ("Pending", ['configmap "web" not found'], (), 'configmap "web" does not exist'),
        ("Pending", ["couldn't find key url in Secret shop/web-db"], (), "url in Secret shop/web-db is missing"),
        ("Pending", ["references non-existent config key: app.ini"], (), "app.ini is missing in its ConfigMap or Secret"),
        ("Pending", ['serviceaccount "robot" not found'], (), 'serviceaccount "robot" does not exist'),
        ("Pending", ['persistentvolumeclaim "data" not found'], (), 'persistentvolumeclaim "data" does not exist'),
        (
            "Pending",
            ['storageclass.storage.k8s.io "fast" not found'],
            (),
            'storageclass.storage.k8s.io "fast" does not exist',
        ),
        ("CrashLoopBackOff, OOMKilled", (), (), "the container used more memory than its limit"),
        ("ImagePullBackOff", ["manifest unknown: manifest unknown"], (), "the image tag does not exist in its registry"),
        ("ImagePullBackOff", ["failed to pull image: 401 Unauthorized"], (), "the registry refused the pull"),
        ("ErrImagePull", (), (), "the image cannot be pulled"),
        (
            "Unschedulable 0/5 nodes are available: 5 Insufficient nvidia.com/gpu.",
            (),
            (),
            "no node has enough free nvidia.com/gpu",
        ),
        ("Unschedulable 1 node(s) had untolerated taint {gpu: true}", (), (), "every node that fits carries a taint"),
        ("FailedCreate exceeded quota: compute", (), (), "the namespace's quota is used up"),
        ('FailedCreate violates PodSecurity "restricted"', (), (), "the namespace's pod security standard forbids the pod"),
        ("NotReady", ["Readiness probe failed: HTTP 503"], (), "the readiness probe fails"),
        ("NotReady", ["Liveness probe failed: timeout"], (), "the liveness probe fails"),
        ("Running", ['failed calling webhook "policy.example.com"'], (), "an admission webhook does not answer"),
        ("BackoffLimitExceeded Job has reached the limit", (), (), "the Job failed as often as it may"),
        ("DeadlineExceeded Job was active longer", (), (), "the Job ran longer than it may"),
        ("ProgressDeadlineExceeded timed out", (), (), "no new pod became available"),
        ("CrashLoopBackOff", ["BackOff"], ["listen tcp :80: bind: address already in use"], "the port is in use already"),
        ("CrashLoopBackOff", (), ["dial tcp: lookup db: no such host"], "a name does not resolve"),
        ("CrashLoopBackOff", (), ["open /data/x: permission denied"], "the program may not use a file or port"),
        ("CrashLoopBackOff", (), ["nothing known"], "the container ends again and again"),
        ("Strange", (), (), ""),
        # words of two lines, or of a program's own talk, are no cause
        ("CrashLoopBackOff", (), ["my secret sauce", "page not found"], "the container ends again and again"),
    ],
)
def test_a_known_cause_is_said_in_words(verdict: str, events: tuple[str, ...], log: tuple[str, ...], cause: str) -> None:
    reason, _, message = verdict.partition(" ")
    found, advice = causes.match([Health("degraded", reason, message)], [event("Failed", text) for text in events], log)
    assert found.startswith(cause) if cause else found == ""
    assert bool(advice) is bool(cause)


def test_causes_are_said_without_a_hole() -> None:
    for cause in (*causes.OF_CLUSTER, *causes.OF_LOG, *causes.AT_LAST):
        assert all(word == word.lower() for word in cause.words)
        assert bool(cause.naming) == bool(cause.thing) == ("{thing}" in cause.sentence)
        assert cause.advice
