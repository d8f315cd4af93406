"""Labels, taints, selectors and selections of clusters, as they are typed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.model import labels, selection

DOING = "label cluster eu-1"
KNOWN = {
    "eu-1": {"env": "prod", "tier": "gold"},
    "eu-2": {"env": "test"},
    "us-1": {"env": "prod"},
}


def relabelled(before: dict[str, str], *words: str, overwrite: bool = False) -> dict[str, str]:
    return labels.changed(before, labels.changes(words, DOING), DOING, overwrite=overwrite)


def test_labels_are_set_and_taken_away() -> None:
    assert relabelled({"a": "1", "b": "2"}, "c=3", "b-", "gone-", "example.com/d=") == {
        "a": "1",
        "c": "3",
        "example.com/d": "",
    }


def test_another_value_has_to_be_asked_for() -> None:
    with pytest.raises(errors.Refused, match="it has a=1 already") as caught:
        relabelled({"a": "1"}, "a=2")
    assert "--overwrite" in caught.value.hint
    assert relabelled({"a": "1"}, "a=2", overwrite=True) == {"a": "2"}
    assert relabelled({"a": "1"}, "a=1") == {"a": "1"}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("env", "is not a label"),
        ("=prod", "is not the key"),
        ("-", "is not the key"),
        ("env=pr od", "is not the value"),
        ("-env=x", "is not the key"),
        (f"{'k' * 64}=x", "is not the key"),
        (f"env={'v' * 64}", "is not the value"),
        ("Example_.com/x=1", "is not the key"),
        ("a/b/c=1", "is not the key"),
        ("env=ü", "is not the value"),
    ],
)
def test_a_broken_label_is_refused(word: str, says: str) -> None:
    with pytest.raises(errors.UsageError, match=says) as caught:
        labels.changes([word], DOING)
    assert caught.value.message.startswith(DOING)


def test_a_label_given_twice_is_refused() -> None:
    with pytest.raises(errors.UsageError, match="'a' is given twice"):
        labels.changes(["a=1", "a-"], DOING)


def test_labels_of_a_new_cluster_cannot_be_taken_away() -> None:
    assert labels.given("a=1,b=", DOING) == {"a": "1", "b": ""}
    with pytest.raises(errors.UsageError, match="there is none yet"):
        labels.given("a-", DOING)


def tainted(before: list[dict[str, str]], *words: str, overwrite: bool = False) -> list[str]:
    found = labels.tainted(before, labels.taint_changes(words, DOING), DOING, overwrite=overwrite)
    return [labels.taint_text(taint) for taint in found]


def test_taints_are_kept_by_key_and_effect() -> None:
    before = [{"key": "team", "value": "ml", "effect": "NoPlace"}]
    assert tainted(before, "team=ml:PreferNoPlace", "old:Evict") == ["old:Evict", "team=ml:NoPlace", "team=ml:PreferNoPlace"]
    assert tainted(before, "team-") == []
    assert tainted(before, "team:NoPlace-") == []
    assert tainted(before, "team:Evict-") == ["team=ml:NoPlace"]
    assert tainted(before, "team=web:NoPlace", overwrite=True) == ["team=web:NoPlace"]
    with pytest.raises(errors.Refused, match="team=ml:NoPlace already"):
        tainted(before, "team=web:NoPlace")


@pytest.mark.parametrize(
    "word", ["team", "team=ml", "team=ml:NoSchedule", ":NoPlace", "team=ml:NoPlace-", "te am:Evict", "-"]
)
def test_a_broken_taint_is_refused_with_the_form(word: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        labels.taint_changes([word], "taint cluster eu-1")
    assert "KEY=VALUE:EFFECT" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "eu-1 eu-2 us-1"),
        ("env=prod", "eu-1 us-1"),
        ("env==prod", "eu-1 us-1"),
        ("env!=prod", "eu-2"),
        ("tier", "eu-1"),
        ("!tier", "eu-2 us-1"),
        ("env in (prod, test),!tier", "eu-2 us-1"),
        ("env notin (test)", "eu-1 us-1"),
        ("env in(prod)", "eu-1 us-1"),
        ("tier!=gold", "eu-2 us-1"),
        ("env=prod,tier=gold", "eu-1"),
    ],
)
def test_a_selector_chooses_by_labels(text: str, names: str) -> None:
    assert selection.parse([], text).pick(KNOWN) == tuple(names.split())


@pytest.mark.parametrize("text", ["=x", "env in prod", "env in (prod", "a b", "env=a b", "!"])
def test_a_broken_selector_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError, match=r"^-l "):
        labels.selector(text)


def test_a_selection_names_clusters_each_once_in_their_order() -> None:
    assert selection.parse(["us-1,eu-2", "us-1"]).pick(KNOWN) == ("us-1", "eu-2")
    assert selection.parse(["eu-*"]).pick(KNOWN) == ("eu-1", "eu-2")
    assert selection.parse(["*"], "env=prod").pick(KNOWN) == ("eu-1", "us-1")
    assert selection.parse([]).everything
    assert selection.parse([]).pick({}) == ()


def test_a_selection_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(errors.NotFound, match="did you mean 'eu-1'"):
        selection.parse(["eu1"]).pick(KNOWN)
    with pytest.raises(errors.NotFound, match="no name fits"):
        selection.parse(["ap-*"]).pick(KNOWN)
    with pytest.raises(errors.NotFound, match="none has these labels"):
        selection.parse([], "env=stage").pick(KNOWN)
    with pytest.raises(errors.UsageError, match="a name is empty"):
        selection.parse(["eu-1,,us-1"])
    with pytest.raises(errors.UsageError, match="a name is empty"):
        selection.parse(["eu-1,"])


@given(st.text(max_size=80))
def test_whatever_is_typed_is_read_or_refused_and_nothing_else(text: str) -> None:
    for read in (labels.selector, lambda t: labels.changes([t], DOING), lambda t: labels.taint_changes([t], DOING)):
        with contextlib.suppress(errors.UsageError):
            read(text)
