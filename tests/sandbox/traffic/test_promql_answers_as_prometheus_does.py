"""PromQL of the sandbox: what it knows it answers as Prometheus does, what it does not know it refuses by name."""

from __future__ import annotations

import contextlib
import math

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery.sandbox.traffic import evaluate, promql, series, tokens


@pytest.fixture
def database():
    """Two instances of a service that count to 60 and 6 a minute over ten minutes from 1,000 on, and one gauge."""
    made = series.Database(5.0)
    for code, per_second in (("200", 1.0), ("500", 0.1)):
        points = [(1000.0 + 10 * n, 10 * n * per_second) for n in range(61)]
        made.points("requests_total", {"service": "web", "code": code}).add(points)
    made.points("temperature", {"room": "a"}).add([(1000.0, 20.0), (1100.0, 22.0)])
    made.points("temperature", {"room": "b"}).add([(1000.0, 18.0)])
    return made


def ask(database, query, at=1600.0):
    return evaluate.Moment(database, at).value(promql.parse(query))


def alone(database, query, at=1600.0):
    """The one value of a vector."""
    (value,) = ask(database, query, at).values()
    return value


def test_a_selector_finds_by_labels(database):
    assert len(ask(database, "requests_total")) == 2
    assert alone(database, 'requests_total{code="200"}') == 600
    assert alone(database, 'requests_total{code!="200"}') == 60
    assert alone(database, 'requests_total{code=~"5.."}') == 60
    assert alone(database, 'requests_total{code!~"5.."}') == 600
    assert alone(database, '{__name__=~"requests.*",code="500"}') == 60
    assert ask(database, 'requests_total{code=~"5"}') == {}  # anchored on both sides
    assert len(ask(database, 'requests_total{none=""}')) == 2


def test_a_sample_counts_for_five_minutes(database):
    assert len(ask(database, "temperature", 1299)) == 2
    assert len(ask(database, "temperature", 1350)) == 1
    assert ask(database, "temperature", 1401) == {}
    assert ask(database, "temperature", 999) == {}


def test_rates_are_per_second_and_increases_per_range(database):
    assert alone(database, 'rate(requests_total{code="200"}[1m])') == pytest.approx(1.0)
    assert alone(database, 'increase(requests_total{code="500"}[2m])') == pytest.approx(12.0)
    assert alone(database, 'irate(requests_total{code="500"}[2m])') == pytest.approx(0.1)
    assert alone(database, 'rate(requests_total{code="200"}[1m] offset 5m)') == pytest.approx(1.0)


def test_a_rate_needs_two_samples(database):
    assert ask(database, "rate(requests_total[5s])") == {}


def test_a_reset_of_a_counter_is_no_loss():
    database = series.Database(5.0)
    database.points("c", {}).add([(0.0, 100.0), (10.0, 110.0), (20.0, 5.0), (30.0, 15.0)])
    assert alone(database, "increase(c[30s])", 30.0) == pytest.approx((5 + 10) * 30 / 20)
    assert alone(database, "irate(c[30s])", 20.0) == pytest.approx(0.5)
    assert alone(database, "delta(c[31s])", 30.0) < 0


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("sum(requests_total)", 660),
        ("avg(requests_total)", 330),
        ("max(requests_total)", 600),
        ("min(requests_total)", 60),
        ("count(requests_total)", 2),
        ("quantile(0.5, requests_total)", 330),
        ("topk(1, requests_total)", 600),
        ("bottomk(1, requests_total)", 60),
        ("sum(rate(requests_total{code=~'5..'}[1m])) / sum(rate(requests_total[1m]))", 0.1 / 1.1),
        ("scalar(sum(requests_total)) + vector(1)", 661),
        ("absent(nothing)", 1),
        ("-sum(requests_total)", -660),
        ("abs(-sum(requests_total))", 660),
        ("clamp_max(sum(requests_total), 100)", 100),
        ("clamp_min(sum(requests_total), 1e3)", 1000),
        ("round(sum(requests_total) / 100)", 7),
        ("floor(sum(requests_total) / 100)", 6),
        ("ceil(sum(requests_total) / 100)", 7),
        ("count_over_time(temperature{room='a'}[1h])", 2),
        ("avg_over_time(temperature{room='a'}[1h])", 21),
        ("max_over_time(temperature{room='a'}[1h])", 22),
        ("last_over_time(temperature{room='a'}[1h])", 22),
        ("sum_over_time(temperature{room='a'}[1h])", 42),
    ],
)
def test_functions_and_aggregations(database, query, value):
    assert alone(database, query) == pytest.approx(value)


def test_grouping_keeps_or_leaves_labels(database):
    assert {dict(key)["code"] for key in ask(database, "sum by (code) (requests_total)")} == {"200", "500"}
    assert ask(database, "sum(requests_total) by (service)") == {(("service", "web"),): 660}
    assert {dict(key)["code"] for key in ask(database, "sum without (service) (requests_total)")} == {"200", "500"}


def test_scalars_follow_precedence(database):
    assert ask(database, "1 + 2 * 3 ^ 2") == 19
    assert ask(database, "-2 ^ 2") == -4
    assert ask(database, "2 ^ 3 ^ 2") == 512
    assert ask(database, "(1 + 2) * 3 - 10 % 4") == 7
    assert ask(database, "1 == bool 1") == 1.0
    assert ask(database, "time()", 1234.5) == 1234.5
    assert ask(database, "1 / 0") == math.inf
    assert math.isnan(ask(database, "0 / 0"))
    assert ask(database, "0x1F # a comment") == 31


def test_comparisons_filter_and_bool_answers(database):
    assert list(ask(database, "requests_total > 100").values()) == [600]
    assert list(ask(database, "100 < requests_total").values()) == [600]
    assert sorted(ask(database, "requests_total > bool 100").values()) == [0, 1]
    assert ask(database, "sum(requests_total) < 0") == {}


def test_vectors_meet_by_their_labels(database):
    assert sorted(ask(database, "requests_total / requests_total").values()) == [1, 1]
    assert alone(database, 'requests_total{code="500"} / ignoring(code) requests_total{code="200"}') == pytest.approx(0.1)
    assert alone(database, 'requests_total{code="500"} / on(service) requests_total{code="200"}') == pytest.approx(0.1)
    assert ask(database, 'requests_total{code="500"} / requests_total{code="200"}') == {}


def test_set_operators(database):
    assert list(ask(database, 'requests_total and requests_total{code="200"}').values()) == [600]
    assert list(ask(database, 'requests_total unless requests_total{code="200"}').values()) == [60]
    assert alone(database, "nothing or vector(0)") == 0


def test_a_match_that_is_not_one_to_one_fails(database):
    with pytest.raises(evaluate.Failed, match="duplicate series for the match group"):
        ask(database, "requests_total / on(service) requests_total")


def test_a_quantile_comes_from_the_buckets():
    database = series.Database(5.0)
    for bound, count in (("0.1", 50.0), ("0.5", 90.0), ("1", 100.0), ("+Inf", 100.0)):
        database.points("d_bucket", {"le": bound, "service": "web"}).add([(0.0, count)])
    assert alone(database, "histogram_quantile(0.5, d_bucket)", 1) == pytest.approx(0.1)
    assert alone(database, "histogram_quantile(0.7, d_bucket)", 1) == pytest.approx(0.3)
    assert alone(database, "histogram_quantile(0.95, sum by (le) (d_bucket))", 1) == pytest.approx(0.75)
    assert alone(database, "histogram_quantile(0, d_bucket)", 1) == 0
    assert alone(database, "histogram_quantile(2, d_bucket)", 1) == math.inf
    assert math.isnan(alone(database, "histogram_quantile(0.5, d_bucket{le!='+Inf'})", 1))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "no expression"),
        ("sum(", "unexpected end of input"),
        ("requests_total{code=200}", "expected a quoted text"),
        ("requests_total{code='200'", "unexpected end of input"),
        ("requests_total)", "unexpected ')'"),
        ("rate(requests_total)", "rate takes a range vector, not an instant vector"),
        ("requests_total[5m] + 1", "not a range vector"),
        ("sum(requests_total[5m])", "sum takes an instant vector"),
        ("predict_linear(requests_total[5m], 60)", "predict_linear is not known to the sandbox; it knows"),
        ("a * on(x) group_left b", "group_left is not known"),
        ("rate(a[5m:1m])", "subqueries are not known"),
        ("a @ 5", "the modifier @"),
        ("{}", "at least one non-empty matcher"),
        ('{a=~".*"}', "at least one non-empty matcher"),
        ('a{b=~"("}', "no regular expression"),
        ("1 == 1", "must use the bool modifier"),
        ("a and 1", "takes instant vectors on both sides"),
        ("a[0s]", "duration must be greater than 0"),
        ("a ? b", "unexpected character"),
        ("quantile(a)", "takes 2 argument"),
        ("-" * 60 + "1", "nested too deeply"),
        ("(" * 60 + "1" + ")" * 60, "nested too deeply"),
    ],
)
def test_what_is_wrong_or_unknown_is_refused_with_its_reason(query, said):
    with pytest.raises(tokens.Invalid) as caught:
        promql.parse(query)
    assert said in str(caught.value)


@settings(max_examples=support.examples(60), deadline=None)
@given(st.text(alphabet='ab{}[]()="~!<>+-*/^,5ms \\', max_size=40))
def test_no_text_breaks_the_parser(text):
    with contextlib.suppress(tokens.Invalid):
        assert promql.parse(text) is not None
