"""Objects that cannot be had as they are written: refused before anything is applied where that can be known, and else
named with their component, their field and their line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import custom_kinds
import parts
import pytest

if TYPE_CHECKING:
    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-three")]
BESIDE = parts.config_map("beside", a="b")  # stands beside what is wrong: it tells what was applied


def up(lab: laboratory.Laboratory, *bodies: dict[str, Any], name: str = "shop", words: tuple[str, ...] = ()) -> Any:
    return lab.appctl("up", parts.application(lab, name, parts.objects(*bodies)), *words, code=None)


def nothing_was_begun(lab: laboratory.Laboratory, name: str = "shop") -> bool:
    """No release of the application, and not one of its objects in the cluster."""
    known = json.loads(lab.appctl("list", "-o", "json").out)["items"]
    return name not in [one["name"] for one in known] and "configmap/beside" not in lab.names("configmaps")


@pytest.fixture
def space(lab: laboratory.Laboratory) -> laboratory.Laboratory:
    lab.kubectl("create", "namespace", lab.namespace)
    return lab


def test_a_kind_that_the_cluster_does_not_serve_stops_everything(space: laboratory.Laboratory) -> None:
    gadget = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "one"}, "spec": {}}
    said = parts.answered(up(space, BESIDE, gadget), 2, "error: component own: cluster", "does not serve Gadget")
    assert re.search(r"cluster \S+ \(v\d+\.\d+", said), "the server's version is not named"
    assert nothing_was_begun(space)


@pytest.mark.parametrize("count", [1, 5])
def test_a_missing_namespace_stops_everything_unless_it_may_be_made(lab: laboratory.Laboratory, count: int) -> None:
    bodies = [parts.config_map(f"part-{number}", a="b") for number in range(count)]
    parts.answered(up(lab, *bodies), 2, f"error: ConfigMap {lab.namespace}/part-0", "does not exist", "--create-namespace")
    assert lab.kubectl("get", "namespace", lab.namespace, "--ignore-not-found") == ""
    assert up(lab, *bodies, words=("--create-namespace",)).code == 0
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert lab.kubectl("get", "namespace", lab.namespace, "-o", "name") == f"namespace/{lab.namespace}\n"


def test_a_field_that_cannot_change_is_named_with_both_values_and_the_way_to_allow_it(space: laboratory.Laboratory) -> None:
    def service(**spec: Any) -> dict[str, Any]:
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
        return body | {"spec": {"ports": [{"port": 80}], "selector": {"app": "web"}, **spec}}

    pods = parts.deployment("web")
    assert up(space, pods, service(), BESIDE).code == 0
    other = parts.deployment("web", labels={"app": "other"})
    changed = parts.config_map("beside", a="c")
    done = up(space, other, service(clusterIP="10.96.200.201"), changed)
    was = space.get("service", "web")["spec"]["clusterIP"]
    parts.answered(
        done,
        2,
        f"error: Deployment {space.namespace}/web",
        'spec.selector cannot change (is {"matchLabels":{"app":"web"}}, wanted {"matchLabels":{"app":"other"}})',
        'annotation appdelivery.dev/recreate: "true" on the Deployment',
        f"error: Service {space.namespace}/web",
        f"spec.clusterIP cannot change (is {was}, wanted 10.96.200.201)",
    )
    assert space.get("configmap", "beside")["data"] == {"a": "b"}
    assert len(json.loads(space.appctl("history", f"{space.namespace}/shop", "-o", "json").out)["items"]) == 1

    other["metadata"]["annotations"] = {"appdelivery.dev/recreate": "true"}
    refused = up(space, other, service(), changed)
    parts.answered(refused, 2, "error: replace 1 object in", "add --yes")
    before = space.get("deployment", "web")["metadata"]["uid"]
    assert "1 updated, 1 replaced" in up(space, other, service(), changed, words=("--yes",)).out
    assert space.get("deployment", "web")["metadata"]["uid"] != before


def test_a_job_is_replaced_when_its_author_changes_it_and_never_otherwise(space: laboratory.Laboratory) -> None:
    def job(image: str) -> dict[str, Any]:
        pod = {"restartPolicy": "Never", "containers": [{"name": "app", "image": image}]}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": {"spec": pod}}}

    assert up(space, job("example/job:1")).code == 0
    first = space.get("job", "once")["metadata"]["uid"]
    assert "1 unchanged" in up(space, job("example/job:1")).out
    parts.answered(up(space, job("example/job:2")), 2, "± replace   Job/once", "add --yes")
    assert "1 replaced" in up(space, job("example/job:2"), words=("--yes",)).out
    second = space.get("job", "once")
    assert second["metadata"]["uid"] != first
    assert second["spec"]["template"]["spec"]["containers"][0]["image"] == "example/job:2"


def test_what_a_server_refuses_is_shown_where_it_was_written(space: laboratory.Laboratory) -> None:
    negative = parts.deployment("web", replicas=-1)
    misspelt = parts.deployment("api", imag="example/api:1")
    unknown = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "typo"}, "spec": {"prots": []}}
    done = up(space, BESIDE, negative, misspelt, unknown)
    said = parts.answered(done, 1, "component own: ", "must be greater than or equal to 0", "a field is misspelt")
    with open(f"{space.home}/shop.yaml", encoding="utf-8") as file:
        lines = file.read().splitlines()
    for field in ("replicas: -1", "imag: example/api:1", "prots: []"):
        (number,) = [n for n, text in enumerate(lines, 1) if text.strip().endswith(field)]
        assert re.search(rf"shop\.yaml:{number}:\d+: component own: ", said), said
    assert "valueUnstructured" not in said
    assert "3 failed" in done.out
    # What could be applied is there and recorded; the next run goes on from it.
    assert "1 created" in done.out
    good = up(space, BESIDE, parts.deployment("web"), parts.deployment("api"))
    assert good.code == 0, good.err
    assert "2 created, 1 unchanged" in good.out


def test_a_refused_property_of_a_component_is_shown_at_its_component(space: laboratory.Laboratory) -> None:
    app = parts.application(space, "shop", parts.component("webservice", image="example/web:1", cpu="-1"))
    done = space.appctl("up", app, code=None)
    parts.answered(done, 1, "shop.yaml:8:5: component web: ", "resources.limits[cpu]", "see more: appctl why")
    assert "go back" not in done.err, "there is nothing to go back to"


def test_an_object_that_is_too_large_is_refused_with_its_size(space: laboratory.Laboratory) -> None:
    halves = dict.fromkeys(("a", "b"), "x" * 800_000)
    parts.answered(up(space, BESIDE, parts.config_map("large", **halves)), 2, "ConfigMap", "large", "1.4 MB")
    assert nothing_was_begun(space)


def test_what_somebody_else_made_is_left_alone_and_its_maker_named(space: laboratory.Laboratory) -> None:
    space.kubectl("create", "configmap", "bare", "--from-literal=a=theirs")
    done = up(space, parts.config_map("bare", a="ours"), BESIDE)
    parts.answered(done, 2, f"error: ConfigMap {space.namespace}/bare", "it exists and belongs to kubectl", "take-over")
    assert space.get("configmap", "bare")["data"] == {"a": "theirs"}
    assert nothing_was_begun(space)


def test_two_applications_cannot_have_one_object(space: laboratory.Laboratory) -> None:
    assert up(space, parts.config_map("shared", a="first"), name="first").code == 0
    second = [parts.config_map("shared", a="second"), BESIDE]
    app = parts.application(space, "second", parts.objects(*second))
    for done in parts.together(
        space, ["up", app], ["up", app, "--take-ownership", "--yes"], ["up", app, "--force-conflicts"]
    ):
        parts.answered(done, 2, f"it belongs to application {space.namespace}/first", "remove it from one of the two")
    assert space.get("configmap", "shared")["data"] == {"a": "first"}
    assert nothing_was_begun(space, "second")
    space.appctl("delete", f"{space.namespace}/first", "--yes")
    assert up(space, *second, name="second").code == 0


def test_of_two_applications_in_one_file_the_second_cannot_take_what_the_first_has_just_made(
    space: laboratory.Laboratory,
) -> None:
    texts = []
    for name in ("first", "second"):
        with open(
            parts.application(space, name, parts.objects(parts.config_map("shared", a=name))), encoding="utf-8"
        ) as file:
            texts.append(file.read())
    both = space.write("both.yaml", "---\n".join(texts))
    done = space.appctl("up", both, code=None)
    parts.answered(done, 1, "somebody else has created it meanwhile", "a new plan says whose it is")
    assert "first release 1 succeeded" in done.out
    assert space.get("configmap", "shared")["data"] == {"a": "first"}

    # What can be known to be impossible stops all of them.
    fresh = space.write("fresh.yaml", texts[1].replace("second", "third") + "---\n" + texts[0].replace("first", "fourth"))
    parts.answered(space.appctl("up", fresh, code=None), 2, f"it belongs to application {space.namespace}/first")
    assert nothing_was_begun(space, "third")


def test_a_kind_that_comes_or_goes_is_noticed_at_once(space: laboratory.Laboratory) -> None:
    group = f"{space.namespace}.example.com"
    crd = custom_kinds.crd(group, custom_kinds.version("v1", storage=True))
    own = (BESIDE, parts.widget(group, "one", size=1))
    parts.answered(up(space, *own), 2, "does not serve Widget")
    space.kubectl("apply", "-f", "-", stdin=json.dumps(crd))
    try:
        space.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=30s")
        assert up(space, *own, words=("--wait", "applied")).code == 0
        assert "2 unchanged" in up(space, *own, words=("--wait", "applied")).out
        space.appctl("delete", f"{space.namespace}/shop", "--yes")
        assert space.names(f"widgets.{group}") == []
    finally:
        space.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")


def test_an_application_that_brings_its_kinds_is_known_and_deleted_whole(space: laboratory.Laboratory) -> None:
    group = f"{space.namespace}.example.com"
    crd = custom_kinds.crd(group, custom_kinds.version("v1", storage=True))
    whole = (parts.widget(group, "one", size=1), crd)
    try:
        assert "2 created" in up(space, *whole, words=("--wait", "applied")).out
        assert "2 unchanged" in up(space, *whole, words=("--wait", "applied")).out
        left = space.appctl("delete", f"{space.namespace}/shop", "--yes", code=1)
        assert "1 deleted, 1 left alone" in left.out
        assert f"--delete CustomResourceDefinition/widgets.{group}" in left.err
        assert space.names(f"widgets.{group}") == []
    finally:
        space.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")


def test_an_object_of_another_installation_is_named_with_it(space: laboratory.Laboratory, tmp_path) -> None:
    body = parts.config_map("settings", a="first")
    assert up(space, body).code == 0
    other = parts.at(space, space.context)
    other.home = str(tmp_path / "other")
    (tmp_path / "other").mkdir()
    done = up(other, body)
    said = parts.answered(done, 2, f"it exists and belongs to application {space.namespace}/shop of installation ")
    assert re.search(r"of installation [0-9a-f]{8}\b", said)
    assert up(other, body, words=("--take-ownership", "--yes")).code == 0
    # The first installation has lost it, and sees that it has.
    parts.answered(up(space, body), 2, "of installation ")


def test_an_admission_policy_speaks_in_its_own_words(space: laboratory.Laboratory) -> None:
    name = space.namespace
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["configmaps"],
                    }
                ],
            },
            "validations": [{"expression": "!('secret' in object.data)", "message": "no secrets in ConfigMaps, please"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    for body in (policy, binding):
        space.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    try:
        parts.until(lambda: _denied(space), 30)
        done = up(space, parts.config_map("settings", secret="x"), BESIDE)
        parts.answered(done, 1, f"apply ConfigMap {name}/settings on cluster", "no secrets in ConfigMaps, please")
        assert "1 created, 1 failed" in done.out
        assert "settings" not in space.kubectl("get", "configmaps", "-o", "name")
    finally:
        space.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)


def _denied(lab: laboratory.Laboratory) -> bool:
    """The server needs a moment to know a policy."""
    body = parts.config_map("probe", secret="x")
    try:
        lab.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(body))
    except AssertionError as error:
        return "no secrets" in str(error)
    return False


def test_a_webhook_that_is_down_is_tried_again_and_named(space: laboratory.Laboratory) -> None:
    name = space.namespace
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "down.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
            }
        ],
    }
    space.kubectl("create", "-f", "-", stdin=json.dumps(hook))
    try:
        running = parts.Running(space, "up", parts.application(space, "shop", parts.objects(BESIDE)))
        running.says('failed calling webhook "down.example.com"')
        running.says("tried again in 1s")
    finally:
        space.kubectl("delete", "validatingwebhookconfiguration", name)
    assert "1 created" in running.ended(0).out
