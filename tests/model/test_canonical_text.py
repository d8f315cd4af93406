"""Canonical text is what the standard library's JSON gives with sorted keys, in every interpreter."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery.model import canonical
from appdelivery.model.secret import Secret, SecretRef

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(TREES)
def test_it_is_json_with_sorted_keys_and_no_spaces(tree) -> None:
    assert canonical.text(tree) == json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("tree", [float("nan"), [float("inf")], {"a": {1, 2}}, object()])
def test_what_has_no_canonical_form_is_refused(tree) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical.text(tree)


def test_secrets_enter_as_reference_or_keyed_digest() -> None:
    reference = Secret(ref=SecretRef("application", "ns/app", "db"))
    assert canonical.text({"a": reference}) == '{"a":{"$secret":["application","ns/app","db",0]}}'
    first, second = [canonical.text([Secret("hidden")], key) for key in (b"one", b"two")]
    assert first != second
    assert "hidden" not in first + second
