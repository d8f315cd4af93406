"""Marks: the field manager's name, the owner annotation, and that a copied object is not ours."""

from __future__ import annotations

import pytest

from appdelivery.model import marks
from appdelivery.model.record import changed
from appdelivery.model.refs import AppKey, Ref

APP = AppKey("shop", "web")
REF = Ref("apps", "v1", "Deployment", "shop", "web")


def test_a_mark_gives_back_installation_and_application() -> None:
    mark = marks.owner_mark("0a1b2c3d", APP, REF)
    assert mark == "0a1b2c3d:shop/web:apps/Deployment:shop/web"
    assert marks.owner_app(mark) == ("0a1b2c3d", APP)
    assert marks.is_self(mark, REF)


def test_the_version_of_an_object_is_no_part_of_its_mark() -> None:
    assert marks.is_self(marks.owner_mark("0a1b2c3d", APP, REF), changed(REF, version="v1beta1"))


@pytest.mark.parametrize("other", [{"name": "copy"}, {"namespace": "elsewhere"}, {"kind": "StatefulSet"}, {"group": ""}])
def test_a_copied_object_does_not_carry_its_own_mark(other: dict[str, str]) -> None:
    assert not marks.is_self(marks.owner_mark("0a1b2c3d", APP, REF), changed(REF, **other))


@pytest.mark.parametrize("text", ["", "x", "a:b", "a:b:c", ":shop/web:apps/Deployment:shop/web", "a:shop/:x"])
def test_other_text_is_no_mark(text: str) -> None:
    assert marks.owner_app(text) is None
    assert not marks.is_self(text, REF)


def test_names_with_colons_keep_their_address() -> None:
    ref = Ref("rbac.authorization.k8s.io", "v1", "ClusterRole", "", "system:shop:reader")
    assert marks.is_self(marks.owner_mark("0a1b2c3d", APP, ref), ref)


def test_a_manager_fits_the_servers_limit_and_stays_distinct() -> None:
    assert marks.manager_of(APP) == "appctl:shop/web"
    long = [AppKey("n" * 63, "a" * 62 + end) for end in "xy"]
    names = [marks.manager_of(app) for app in long]
    assert [len(name) for name in names] == [128, 128]
    assert names[0] != names[1]
