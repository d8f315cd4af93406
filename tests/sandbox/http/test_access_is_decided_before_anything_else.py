"""Identities, rules, impersonation and reviews."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import APPLY, MAPS, Client, cluster, create, guarded

from appdelivery.sandbox.http import access
from appdelivery.sandbox.http.access import Action, Identity, Rule

AUTHORIZATION = "/apis/authorization.k8s.io/v1"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"


def client(**rules) -> Client:
    made = Client(cluster("a"), access=guarded(**rules))
    made.token = "some"
    return made


async def test_an_unknown_token_gets_401():
    asked = client()
    asked.token = "unknown"
    reply = await asked.get(MAPS)
    assert reply.status == 401
    assert reply.json == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
        "reason": "Unauthorized", "code": 401,
    }  # fmt: skip


async def test_without_any_token_nobody_gets_in():
    assert (await Client(cluster(), access=access.Access({})).get(MAPS)).status == 403
    assert (await Client(cluster(), access=access.Access()).get(MAPS)).status == 200


async def test_nobody_may_see_health_and_version_only():
    asked = client()
    asked.token = ""
    assert (await asked.get("/readyz")).body == b"ok"
    assert (await asked.get("/version")).json["gitVersion"]
    assert (await asked.get("/api")).message == 'forbidden: User "system:anonymous" cannot get path "/api"'
    assert (await asked.get("/api/v1/pods")).message == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope'
    )


FORBIDDEN = [
    ("GET", MAPS, "configmaps", "", 'cannot list resource "configmaps" in API group "" in the namespace "team"'),
    ("GET", f"{MAPS}/x", "configmaps", "x", 'cannot get resource "configmaps" in API group "" in the namespace "team"'),
    ("GET", f"{MAPS}?watch=1", "configmaps", "", 'cannot watch resource "configmaps" in API group "" in the namespace "team"'),
    ("GET", f"{MAPS}?fieldSelector=metadata.name=x", "configmaps", "x",
     'cannot list resource "configmaps" in API group "" in the namespace "team"'),
    ("DELETE", MAPS, "configmaps", "", 'cannot deletecollection resource "configmaps" in API group "" in the namespace "team"'),
    ("POST", "/apis/apps/v1/namespaces/team/deployments", "deployments.apps", "",
     'cannot create resource "deployments" in API group "apps" in the namespace "team"'),
    ("GET", "/apis/apps/v1/namespaces/team/deployments/x/scale", "deployments.apps", "x",
     'cannot get resource "deployments/scale" in API group "apps" in the namespace "team"'),
    ("GET", "/api/v1/namespaces/team", "namespaces", "team",
     'cannot get resource "namespaces" in API group "" in the namespace "team"'),
    ("GET", "/api/v1/nowhere", "nowhere", "", 'cannot list resource "nowhere" in API group "" at the cluster scope'),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "what", "name", "said"), FORBIDDEN)
async def test_403_says_who_cannot_do_what_where(method, path, what, name, said):
    reply = await client().ask(method, path, {})
    quoted = f' "{name}"' if name else ""
    assert (reply.status, reply.json["reason"]) == (403, "Forbidden")
    assert reply.message == f'{what}{quoted} is forbidden: User "somebody" {said}'
    assert reply.json["details"].get("name", "") == name


async def test_what_is_denied_stays_denied_whatever_is_allowed():
    asked = client(allow=(Rule(),), deny=(Rule(verbs=("delete", "patch"), kinds=("configmaps",), names=("a",)),))
    assert (await asked.get(f"{MAPS}/a")).status == 200
    assert (await asked.ask("DELETE", f"{MAPS}/a")).status == 403
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert (await asked.ask("PATCH", f"{MAPS}/a?fieldManager=m", body, type=APPLY)).status == 403
    assert (await asked.ask("POST", MAPS, {"metadata": {"name": "b"}})).status == 201


NAME = st.sampled_from(["pods", "configmaps", "deployments"])
SPACE = st.sampled_from(["", "one", "two"])
VERB = st.sampled_from(["get", "list", "create"])
RULE = st.builds(
    Rule,
    verbs=st.sampled_from([("*",), ("get",), ("get", "list")]),
    kinds=st.sampled_from([("*",), ("pods",), ("configmaps", "deployments"), ("pods/log", "*/scale")]),
    namespaces=st.sampled_from([(), ("one",)]),
    names=st.sampled_from([(), ("x",)]),
)
ACTION = st.builds(
    Action, verb=VERB, plural=NAME, namespace=SPACE, name=st.sampled_from(["", "x"]), subresource=st.sampled_from(["", "log", "scale"])
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(allow=st.lists(RULE, max_size=3), deny=st.lists(RULE, max_size=3), action=ACTION)
def test_a_rule_more_never_takes_away_and_a_denial_more_never_gives(allow, deny, action):
    decide = access.Access({}).allows
    now = decide(Identity("u", allow=tuple(allow), deny=tuple(deny)), action)
    assert now is (
        any(access.matches(one, action) for one in allow) and not any(access.matches(one, action) for one in deny)
    )
    assert decide(Identity("u", allow=(*allow, Rule()), deny=()), action)
    assert not decide(Identity("u", allow=tuple(allow), deny=(*deny, Rule())), action)


async def test_who_may_impersonate_is_the_other_and_the_log_says_so():
    known = Identity("bob", allow=(Rule(verbs=("list",)),))
    boss = Identity("boss", allow=(Rule(verbs=("impersonate",), kinds=("users", "groups")),))
    asked = Client(cluster("a"), access=access.Access({"t": boss}, users=(known,)))
    asked.token = "t"
    assert (await asked.get(MAPS)).status == 403
    assert (await asked.get(MAPS, impersonate_user="bob")).status == 200
    assert (await asked.get(f"{MAPS}/a", impersonate_user="bob")).status == 403
    assert [request.user for request in asked.app.log] == ["boss", "bob", "bob"]
    reply = await asked.get(MAPS, impersonate_user="eve", impersonate_group="g")
    assert reply.message.startswith('configmaps is forbidden: User "eve" cannot list')


async def test_impersonation_needs_a_right_and_a_user():
    reply = await client(allow=(Rule(verbs=("get", "list")),)).get("/api/v1/pods", impersonate_user="bob")
    assert reply.message == (
        'pods is forbidden: User "somebody" cannot impersonate-on:user-info:list resource "pods" in API group "" '
        "at the cluster scope"
    )
    reply = await client().get("/api/v1/pods", impersonate_group="gg")
    assert (reply.status, "without impersonating a user name" in reply.message) == (400, True)


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "team"}}, True),
        ({"resourceAttributes": {"verb": "get", "resource": "pods"}}, False),
        ({"resourceAttributes": {"verb": "*", "resource": "*"}}, False),
        ({"nonResourceAttributes": {"verb": "get", "path": "/api/v1"}}, True),
        ({"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}, False),
    ],
)
async def test_one_can_ask_what_one_may_do(spec, allowed):
    asked = client(allow=(Rule(verbs=("get",), kinds=("pods",), namespaces=("team",)),))
    reply = await asked.ask("POST", f"{AUTHORIZATION}/selfsubjectaccessreviews", {"spec": spec})
    assert (reply.status, reply.json["status"], reply.json["spec"]) == (201, {"allowed": allowed}, spec)


async def test_a_question_without_a_subject_is_refused():
    reply = await client().ask("POST", f"{AUTHORIZATION}/selfsubjectaccessreviews", {"spec": {}})
    assert reply.message == (
        '.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: '
        "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    )


async def test_rules_can_be_listed_for_a_namespace():
    asked = client(allow=(Rule(verbs=("get",), groups=("",), kinds=("pods",), names=("x",)), Rule(namespaces=("other",))))
    reply = await asked.ask("POST", f"{AUTHORIZATION}/selfsubjectrulesreviews", {"spec": {"namespace": "team"}})
    said = reply.json["status"]
    assert said["resourceRules"][0] == {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["x"]}
    assert all("*" not in rule["resources"] for rule in said["resourceRules"])
    assert said["incomplete"] is False
    reply = await asked.ask("POST", f"{AUTHORIZATION}/selfsubjectrulesreviews", {"spec": {}})
    assert (reply.status, reply.message) == (400, "no namespace on request")


async def test_others_can_be_asked_about():
    asked = client(allow=(Rule(),))
    spec = {"user": "somebody", "resourceAttributes": {"verb": "get", "resource": "pods"}}
    reply = await asked.ask("POST", f"{AUTHORIZATION}/subjectaccessreviews", {"spec": spec})
    assert reply.json["status"]["allowed"] is True
    reply = await asked.ask("POST", f"{AUTHORIZATION}/subjectaccessreviews", {"spec": {**spec, "user": "bob"}})
    assert reply.json["status"]["allowed"] is False
    reply = await asked.ask("POST", f"{AUTHORIZATION}/namespaces/team/localsubjectaccessreviews", {"spec": spec})
    assert reply.json["metadata"] == {"namespace": "team"}


async def test_a_token_tells_who_it_is():
    asked = client(allow=(Rule(),))
    reply = await asked.ask("POST", f"{AUTHENTICATION}/tokenreviews", {"spec": {"token": "admin"}})
    assert reply.json["status"]["user"] == {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    assert reply.json["status"]["audiences"] == ["https://sandbox.test"]
    reply = await asked.ask("POST", f"{AUTHENTICATION}/tokenreviews", {"spec": {"token": "bad"}})
    assert reply.json["status"] == {"user": {}, "error": "invalid bearer token"}
    reply = await asked.ask("POST", f"{AUTHENTICATION}/selfsubjectreviews", {})
    assert reply.json["status"]["userInfo"]["username"] == "somebody"
    assert (await asked.get(f"{AUTHENTICATION}/tokenreviews")).status == 405


async def test_a_service_account_gets_a_token_that_names_it():
    made = cluster()
    create(made, "v1", "ServiceAccount", {"metadata": {"name": "robot"}})
    asked = Client(made, access=guarded())
    asked.token = "admin"
    reply = await asked.ask(
        "POST", "/api/v1/namespaces/team/serviceaccounts/robot/token", {"spec": {"expirationSeconds": 600}}
    )
    assert reply.status == 201
    asked.token = reply.json["status"]["token"]
    reply = await asked.get(MAPS)
    assert reply.message.startswith('configmaps is forbidden: User "system:serviceaccount:team:robot" cannot list')
