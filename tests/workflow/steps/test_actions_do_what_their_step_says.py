"""What each action does beyond the contract: effects, secrets, waits, answers, refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from step_lab import NOW, Lab, arguments, drive
from test_every_action_keeps_the_contract import JOB, job_of_workflow, secret, service

from appdelivery import errors
from appdelivery.model.refs import AppKey, Ref
from appdelivery.workflow import steps
from appdelivery.workflow.model import Approval, Done, Fail, Suspend, Wait
from appdelivery.workflow.steps import wait, world


async def once(lab, step_type, properties, **context):
    use, made = arguments(step_type, properties)
    at = lab.context(made, **context)
    return at, await steps.find(use)(at)


# --- the registry ---


def test_an_unknown_action_is_named_with_the_nearest():
    with pytest.raises(errors.RequestError, match="did you mean 'request'"):
        steps.find("reqest")


async def test_a_process_without_a_part_of_the_world_says_which():
    lab = Lab()
    lab.world = world.World(lab.fleet, "one", "default", lab.fleet.judge)
    for step_type, properties, missing in (
        ("rollback", {}, "rolling back"),
        ("create-config", {"name": "a"}, "the store of configs"),
        ("request", {"url": "https://a.example/"}, "HTTP"),
    ):
        end = await drive(lab, step_type, properties)
        assert isinstance(end, Fail)
        assert not end.retryable
        assert missing in end.message


# --- suspend and wait ---


async def test_a_suspension_waits_for_an_answer_and_hands_it_on():
    lab = Lab()
    _, found = await once(lab, "suspend", {"message": "look"})
    assert found == Suspend("look", None, None, {})
    answer = {"by": "ana", "comment": "fine", "at": "2026-03-02T12:05:00Z"}
    _, found = await once(lab, "suspend", {}, answer=answer)
    assert found == Done(answer, "resumed by ana: fine")


async def test_with_approvers_a_suspension_is_an_approval():
    _, found = await once(
        Lab(), "suspend", {"approvers": ["group:leads"], "distinct": True, "duration": "1h", "onTimeout": "reject"}
    )
    assert found.approval == Approval(("group:leads",), True, on_timeout="reject")
    assert found.until == NOW + timedelta(hours=1)


@pytest.mark.parametrize(("then", "end"), [("resume", Done), ("reject", Fail)])
async def test_a_suspension_ends_with_its_first_duration(then, end):
    lab = Lab()
    properties = {"duration": "1h", "approvers": ["ana"], "onTimeout": then}
    _, first = await once(lab, "suspend", properties)
    lab.now += timedelta(minutes=59)
    _, second = await once(lab, "suspend", properties, cursor=first.cursor)
    assert second.until == first.until
    lab.now += timedelta(minutes=1)
    _, last = await once(lab, "suspend", properties, cursor=second.cursor)
    assert isinstance(last, end)
    if end is Fail:
        assert not last.retryable
        assert "nobody approved within 1h" in last.message


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-02T12:00:00", "2026-03-02T21:00:00"),  # Monday noon: opens at 22:00 in Berlin
        ("2026-03-02T22:30:00", "2026-03-02T22:30:00"),  # inside
        ("2026-03-03T02:30:00", "2026-03-03T02:30:00"),  # past midnight, still inside
        ("2026-03-03T03:00:00", "2026-03-03T21:00:00"),  # it closes at 04:00, which is 03:00 UTC
        ("2026-03-06T12:00:00", "2026-03-09T21:00:00"),  # Friday: not a day of it
        ("2026-03-29T12:00:00", "2026-03-30T20:00:00"),  # the day on which the clocks changed
    ],
)
async def test_a_window_opens_by_the_clock_of_its_zone(now, opens):
    lab = Lab(now=datetime.fromisoformat(now).replace(tzinfo=UTC))
    window = {"days": ["mon", "tue", "wed", "thu"], "from": "22:00", "to": "04:00", "timezone": "Europe/Berlin"}
    _, found = await once(lab, "wait", {"window": window})
    until = datetime.fromisoformat(opens).replace(tzinfo=UTC)
    if until == lab.now:
        assert isinstance(found, Done)
    else:
        assert lab.now + found.after == until


@settings(max_examples=150, deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - it adds the zone
    st.sets(st.sampled_from(wait.DAYS), min_size=1),
    st.times(),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_a_window_always_opens_within_a_week_and_is_open_then(now, days, start, end, zone):
    window = {"days": sorted(days), "from": f"{start:%H:%M}", "to": f"{end:%H:%M}", "timezone": zone}
    opens = wait._opening(window, now)
    assert now <= opens <= now + timedelta(days=8, hours=1)
    assert wait._opening(window, opens) == opens


async def test_wait_knows_moments_and_refuses_zones_that_do_not_exist():
    lab = Lab()
    _, found = await once(lab, "wait", {"until": "2026-03-02T14:00:00+01:00"})
    assert found.after == timedelta(hours=1)
    with pytest.raises(errors.RequestError, match="no zone 'Mars/North'"):
        await once(lab, "wait", {"window": {"from": "10:00", "to": "11:00", "timezone": "Mars/North"}})


async def test_a_restart_of_the_process_does_not_begin_to_wait_anew():
    lab = Lab()
    _, first = await once(lab, "wait", {"for": "10m"})
    lab.now += timedelta(minutes=4)
    _, second = await once(lab, "wait", {"for": "10m"}, cursor=first.cursor)
    assert second.after == timedelta(minutes=6)


# --- HTTP ---

URL = "https://a.example/x"


async def test_a_request_sends_json_with_its_key_and_reads_json():
    lab = Lab(answers={URL: (200, '{"free": 3}')})
    _, found = await once(lab, "request", {"url": URL, "method": "POST", "body": {"a": "ü"}, "header": {"X-Team": "shop"}})
    (call,) = lab.calls
    assert (call.method, json.loads(call.body)) == ("POST", {"a": "ü"})
    assert call.headers == {"Idempotency-Key": "RUN.step.request", "Content-Type": "application/json", "X-Team": "shop"}
    assert found.outputs == {"statusCode": 200, "response": {"free": 3}, "body": '{"free": 3}'}


async def test_a_kept_answer_is_not_asked_for_again():
    lab = Lab(answers={URL: [(200, "1"), (200, "2")]})
    await once(lab, "request", {"url": URL})
    _, found = await once(lab, "request", {"url": URL})
    assert (len(lab.calls), found.outputs["response"]) == (1, 1)


@pytest.mark.parametrize(("status", "again"), [(400, False), (404, False), (429, True), (500, True), (503, True)])
async def test_an_answer_from_400_on_fails_and_is_not_kept(status, again):
    lab = Lab(answers={URL: [(status, "no"), (200, "{}")]})
    with pytest.raises(errors.WorldError, match=f"status {status}: no") as raised:
        await once(lab, "request", {"url": URL})
    assert raised.value.retryable is again
    _, found = await once(lab, "request", {"url": URL})
    assert isinstance(found, Done)
    assert len(lab.calls) == 2


async def test_an_answer_that_is_no_json_is_text_alone():
    lab = Lab(answers={URL: (200, "<html>")})
    _, found = await once(lab, "request", {"url": URL})
    assert (found.outputs["response"], found.outputs["body"]) == (None, "<html>")


async def test_values_of_secrets_are_sent_and_masked_and_not_noted():
    lab = Lab(answers={URL: (200, "{}")})
    lab.fleet.foreign(secret("s", token="aHVudGVyMg=="))
    at, _ = await once(
        lab, "request", {"url": URL, "header": {"Authorization": {"secretRef": {"name": "s", "key": "token"}}}}
    )
    assert lab.calls[0].headers["Authorization"] == "hunter2"
    assert at.secrets == ["hunter2"]
    assert "hunter2" not in json.dumps(lab.effects)


async def test_a_secret_that_is_missing_may_still_come():
    lab = Lab(answers={URL: (200, "{}")})
    with pytest.raises(errors.Missing, match="Secret default/s in cluster one: it does not exist") as raised:
        await once(lab, "request", {"url": URL, "header": {"A": {"secretRef": {"name": "s", "key": "token"}}}})
    assert raised.value.retryable
    assert lab.calls == []


async def test_messages_never_hold_what_stands_in_an_address():
    lab = Lab(answers={"https://ana:pw@a.example/x": (404, "no")})
    end = await drive(lab, "request", {"url": "https://ana:pw@a.example/x?token=abc"})
    assert "GET https://a.example/x: status 404" in end.message
    assert "pw" not in end.message
    assert "abc" not in end.message


async def test_messages_of_a_webhook_name_its_host_alone():
    lab = Lab(answers={"https://hooks.example.com/T0/B1/x9": (500, "no")})
    with pytest.raises(errors.WorldError, match=r"POST https://hooks\.example\.com: status 500"):
        await once(lab, "webhook", {"url": {"value": "https://hooks.example.com/T0/B1/x9"}, "data": {}})


async def test_a_webhook_without_data_sends_the_application():
    lab = Lab(answers={URL: (200, "")})
    await once(lab, "webhook", {"url": {"value": URL}})
    sent = json.loads(lab.calls[0].body)
    assert (sent["kind"], sent["metadata"]) == ("Application", {"name": "shop", "namespace": "default"})


async def test_each_channel_is_told_once_though_a_later_one_fails():
    answers = {"https://s.example/1": (200, "ok"), "https://l.example/1": [(500, "down"), (200, "ok")]}
    lab = Lab(answers=answers)
    slack = {"url": {"value": "https://s.example/1"}, "message": {"text": "hi"}}
    lark = {"url": {"value": "https://l.example/1"}, "message": {"msg_type": "text", "content": "{}"}}
    end = await drive(lab, "notification", {"slack": slack, "lark": lark})
    assert end.message == "sent to slack, lark"
    assert [call.url for call in lab.calls] == ["https://s.example/1", "https://l.example/1", "https://l.example/1"]
    assert json.loads(lab.calls[0].body) == {"text": "hi", "mrkdwn": True}


async def test_a_cancelled_request_does_not_wait_for_its_answer():
    lab = Lab(hangs=True)
    use, made = arguments("request", {"url": URL})
    with pytest.raises(world.Cancelled):
        await steps.find(use)(lab.context(made, cancelled=lambda: bool(lab.calls)))


# --- objects ---


async def test_objects_of_a_topology_stand_in_every_place():
    lab = Lab()
    await drive(lab, "export-data", {"name": "flags", "data": {"a": "1"}, "topology": "all"})
    ref = Ref("", "v1", "ConfigMap", "default", "flags")
    assert [lab.fleet.live(ref, name)["data"] for name in ("one", "two")] == [{"a": "1"}, {"a": "1"}]


async def test_what_is_written_into_a_secret_is_a_secret_output():
    _, found = await once(Lab(), "export2secret", {"secretName": "s", "data": {"a": "b"}})
    assert found.secret == ("output", "outputs")


async def test_reading_waits_for_an_object_and_knows_cluster_wide_kinds():
    lab = Lab()

    def comes(lab, turn):
        if turn == 2:
            lab.fleet.foreign(service("web"))

    end = await drive(lab, "read-object", {"apiVersion": "v1", "kind": "Service", "name": "web"}, meanwhile=comes)
    assert end.outputs["output"]["spec"]["type"] == "ClusterIP"
    assert "managedFields" not in end.outputs["output"]["metadata"]
    end = await drive(lab, "read-object", {"apiVersion": "v1", "kind": "Namespace", "name": "default"})
    assert end.outputs["output"]["kind"] == "Namespace"


async def test_an_application_is_read_from_what_we_know():
    lab = Lab(apps={AppKey("infra", "base"): world.AppState("running", document={"kind": "Application"})})
    end = await drive(lab, "read-object", {"name": "base", "namespace": "infra"})
    assert end.outputs["output"] == {"kind": "Application", "status": {"status": "running", "message": ""}}


async def test_an_application_comes_from_its_configmap_when_it_does_not_exist():
    lab = Lab()
    text = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: base, namespace: infra}\n"
    about = {"name": "base", "namespace": "infra"}
    lab.fleet.foreign({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "infra"}})
    lab.fleet.foreign({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"application": text}})

    def runs(lab, turn):
        if turn == 3:
            lab.apps[AppKey("infra", "base")] = world.AppState("running")

    end = await drive(lab, "depends-on-app", {"name": "base", "namespace": "infra"}, meanwhile=runs)
    assert isinstance(end, Done)
    assert [one["metadata"]["name"] for one in lab.delivered.values()] == ["base"]


async def test_addresses_from_outside_and_inside_are_told_apart():
    lab = Lab()
    lab.fleet.foreign(service("web", type="LoadBalancer"))
    end = await drive(lab, "collect-service-endpoints", {"outer": True, "protocal": "https"})
    assert end.outputs["value"]["url"] == "https://192.0.2.2:80"
    end = await drive(lab, "collect-service-endpoints", {"portName": "http"})
    assert [one["endpoint"]["host"] for one in end.outputs["endpoints"]] == ["192.0.2.2", "web.default"]
    assert {one["component"] for one in end.outputs["endpoints"]} == {"web"}
    _, none = await once(lab, "collect-service-endpoints", {"port": 81})
    assert isinstance(none, Wait)
    assert "no endpoint with port 81 yet" in none.message


async def test_configs_are_written_read_listed_and_deleted():
    lab = Lab()
    await drive(lab, "create-config", {"name": "a", "template": "t", "config": {"x": 1}})
    read = await drive(lab, "read-config", {"name": "a"})
    assert read.outputs["output"]["config"] == {"x": 1}
    assert read.secret == ("output",)
    listed = await drive(lab, "list-config", {"template": "t"})
    assert [one["name"] for one in listed.outputs["output"]["configs"]] == ["a"]
    await drive(lab, "delete-config", {"name": "a"})
    _, gone = await once(lab, "read-config", {"name": "a"})
    assert gone == Fail("step.config-missing", "there is no config default/a", retryable=True)


async def test_generated_values_are_references():
    lab = Lab()
    end = await drive(lab, "generate-secret", {"name": "db", "keys": ["root"], "length": 24})
    assert end.outputs == {"secret": {"root": {"$secretRef": {"store": "application", "key": "db/root"}}}}
    assert len(lab.secrets["db/root"]) == 24


@pytest.mark.parametrize("step_type", ["generate-secret", "rollback"])
async def test_steps_about_an_application_say_so_in_a_run_without_one(step_type):
    properties = {"name": "db", "keys": ["a"]} if step_type == "generate-secret" else {}
    with pytest.raises(errors.RequestError, match="application"):
        await once(Lab(), step_type, properties, app=None)


async def test_a_broken_rule_names_the_object_and_a_warning_does_not_fail():
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 1}}
    lab = Lab(wanted=[world.Wanted("one", body)])
    rule = {"must": "object.spec.replicas > 1", "message": "too few"}
    end = await drive(lab, "policy-check", {"rules": [rule]})
    assert end.message == "1 objects break a rule: Deployment a in one: too few"
    end = await drive(lab, "policy-check", {"rules": [{**rule, "level": "warning"}, {**rule, "kinds": ["Service"]}]})
    assert end.outputs == {"checked": 1, "warnings": ["Deployment a in one: too few"]}


async def test_only_definitions_of_kinds_are_applied_by_apply_crd():
    lab = Lab(answers={"https://a.example/crds.yaml": (200, "kind: Secret\nmetadata: {name: a}\n")})
    end = await drive(lab, "apply-crd", {"source": {"url": "https://a.example/crds.yaml"}})
    assert "Secret is no named CustomResourceDefinition" in end.message


# --- Jobs ---


async def test_the_last_json_line_of_a_job_is_its_output():
    lab = Lab()

    def prints(lab, turn):
        (job,) = [body for body in lab.fleet.world().objects.values() if body["kind"] == "Job"]
        about = {"name": "p", "namespace": "default", "labels": {"batch.kubernetes.io/job-name": job["metadata"]["name"]}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"containers": [{"name": "job"}]}}
        lab.fleet.foreign(pod)
        lab.fleet.log_lines["p", "job"] = ["starting", '{"rows": 42}', "bye now"]

    end = await drive(lab, "run-job", {"image": "x:1"}, meanwhile=prints)
    assert end.outputs["output"] == {"rows": 42}
    assert lab.logged == ["starting", '{"rows": 42}', "bye now"]


async def test_a_failed_job_says_its_last_lines_and_runs_again_when_the_step_is_retried():
    lab = Lab(weather="bad")
    first = await drive(lab, "apply-job", {"value": JOB})
    assert isinstance(first, Fail)
    assert not first.retryable
    lab.fleet.weather = "fair"
    second = await drive(lab, "apply-job", {"value": JOB})
    assert isinstance(second, Done)
    assert len([body for body in lab.fleet.world().objects.values() if body["kind"] == "Job"]) == 2


async def test_a_job_of_somebody_else_is_not_touched():
    lab = Lab()
    lab.fleet.foreign(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "smoke", "namespace": "default"}, "spec": {}}
    )
    end = await drive(lab, "apply-job", {"value": {**JOB, "metadata": {"name": "smoke"}}})
    assert "a Job of that name exists and is not one of this step" in end.message


async def test_a_finished_job_of_an_earlier_run_makes_room_for_its_name():
    lab = Lab()
    body = job_of_workflow("smoke")
    body["metadata"]["labels"] |= {"workflow.oam.dev/step-name": "shop-step", "appdelivery.dev/run": "earlier"}
    lab.fleet.foreign(body)
    end = await drive(lab, "apply-job", {"value": {**JOB, "metadata": {"name": "smoke"}}})
    assert isinstance(end, Done)
    live = lab.fleet.live(Ref("batch", "v1", "Job", "default", "smoke"))
    assert live["metadata"]["labels"]["appdelivery.dev/run"] == "01j0000000000000000000run"


async def test_files_lie_beside_the_job_and_go_with_it():
    lab = Lab()
    await drive(lab, "run-job", {"image": "x:1", "files": {"a.py": "print(1)"}})
    objects = lab.fleet.world().objects.values()
    (job,) = [body for body in objects if body["kind"] == "Job"]
    (files,) = [body for body in objects if body["kind"] == "ConfigMap"]
    assert files["data"] == {"a.py": "print(1)"}
    assert files["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    pod = job["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": "files", "configMap": {"name": files["metadata"]["name"], "defaultMode": 0o555}}]
    assert pod["containers"][0]["volumeMounts"] == [{"name": "files", "mountPath": "/files", "readOnly": True}]


async def test_foreign_jobs_are_deleted_only_with_the_right_to_override():
    lab = Lab()
    about = {"name": "old", "namespace": "default", "labels": {"app": "old"}}
    lab.fleet.foreign({"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": {}})
    end = await drive(lab, "clean-jobs", {"labelselector": {"app": "old"}})
    assert "they are not those of this workflow" in end.message
    lab.override = True
    assert isinstance(await drive(lab, "clean-jobs", {"labelselector": {"app": "old"}}), Done)
    assert lab.fleet.live(Ref("batch", "v1", "Job", "default", "old")) is None


# --- metrics ---

PROM = "http://prometheus-server.o11y-system.svc:9090/api/v1/query"


def vector(*values):
    return 200, json.dumps({"data": {"resultType": "vector", "result": [{"value": [1, str(v)]} for v in values]}})


@pytest.mark.parametrize(
    ("condition", "values", "holds"),
    [
        (">= 0.95", [0.95], True),
        ("> 1 & < 5", [3], True),
        ("> 1 && < 5", [6], False),
        ("!= 0", [1, 0], False),
        ("< 1e3", [999], True),
        ("> 0", [], False),
        ("> 0", ["NaN"], False),
    ],
)
async def test_a_condition_holds_for_every_value_or_not(condition, values, holds):
    lab = Lab(answers={PROM: vector(*values)})
    end = await drive(lab, "check-metrics", {"query": "q", "condition": condition, "duration": "30s", "failDuration": "30s"})
    assert isinstance(end, Done if holds else Fail)
    assert lab.now - NOW >= timedelta(seconds=30)


async def test_a_break_begins_the_time_anew():
    lab = Lab(answers={PROM: [vector(1), vector(1), vector(0), vector(1), vector(1), vector(1)]})
    end = await drive(lab, "check-metrics", {"query": "q", "condition": "> 0", "duration": "20s"})
    assert isinstance(end, Done)
    assert lab.now - NOW == timedelta(seconds=50)


async def test_nothing_is_known_of_a_time_in_which_nobody_asked():
    lab = Lab(answers={PROM: vector(1)})
    _, first = await once(lab, "check-metrics", {"query": "q", "condition": "> 0", "duration": "5m"})
    lab.now += timedelta(hours=1)
    _, second = await once(lab, "check-metrics", {"query": "q", "condition": "> 0", "duration": "5m"}, cursor=first.cursor)
    assert isinstance(second, Wait)


# --- control ---


async def test_a_restart_is_scheduled_once_and_first_counts():
    lab = Lab()
    await drive(lab, "restart-workflow", {"every": "1d"})
    lab.now += timedelta(minutes=5)
    await drive(lab, "restart-workflow", {"every": "1d"})
    ((when, every),) = lab.restarts.values()
    assert (when, every) == (NOW + timedelta(days=1), 86400.0)


async def test_a_stored_run_with_a_withdrawn_step_fails_with_the_reason():
    found = await steps.find("refuse")(Lab().context({"message": "use request"}))
    assert found == Fail("step.not-supported", "use request", retryable=False)
