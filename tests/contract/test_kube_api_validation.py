"""Dry runs, strict field checks, defaults, and what is invalid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kube_api import Api, Reply

PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
WEB = "apps/v1/deployments"


def _causes(reply: Reply) -> list[tuple[str, str]]:
    return [(cause["reason"], cause["field"]) for cause in reply.body["details"]["causes"]]


async def test_a_dry_create_is_answered_and_not_kept(api: Api) -> None:
    reply = (await api.create(api.config(), dryRun="All")).ok(201)
    assert reply.meta["uid"]
    assert "resourceVersion" not in reply.meta
    (await api.get(api.path("configmaps", "web"))).refused(404, "NotFound")


async def test_a_dry_change_is_answered_and_not_kept(api: Api) -> None:
    first = await api.create(api.config())
    path = api.path("configmaps", "web")
    replies = [
        await api.merge(path, {"data": {"a": "2"}}, dryRun="All"),
        await api.put(path, api.config(data={"a": "2"}), dryRun="All"),
        await api.apply(api.config(data={"a": "2"}), force="true", dryRun="All"),
    ]
    assert [one.ok(200).body["data"]["a"] for one in replies] == ["2"] * 3
    assert [one.version for one in replies] == [first.version] * 3
    assert (await api.get(path)).body == first.body


async def test_a_dry_delete_is_answered_and_not_done(api: Api) -> None:
    await api.create(api.config())
    (await api.delete(api.path("configmaps", "web"), dryRun="All")).ok(200)
    (await api.get(api.path("configmaps", "web"))).ok(200)


async def test_a_dry_run_meets_the_same_refusals(api: Api) -> None:
    await api.apply(api.config(), "one")
    (await api.apply(api.config(data={"a": "2"}), "two", dryRun="All")).refused(409, "Conflict")
    (await api.create(api.config(), dryRun="All")).refused(409, "AlreadyExists")


async def test_an_unknown_form_of_dry_run_is_refused(api: Api) -> None:
    reply = await api.create(api.config(), dryRun="Some")
    said = 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'
    reply.refused(422, "Invalid", said, kind="CreateOptions")


async def test_an_unknown_form_of_field_validation_is_refused(api: Api) -> None:
    reply = await api.create(api.config(), fieldValidation="Some")
    reply.refused(422, "Invalid", kind="CreateOptions")
    assert _causes(reply) == [("FieldValueNotSupported", "fieldValidation")]


async def test_a_manager_has_at_most_128_letters(api: Api) -> None:
    reply = await api.create(api.config(), fieldManager="x" * 129)
    reply.refused(422, "Invalid")
    assert reply.body["details"]["causes"] == [
        {"reason": "FieldValueTooLong", "message": "Too long: may not be more than 128 bytes", "field": "fieldManager"}
    ]


def _strange(api: Api) -> dict[str, Any]:
    body = api.deployment(replicas=0)
    body["spec"]["replicaz"] = 1
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    return body


async def test_strict_validation_refuses_unknown_fields_by_name(api: Api) -> None:
    reply = await api.create(_strange(api), fieldValidation="Strict")
    reply.refused(400, "BadRequest")
    said = 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
    assert reply.body["message"].startswith(said)
    assert sorted(reply.body["message"].removeprefix(said).split(", ")) == [
        'unknown field "spec.replicaz"',
        'unknown field "spec.template.spec.containers[0].imagee"',
    ]


async def test_lenient_validation_warns_of_unknown_fields(api: Api) -> None:
    reply = (await api.create(_strange(api), fieldValidation="Warn")).ok(201)
    assert r'299 - "unknown field \"spec.replicaz\""' in reply.headers["warning"]
    assert "replicaz" not in reply.body["spec"]


async def test_warning_is_the_default_and_ignoring_is_silent(api: Api) -> None:
    assert "warning" in (await api.create(_strange(api))).ok(201).headers
    await api.delete(api.path(WEB, "web"))
    await api.gone(api.path(WEB, "web"))
    assert "warning" not in (await api.create(_strange(api), fieldValidation="Ignore")).ok(201).headers


async def test_a_refused_request_is_warned_too(api: Api) -> None:
    unknown = r'299 - "unknown field \"spec.replicaz\""'
    body = _strange(api)
    body["spec"]["selector"] = None
    reply = await api.create(body)
    reply.refused(422, "Invalid")
    assert unknown in reply.headers["warning"]
    (await api.create(_strange(api))).ok(201)
    reply = await api.create(_strange(api))
    reply.refused(409, "AlreadyExists")
    assert unknown in reply.headers["warning"]
    for send in (api.merge, api.strategic):
        reply = await send(api.path(WEB, "web"), {"spec": {"replicaz": 1, "replicas": -1}})
        reply.refused(422, "Invalid")
        assert reply.headers["warning"] == unknown
    body = _strange(api)
    body["metadata"]["resourceVersion"] = "1"
    reply = await api.put(api.path(WEB, "web"), body)
    reply.refused(409, "Conflict")
    assert unknown in reply.headers["warning"]
    reply = await api.put(api.path(WEB, "absent"), _strange(api) | {"metadata": {"name": "absent"}})
    reply.refused(404, "NotFound")
    assert unknown in reply.headers["warning"]


async def test_remarks_on_an_object_follow_its_validation(api: Api) -> None:
    body = api.deployment(replicas=0)
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    body["spec"]["template"]["spec"]["containers"][0]["env"] = env
    reply = (await api.create(body)).ok(201)
    assert 'hides previous definition of \\"A\\"' in reply.headers["warning"]
    again = await api.create(body)
    again.refused(409, "AlreadyExists")
    assert again.headers["warning"] == reply.headers["warning"]
    body["spec"]["replicas"] = -1
    refused = await api.create(body)
    refused.refused(422, "Invalid")
    assert "warning" not in refused.headers, "an invalid object is not remarked on"


async def test_duplicate_fields_are_told(api: Api) -> None:
    text = b'{"metadata": {"name": "web"}, "data": {"a": "1", "a": "2"}}'
    reply = await api.post(api.path("configmaps"), text, fieldValidation="Strict")
    reply.refused(400, "BadRequest")
    assert reply.body["message"].endswith('strict decoding error: duplicate field "data.a"')
    reply = (await api.post(api.path("configmaps"), text)).ok(201)
    assert reply.headers["warning"] == r'299 - "duplicate field \"data.a\""'
    assert reply.body["data"] == {"a": "2"}


async def test_a_patch_is_validated_too(api: Api) -> None:
    await api.create(api.deployment(replicas=0))
    reply = await api.merge(api.path(WEB, "web"), {"spec": {"replicaz": 1}}, fieldValidation="Strict")
    reply.refused(422, "Invalid")
    assert _causes(reply) == [("FieldValueInvalid", "patch")]
    assert reply.body["message"].endswith('strict decoding error: unknown field "spec.replicaz"')


async def test_an_apply_of_an_undeclared_field_fails_in_the_server(api: Api) -> None:
    body = api.deployment(replicas=0)
    body["spec"]["replicaz"] = 1
    reply = await api.apply(body)
    said = f"failed to create typed patch object ({api.namespace}/web; apps/v1, Kind=Deployment)"
    reply.refused(500, "", f"{said}: .spec.replicaz: field not declared in schema")


async def test_an_apply_of_a_value_of_another_type_fails_in_the_server(api: Api) -> None:
    reply = await api.apply(api.config(data={"a": 1}))
    said = ".data.a: expected string, got &value.valueUnstructured{Value:1}"
    reply.refused(500, "", f"failed to create typed patch object ({api.namespace}/web; /v1, Kind=ConfigMap): {said}")


async def test_a_value_of_another_type_is_refused(api: Api) -> None:
    body = api.deployment()
    body["spec"]["replicas"] = "many"
    reply = await api.create(body)
    said = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    reply.refused(400, "BadRequest", f'Deployment in version "v1" cannot be handled as a Deployment: {said}')
    reply = await api.post(api.path("configmaps"), {"metadata": {"name": "web"}, "data": {"a": 1}})
    reply.refused(400, "BadRequest")
    assert "cannot unmarshal number into Go struct field ConfigMap.data of type string" in reply.body["message"]
    body = api.deployment()
    body["spec"]["template"]["metadata"]["labels"]["app"] = True
    reply = await api.create(body)
    said = "json: cannot unmarshal bool into Go struct field ObjectMeta.spec.template.metadata.labels of type string"
    reply.refused(400, "BadRequest", f'Deployment in version "v1" cannot be handled as a Deployment: {said}')


async def test_a_refused_text_is_quoted_as_go_does(api: Api) -> None:
    reply = await api.create(api.config(labels={"a": 'ü"\\<\x01'}))
    reply.refused(422, "Invalid")
    (cause,) = reply.body["details"]["causes"]
    assert cause["message"].startswith(r'Invalid value: "ü\"\\<\x01": a valid label must')


async def test_what_is_required_is_told_field_by_field(api: Api) -> None:
    reply = await api.create(api.object("apps/v1", "Deployment", "web", spec={"template": {}}))
    reply.refused(422, "Invalid", name="web", group="apps", kind="Deployment")
    assert _causes(reply) == [
        ("FieldValueRequired", "spec.selector"),
        ("FieldValueInvalid", "spec.template.metadata.labels"),
        ("FieldValueRequired", "spec.template.spec.containers"),
    ]


async def test_a_selector_must_fit_its_template(api: Api) -> None:
    body = api.deployment()
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    reply = await api.create(body)
    reply.refused(
        422,
        "Invalid",
        'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: {"app":"other"}: '
        "`selector` does not match template `labels`",
    )


async def test_a_deployments_selector_never_changes(api: Api) -> None:
    await api.create(api.deployment(replicas=0))
    body = api.deployment(replicas=0)
    body["spec"]["selector"]["matchLabels"] = body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    reply = await api.put(api.path(WEB, "web"), body)
    reply.refused(422, "Invalid")
    assert _causes(reply) == [("FieldValueInvalid", "spec.selector")]
    assert reply.body["details"]["causes"][0]["message"].endswith("field is immutable")


async def test_containers_need_a_name_and_an_image(api: Api) -> None:
    reply = await api.create(api.deployment(containers=[{"name": "Bad_Name"}]))
    reply.refused(422, "Invalid")
    assert ("FieldValueInvalid", "spec.template.spec.containers[0].name") in _causes(reply)
    assert ("FieldValueRequired", "spec.template.spec.containers[0].image") in _causes(reply)


async def test_negative_replicas_are_invalid(api: Api) -> None:
    reply = await api.create(api.deployment(replicas=-1))
    reply.refused(422, "Invalid")
    assert reply.body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": "Invalid value: -1: must be greater than or equal to 0",
            "field": "spec.replicas",
        }
    ]


async def test_a_service_needs_ports_that_are_ports(api: Api) -> None:
    reply = await api.create(api.object("v1", "Service", "web", spec={"ports": [{"port": 70000}]}))
    reply.refused(422, "Invalid", kind="Service")
    assert _causes(reply)[0] == ("FieldValueInvalid", "spec.ports[0].port")
    reply = await api.create(api.object("v1", "Service", "web", spec={}))
    assert ("FieldValueRequired", "spec.ports") in _causes(reply.refused(422, "Invalid"))


async def test_a_quantity_must_be_one(api: Api) -> None:
    limits = {"cpu": "lots"}
    containers = [{"name": "app", "image": "x:1", "resources": {"limits": limits}}]
    reply = await api.create(api.deployment(containers=containers))
    reply.refused(400, "BadRequest")
    assert "quantities must match the regular expression" in reply.body["message"]


async def test_a_jobs_template_never_changes(api: Api) -> None:
    await api.until(api.path("serviceaccounts", "default"), bool)
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "x:1"}]}}
    await api.create(api.object("batch/v1", "Job", "web", spec={"template": template, "suspend": True}))
    await api.until(api.path("batch/v1/jobs", "web"), lambda seen: seen.get("status", {}).get("conditions"))
    change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}
    await api.merge(api.path("batch/v1/jobs", "web"), {"spec": {"suspend": False}})
    await api.until(api.path("batch/v1/jobs", "web"), lambda seen: seen.get("status", {}).get("startTime"))
    reply = await api.merge(api.path("batch/v1/jobs", "web"), change)
    reply.refused(422, "Invalid")
    assert _causes(reply) == [("FieldValueInvalid", "spec.template")]


def _job(api: Api, *rules: Any, restart: str = "Never", **spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": restart, "containers": [{"name": "app", "image": "x:1"}]}}
    spec |= {"template": template, "suspend": True, "podFailurePolicy": {"rules": list(rules)}}
    return api.object("batch/v1", "Job", "web", spec=spec)


async def test_a_jobs_failure_policy_is_kept_and_never_changes(api: Api) -> None:
    rules = [
        {"action": "FailJob", "onExitCodes": {"containerName": "app", "operator": "In", "values": [1, 42]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
    ]
    spec = (await api.create(_job(api, *rules))).ok(201).body["spec"]
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "FailJob", "onExitCodes": {"containerName": "app", "operator": "In", "values": [1, 42]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]
    change = [{"op": "remove", "path": "/spec/podFailurePolicy/rules/1"}]
    reply = await api.json_patch(api.path("batch/v1/jobs", "web"), *change)
    reply.refused(422, "Invalid")
    assert _causes(reply) == [("FieldValueInvalid", "spec.podFailurePolicy")]
    assert reply.body["message"].endswith("field is immutable")


async def test_a_job_that_is_replaced_must_keep_what_it_was_given(api: Api) -> None:
    body = _job(api)
    del body["spec"]["podFailurePolicy"]
    (await api.create(body)).ok(201)
    reply = await api.put(api.path("batch/v1/jobs", "web"), body)
    reply.refused(422, "Invalid")
    mismatch = "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`"
    told = f"spec.selector: Required value, {mismatch}, spec.selector: Invalid value: null: field is immutable"
    assert reply.body["message"] == f'Job.batch "web" is invalid: [{told}]'


async def test_an_indexed_job_grows_in_tandem(api: Api) -> None:
    body = _job(api, completionMode="Indexed", completions=2, parallelism=2)
    del body["spec"]["podFailurePolicy"]
    (await api.create(body)).ok(201)
    path = api.path("batch/v1/jobs", "web")
    reply = await api.merge(path, {"spec": {"completions": 3}})
    reply.refused(422, "Invalid")
    said = "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"
    assert reply.body["message"] == f'Job.batch "web" is invalid: {said}'
    (await api.merge(path, {"spec": {"completions": 3, "parallelism": 3}})).ok(200)
    reply = await api.merge(path, {"spec": {"template": {"metadata": {"labels": {"job-name": "other"}}}}})
    reply.refused(422, "Invalid")
    assert ("FieldValueInvalid", "spec.template.metadata.labels[job-name]") in _causes(reply)


async def test_a_jobs_failure_policy_is_told_rule_by_rule(api: Api) -> None:
    reply = await api.create(
        _job(
            api,
            {"onExitCodes": {"operator": "In", "values": [3, 0, 3], "containerName": "other"}},
            {"action": "Give", "onExitCodes": {"values": []}, "onPodConditions": [{"status": "Perhaps"}]},
            {"action": "FailIndex"},
            restart="OnFailure",
        )
    )
    reply.refused(422, "Invalid", name="web", group="batch", kind="Job")
    path = "spec.podFailurePolicy.rules"
    actions = '"Count", "FailIndex", "FailJob", "Ignore"'
    assert [(one["field"], one["message"]) for one in reply.body["details"]["causes"]] == [
        (f"{path}[0].action", f"Required value: valid values: [{actions.replace(',', '')}]"),
        (
            f"{path}[0].onExitCodes.containerName",
            'Invalid value: "other": must be one of the container or initContainer names in the pod template',
        ),
        (f"{path}[0].onExitCodes.values[1]", "Invalid value: 0: must not be 0 for the In operator"),
        (f"{path}[0].onExitCodes.values[2]", "Duplicate value: 3"),
        (f"{path}[0].onExitCodes.values", "Invalid value: [3,0,3]: must be ordered"),
        (f"{path}[1].action", f'Unsupported value: "Give": supported values: {actions}'),
        (f"{path}[1].onExitCodes.operator", 'Required value: valid values: ["In" "NotIn"]'),
        (f"{path}[1].onExitCodes.values", "Invalid value: []: at least one value is required"),
        (f"{path}[1].onPodConditions[0].type", 'Invalid value: "": name part must be non-empty'),
        (
            f"{path}[1].onPodConditions[0].type",
            f'Invalid value: "": {PART}',
        ),
        (
            f"{path}[1].onPodConditions[0].status",
            'Unsupported value: "Perhaps": supported values: "False", "True", "Unknown"',
        ),
        (f"{path}[1]", "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"),
        (f"{path}[2].action", 'Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set'),
        (f"{path}[2]", "Invalid value: specifying one of OnExitCodes and OnPodConditions is required"),
        (
            "spec.template.spec.restartPolicy",
            'Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
        ),
    ]


async def test_a_node_is_registered_with_its_status(api: Api) -> None:
    status = {"capacity": {"cpu": "4"}, "nodeInfo": {"kubeletVersion": "v1.36.0"}}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n-{api.run}"}, "status": status}
    found = (await api.post("/api/v1/nodes", body, dryRun="All")).ok(201).body["status"]
    assert found["capacity"] == found["allocatable"] == {"cpu": "4"}
    assert found["nodeInfo"]["kubeletVersion"] == "v1.36.0"


async def test_a_secrets_data_must_be_encoded(api: Api) -> None:
    reply = await api.create(api.object("v1", "Secret", "web", data={"a": "not base64!"}))
    reply.refused(400, "BadRequest")
    assert "illegal base64 data at input byte" in reply.body["message"]


@pytest.mark.parametrize("port", ["http", 80])
async def test_a_number_or_a_name_may_stand_for_a_port(api: Api, port: Any) -> None:
    ports = [{"port": 80, "targetPort": port}]
    reply = (await api.create(api.object("v1", "Service", "web", spec={"ports": ports, "clusterIP": "None"}))).ok(201)
    assert reply.body["spec"]["ports"][0]["targetPort"] == port


async def test_a_deployment_is_filled_with_its_defaults(api: Api) -> None:
    spec = (await api.create(api.deployment())).ok(201).body["spec"]
    assert {key: value for key, value in spec.items() if key not in ("selector", "template")} == {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    pod = spec["template"]["spec"]
    assert pod == {
        "containers": [
            {
                "name": "app",
                "image": "registry.example/app:1",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }


async def test_a_service_gets_an_address_and_its_defaults(api: Api) -> None:
    ports = [{"port": 80}]
    spec = (await api.create(api.object("v1", "Service", "web", spec={"ports": ports}))).ok(201).body["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["clusterIP"].startswith("10.")
    assert {key: value for key, value in spec.items() if not key.startswith("clusterIP")} == {
        "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    }
