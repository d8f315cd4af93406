"""How people name applications and revisions on the command line."""

from __future__ import annotations

import pytest

from appdelivery import errors
from appdelivery.model.refs import AppKey
from appdelivery.platform import looking


def test_a_name_is_taken_with_and_without_its_namespace() -> None:
    assert looking.application_key("web", "shop") == AppKey("shop", "web")
    assert looking.application_key("other/web", "shop") == AppKey("other", "web")


@pytest.mark.parametrize("text", ["", "/", "a/", "/a/b", "A", "a_b", "a/b/c", "../x", "a" * 64, "a b", "a\x1b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError, match="is not the name of an application"):
        looking.application_key(text, "default")
