"""The traffic model: who gets how much, by weights and readiness, and the series that come of it."""

from __future__ import annotations

import json

import pytest

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.cluster import Cluster
from appdelivery.sandbox.traffic import model, script
from appdelivery.sandbox.traffic.endpoint import Endpoint


class World:
    """A cluster without controllers: objects are as the test puts them, time passes as it says."""

    def __init__(self):
        self.cluster = Cluster()
        self.time = 1_000_000.0
        self.traffic = model.Traffic(self.cluster, now=lambda: self.time)
        self.endpoint = Endpoint(self.traffic)

    def put(self, family, name, **body):
        metadata = {"name": name, "namespace": "shop", "uid": name} | body.pop("metadata", {})
        there = self.cluster.storage.family(family).get(("shop", name)) is not None
        self.cluster.storage.commit(storage.MODIFIED if there else storage.ADDED, family, {"metadata": metadata, **body})

    def remove(self, family, name):
        item = self.cluster.storage.family(family).get(("shop", name))
        self.cluster.storage.commit(storage.DELETED, family, json.loads(item.text()))

    def service(self, name, **selector):
        self.put(model.SERVICES, name, spec={"selector": selector})

    def pod(self, name, *, app, hash="h1", image="shop/web:1.0", ready=True, **annotations):
        owner = {"kind": "ReplicaSet", "name": f"{app}-{hash}", "controller": True}
        self.put(
            model.PODS,
            name,
            metadata={
                "labels": {"app": app, "pod-template-hash": hash},
                "annotations": {
                    f"test.appdelivery.dev/{key.replace('_', '-')}": value for key, value in annotations.items()
                },
                "ownerReferences": [owner],
            },
            spec={"containers": [{"image": image}]},
            status={"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
        )

    def route(self, *weights, observed=None, generation=1):
        """weights: (service, weight)"""
        references = [{"name": name, "port": 80, "weight": weight} for name, weight in weights]
        conditions = [{"type": "Accepted", "status": "True", "observedGeneration": observed}] if observed else []
        self.put(
            model.ROUTES,
            "web",
            metadata={"generation": generation},
            spec={"rules": [{"backendRefs": references}]},
            status={"parents": [{"conditions": conditions}]} if observed else {},
        )

    def wait(self, seconds):
        self.traffic.settle()
        self.time += seconds

    def ask(self, query, **more):
        code, answer = self.endpoint.answer({"query": query, **more}, ranged="step" in more)
        assert code == 200, answer
        return answer["data"]["result"]

    def value(self, query, **more):
        (only,) = self.ask(query, **more)
        return float(only["value"][1])


@pytest.fixture
def world():
    return World()


@pytest.fixture
def canary(world):
    for name, hash, image in (("stable", "h1", "shop/web:1.0"), ("canary", "h2", "shop/web:2.0")):
        world.service(name, app=name)
        world.pod(f"{name}-1", app=name, hash=hash, image=image)
    world.route(("stable", 90), ("canary", 10))
    world.traffic.script.loads.append(script.load({"requests": 100}))
    world.traffic.move()
    return world


def test_weights_divide_what_comes_in_at_a_route(canary):
    canary.wait(300)
    assert canary.value('sum(rate(http_requests_total{service="stable"}[1m]))') == pytest.approx(90, rel=0.02)
    assert canary.value('sum(rate(http_requests_total{service="canary"}[1m]))') == pytest.approx(10, rel=0.02)
    assert canary.value("sum(rate(http_requests_total[1m]))") == pytest.approx(100, rel=0.02)


def test_a_shift_shows_from_its_moment_on(canary):
    canary.wait(300)
    shifted = canary.time
    canary.route(("stable", 50), ("canary", 50), generation=2)
    canary.wait(300)
    query = 'sum(rate(http_requests_total{service="canary"}[1m]))'
    assert canary.value(query) == pytest.approx(50, rel=0.02)
    assert canary.value(query, time=str(shifted)) == pytest.approx(10, rel=0.02)


def test_a_route_counts_when_its_controller_has_taken_it_over(canary):
    canary.route(("stable", 90), ("canary", 10), observed=1, generation=1)
    canary.traffic.settle()
    canary.route(("stable", 0), ("canary", 100), observed=1, generation=2)
    shares = {row["service"]: row["requests"] for row in canary.traffic.shown()}
    assert shares == {"stable": 90, "canary": 10}
    canary.route(("stable", 0), ("canary", 100), observed=2, generation=2)
    shares = {row["service"]: row["requests"] for row in canary.traffic.shown()}
    assert shares == {"stable": 0, "canary": 100}


def test_pods_of_two_revisions_behind_one_service_share_by_their_number(world):
    world.service("web", app="web")
    for number in range(4):
        world.pod(f"web-{number}", app="web", hash="new" if number == 0 else "old", image=f"web:{2 if number == 0 else 1}")
    shown = {row["revision"]: row["requests"] for row in world.traffic.shown()}
    assert shown == {"new": script.REQUESTS / 4, "old": script.REQUESTS * 3 / 4}


def test_only_ready_pods_get_requests(world):
    world.service("web", app="web")
    world.pod("web-1", app="web", hash="old")
    world.pod("web-2", app="web", hash="new", ready=False)
    assert {row["revision"]: row["requests"] for row in world.traffic.shown()} == {"old": script.REQUESTS, "new": 0}


def test_without_a_ready_pod_every_answer_is_a_503(world):
    world.service("web", app="web")
    world.pod("web-1", app="web", ready=False)
    world.wait(120)
    assert world.value('sum(rate(http_requests_total{service="web",code="503"}[1m]))') == pytest.approx(10, rel=0.05)
    assert world.value('sum(rate(http_requests_total{service="web",code!="503"}[1m]) or vector(0))') == 0


def test_a_revision_that_is_gone_has_no_series_any_more(world):
    world.service("web", app="web")
    world.pod("web-1", app="web", hash="old")
    world.wait(120)
    world.remove(model.PODS, "web-1")
    world.pod("web-2", app="web", hash="new")
    world.wait(60)
    assert {one["metric"]["revision"] for one in world.ask('http_requests_total{code="200"}')} == {"new"}
    assert world.value('sum(increase(http_requests_total{revision="old"}[5m]))') > 500


def test_scripted_errors_and_latencies_are_of_the_revisions_they_name(canary):
    canary.traffic.script.behaviours.append(script.behaviour({"version": "2.*", "errors": 0.2, "latency": 0.4}))
    canary.traffic.move()
    canary.wait(600)
    errors = 'sum(rate(http_requests_total{{service="{0}",code=~"5.."}}[5m])) / sum(rate(http_requests_total{{service="{0}"}}[5m]))'
    assert canary.value(errors.format("canary")) == pytest.approx(0.2, rel=0.02)
    assert canary.ask(errors.format("stable")) == []
    median = "histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{{service='{}'}}[5m])))"
    assert 0.25 < canary.value(median.format("canary")) < 0.5
    assert 0.025 < canary.value(median.format("stable")) <= 0.06
    mean = "sum(rate(http_request_duration_seconds_sum{service='canary'}[5m])) / sum(rate(http_request_duration_seconds_count{service='canary'}[5m]))"
    assert canary.value(mean) == pytest.approx(0.4 * 1.133, rel=0.02)


def test_an_application_brings_its_weather_in_annotations(world):
    world.service("web", app="web")
    world.pod("web-1", app="web", error_rate="0.5", latency="2s")
    world.wait(300)
    assert world.value('sum(rate(http_requests_total{code="500"}[1m]))') == pytest.approx(5, rel=0.05)
    assert world.value("histogram_quantile(0.5, rate(http_request_duration_seconds_bucket[1m]))") > 1


def test_counters_never_fall_and_buckets_never_shrink(canary):
    values = []
    for _ in range(5):
        canary.wait(7)
        values.append(canary.value('sum(http_requests_total{service="canary"})'))
        buckets = canary.ask('http_request_duration_seconds_bucket{service="canary"}')
        counts = [float(one["value"][1]) for one in sorted(buckets, key=lambda one: float(one["metric"]["le"]))]
        assert counts == sorted(counts)
    assert values == sorted(values)


def test_a_thousand_services_are_worked_out_quickly(world):
    for number in range(1000):
        world.service(f"web-{number}", app=f"web-{number}")
        world.pod(f"web-{number}-1", app=f"web-{number}")
    assert len(world.traffic.shown()) == 1000


def test_range_queries_give_a_point_for_every_step(canary):
    canary.wait(300)
    start = canary.time - 60
    (only,) = canary.ask("sum(rate(http_requests_total[1m]))", start=str(start), end=str(canary.time), step="15")
    assert [at for at, _ in only["values"]] == [start + 15 * n for n in range(5)]
    assert all(float(value) == pytest.approx(100, rel=0.02) for _, value in only["values"])


def test_times_are_seconds_or_rfc_3339(canary):
    canary.wait(300)
    assert canary.ask("vector(1)", time="2026-01-01T00:00:00Z") == [{"metric": {}, "value": [1767225600.0, "1"]}]


@pytest.mark.parametrize(
    ("given", "ranged", "code", "said"),
    [
        ({"query": "sum("}, False, 400, "parse error"),
        ({"query": "holt_winters(a[1m], 1, 1)"}, False, 400, "not known to the sandbox"),
        ({"query": "1", "time": "yesterday"}, False, 400, "cannot parse"),
        ({"query": "1", "start": "0", "end": "10", "step": "0"}, True, 400, "zero or negative"),
        ({"query": "1", "start": "10", "end": "0", "step": "1"}, True, 400, "must not be before"),
        ({"query": "1", "start": "0", "end": "100000", "step": "1"}, True, 400, "11,000 points"),
        ({"query": "a[5m]", "start": "0", "end": "10", "step": "1"}, True, 400, "range vector"),
        ({"query": "{a=~'.+'} / on() {a=~'.+'}"}, False, 422, "duplicate series"),
    ],
)
def test_a_wrong_query_is_answered_with_its_reason(canary, given, ranged, code, said):
    canary.traffic.database.points("x", {"a": "1"}).add([(canary.time, 1.0)])
    canary.traffic.database.points("x", {"a": "2"}).add([(canary.time, 1.0)])
    status, answer = canary.endpoint.answer(given, ranged=ranged)
    assert (status, answer["status"]) == (code, "error")
    assert said in answer["error"]


@pytest.mark.parametrize(
    ("do", "result"),
    [("empty", []), ("nan", [{"metric": {}, "value": [5.0, "NaN"]}])],
)
def test_answers_go_wrong_as_often_as_they_shall(world, do, result):
    world.traffic.script.answers.append(script.answer({"do": do, "query": "vector*", "count": 1}))
    assert world.traffic.script.answer("sum(x)") is None
    planned = world.traffic.script.answer("vector(1)")
    _, answer = world.endpoint.answer({"query": "vector(1)", "time": "5"}, ranged=False, planned=planned)
    assert answer["data"]["result"] == result
    assert world.traffic.script.answer("vector(1)") is None


def test_an_injected_error_has_its_status(world):
    planned = script.answer({"do": "error", "value": 503})
    code, answer = world.endpoint.answer({"query": "1"}, ranged=False, planned=planned)
    assert (code, answer["status"]) == (503, "error")


@pytest.mark.parametrize(
    ("read", "tree", "said"),
    [
        (script.load, {}, "needs requests"),
        (script.load, {"requests": -1}, "requests: -1"),
        (script.load, {"requests": 1, "service": "a", "route": "b"}, "one of them"),
        (script.load, {"requests": 1, "servce": "a"}, "no field 'servce'"),
        (script.behaviour, {"errors": 2}, "no share"),
        (script.behaviour, {"code": "nope"}, "no HTTP status"),
        (script.behaviour, {"latency": 0}, "above 0"),
        (script.behaviour, {"version": 2}, "version: 2 is no text"),
        (script.answer, {"do": "explode"}, "no answer 'explode'"),
        (script.answer, {"do": "empty", "count": 0}, "count: 0"),
        (script.points, {"name": "x", "points": [[1]]}, "no [time, value]"),
        (script.points, {"name": "x", "points": [["x", 1]]}, "no [time, value]"),
        (script.points, [], "is a map"),
    ],
)
def test_a_wrong_script_is_refused_with_its_field(read, tree, said):
    with pytest.raises(status.Refusal) as caught:
        read(tree)
    assert caught.value.code == 400
    assert said in caught.value.message
