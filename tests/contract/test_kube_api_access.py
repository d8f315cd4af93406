"""Who may do what: credentials, refusals, reviews, impersonation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube_api import Api

AUTHORIZATION = "authorization.k8s.io/v1"
AUTHENTICATION = "authentication.k8s.io/v1"


async def _review(api: Api, kind: str, spec: Any = None, group: str = AUTHORIZATION) -> dict[str, Any]:
    body = {"apiVersion": group, "kind": kind} | ({"spec": spec} if spec is not None else {})
    reply = (await api.post(f"/apis/{group}/{kind.lower()}s", body)).ok(201)
    assert reply.body["kind"] == kind
    return reply.body["status"]


async def _may(api: Api, verb: str, resource: str, namespace: str, group: str = "", **more: str) -> bool:
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace, **more}
    return (await _review(api, "SelfSubjectAccessReview", {"resourceAttributes": attributes}))["allowed"]


async def test_a_wrong_token_is_nobody(api: Api) -> None:
    reply = await api.with_token("wrong").get(api.path("configmaps"))
    reply.refused(401, "Unauthorized", "Unauthorized")


async def test_who_has_no_rights_is_told_what_was_refused(api: Api) -> None:
    reply = await api.as_("none").get(api.path("configmaps"))
    said = f'cannot list resource "configmaps" in API group "" in the namespace "{api.namespace}"'
    reply.refused(403, "Forbidden", f'configmaps is forbidden: User "none" {said}', kind="configmaps")
    reply = await api.as_("none").get(api.path("apps/v1/deployments", "web"))
    said = f'cannot get resource "deployments" in API group "apps" in the namespace "{api.namespace}"'
    reply.refused(
        403,
        "Forbidden",
        f'deployments.apps "web" is forbidden: User "none" {said}',
        name="web",
        group="apps",
        kind="deployments",
    )


async def test_a_refusal_at_cluster_scope_says_so(api: Api) -> None:
    reply = await api.as_("none").get("/api/v1/nodes")
    said = 'cannot list resource "nodes" in API group "" at the cluster scope'
    reply.refused(403, "Forbidden", f'nodes is forbidden: User "none" {said}', kind="nodes")


async def test_a_refused_write_wrote_nothing(api: Api) -> None:
    reply = await api.as_("none").create(api.config())
    reply.refused(403, "Forbidden")
    assert 'cannot create resource "configmaps"' in reply.body["message"]
    (await api.get(api.path("configmaps", "web"))).refused(404, "NotFound")


async def test_every_verb_is_named_as_it_is_authorised(api: Api) -> None:
    none = api.as_("none")
    path = api.path("configmaps", "web")
    for reply, verb in (
        (await none.put(path, api.config()), "update"),
        (await none.merge(path, {}), "patch"),
        (await none.apply(api.config()), "patch"),
        (await none.delete(path), "delete"),
        (await none.delete(api.path("configmaps")), "deletecollection"),
        (await none.get(api.path("configmaps"), watch="true"), "watch"),
    ):
        reply.refused(403, "Forbidden")
        assert f'cannot {verb} resource "configmaps"' in reply.body["message"]


async def test_subresources_are_authorised_apart(api: Api) -> None:
    reply = await api.as_("none").get(api.path("pods", "web", "log"))
    reply.refused(403, "Forbidden")
    assert 'cannot get resource "pods/log" in API group ""' in reply.body["message"]


async def test_paths_that_are_no_resources_are_authorised_by_path(api: Api) -> None:
    reply = await api.as_("none").get("/metrics")
    reply.refused(403, "Forbidden", 'forbidden: User "none" cannot get path "/metrics"')


async def test_discovery_and_health_are_for_everybody(api: Api) -> None:
    none = api.as_("none")
    for path in ("/version", "/api", "/apis", "/apis/apps/v1", "/readyz", "/openapi/v3"):
        (await none.get(path)).ok(200)


async def test_rights_in_one_namespace_end_there(api: Api) -> None:
    team = api.as_("team")
    (await team.get(api.path("configmaps", namespace="team"))).ok(200)
    (await team.get(api.path("configmaps"))).refused(403, "Forbidden")
    (await team.get(api.path("configmaps", namespace=None))).refused(403, "Forbidden")


async def test_access_reviews_answer_for_oneself(api: Api) -> None:
    assert await _may(api, "delete", "deployments", api.namespace, "apps")
    assert not await _may(api.as_("none"), "get", "configmaps", api.namespace)
    team = api.as_("team")
    assert await _may(team, "create", "configmaps", "team")
    assert not await _may(team, "create", "configmaps", api.namespace)


async def test_rules_reviews_list_what_one_may(api: Api) -> None:
    status = await _review(api, "SelfSubjectRulesReview", {"namespace": api.namespace})
    assert any(rule["verbs"] == ["*"] and rule["resources"] == ["*"] for rule in status["resourceRules"])


async def test_rules_reviews_list_what_everybody_may(api: Api) -> None:
    status = await _review(api.as_("none"), "SelfSubjectRulesReview", {"namespace": api.namespace})
    own = [("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"])]
    own += [("authentication.k8s.io", ["selfsubjectreviews"])]
    assert status["resourceRules"] == [
        {"verbs": ["create"], "apiGroups": [group], "resources": resources} for group, resources in own
    ]
    health = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
    discovery = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", *health[2:]]
    assert sorted(rule["nonResourceURLs"] for rule in status["nonResourceRules"]) == [discovery, health]


async def test_one_learns_who_one_is(api: Api) -> None:
    status = await _review(api.as_("team"), "SelfSubjectReview", group=AUTHENTICATION)
    assert status["userInfo"]["username"] == "team"
    assert "system:authenticated" in status["userInfo"]["groups"]


async def test_tokens_are_reviewed(api: Api) -> None:
    team = api.as_("team")
    status = await _review(api, "TokenReview", {"token": team.token}, AUTHENTICATION)
    assert (status["authenticated"], status["user"]["username"]) == (True, "team")
    status = await _review(api, "TokenReview", {"token": "wrong"}, AUTHENTICATION)
    assert not status.get("authenticated")


async def test_impersonation_acts_as_the_other(api: Api) -> None:
    status = await _review(api.impersonating("somebody"), "SelfSubjectReview", group=AUTHENTICATION)
    assert status["userInfo"]["username"] == "somebody"
    (await api.impersonating("somebody").get(api.path("configmaps"))).refused(403, "Forbidden")
    assert (await api.as_("proxy").impersonating("team").get(api.path("configmaps", namespace="team"))).code == 200


async def test_impersonation_is_a_right_of_its_own(api: Api) -> None:
    reply = await api.as_("proxy").impersonating("root").get(api.path("configmaps"))
    reply.refused(403, "Forbidden")
    # A real server words it by what this user was allowed to impersonate before.
    assert 'is forbidden: User "proxy" cannot impersonate' in reply.body["message"]


async def test_what_a_right_to_impersonate_lets_through_is_recorded_as_the_other(api: Api) -> None:
    other = api.as_("proxy").impersonating("team")
    name = f"c-{api.run}"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "team"}}
    (await other.post(api.path("configmaps", namespace="team"), body)).ok(201)
    (await other.delete(api.path("configmaps", name, namespace="team"))).ok(200)
