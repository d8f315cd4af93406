"""Plan files: unchanged, unexpired, of this installation, and only while nothing has moved (delivery.md section 4)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from fakes.stage import Part, Stage, config, deployment, ref, secret

from appdelivery import errors
from appdelivery.delivery import ports, saved

WEB = Part("web", [config("web")])
NEW = Part("web", [config("web", key="new")])


async def planned(stage, *parts):
    made, wanted, known = await stage.planned(*parts)
    text = saved.write(
        made,
        desired=wanted,
        installation=stage.installation,
        revision="key",
        now=stage.clock.now(),
        document={"metadata": {"name": "web"}},
    )
    return text, made, known


async def prepared():
    stage = Stage()
    await stage.deliver(WEB, Part("old", [config("old")]), Part("x", [config(f"x{n}") for n in range(5)]))
    return stage


LATER = (NEW, Part("more", [config("more")]), Part("x", [config(f"x{n}") for n in range(5)]))


async def test_what_is_written_is_what_is_read():
    stage = await prepared()
    text, made, _ = await planned(stage, *LATER)
    read = saved.read(text)
    assert read.plan == made
    assert read.expires - read.created == timedelta(hours=24)
    saved.check(read, now=stage.clock.now(), installation=stage.installation)
    assert saved.read(text.encode()).digest == read.digest


@pytest.mark.parametrize("field", ["changes", "base", "desired", "expires", "installation", "application"])
async def test_any_change_of_the_file_is_noticed(field):
    stage = await prepared()
    text, _, _ = await planned(stage, *LATER)
    tree = json.loads(text)
    tree[field] = [] if isinstance(tree[field], list) else {} if isinstance(tree[field], dict) else "other"
    with pytest.raises(errors.Conflict) as refusal:
        saved.read(json.dumps(tree))
    assert refusal.value.code == "plan.changed"


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"format": "x"}', "[" * 5000, "\x00"])
async def test_what_is_no_plan_file_is_refused(text):
    with pytest.raises(errors.Conflict) as refusal:
        saved.read(text)
    assert refusal.value.code == "plan.format"


async def test_a_newer_format_is_refused_with_the_reason():
    with pytest.raises(errors.Conflict) as refusal:
        saved.read('{"format": "appdelivery.dev/plan/v2"}')
    assert "appdelivery.dev/plan/v2" in refusal.value.message


async def test_a_file_with_a_right_digest_and_wrong_content_is_refused():
    from appdelivery.model import canonical

    tree = {"format": saved.FORMAT, "changes": 3}
    tree["digest"] = canonical.digest(tree)
    with pytest.raises(errors.Conflict):
        saved.read(json.dumps(tree))


async def test_an_expired_plan_and_one_of_another_installation_are_refused():
    stage = await prepared()
    text, _, _ = await planned(stage, *LATER)
    read = saved.read(text)
    with pytest.raises(errors.Conflict) as refusal:
        saved.check(read, now=stage.clock.now() + timedelta(hours=24), installation=stage.installation)
    assert refusal.value.code == "plan.expired"
    with pytest.raises(errors.Conflict) as refusal:
        saved.check(read, now=stage.clock.now(), installation=ports.Installation("f" * 32, b""))
    assert refusal.value.code == "plan.installation"


def _edited(stage):
    stage.fleet.edit(ref(config("web")), {"data": {"key": "theirs"}})


def _removed(stage):
    world = stage.fleet.world()
    world._remove(ref(config("web")).identity, stage.live(config("web"))["metadata"]["uid"], "Background")


def _exchanged(stage):
    _removed(stage)
    stage.fleet.foreign(stage.live(config("old")) | config("web"))


def _appeared(stage):
    stage.fleet.foreign(config("more"))


def _dead(stage):
    stage.fleet.down.add("one")


@pytest.mark.parametrize(
    ("move", "word"),
    [
        (_edited, "ConfigMap shop/web on one changed (by kubectl-edit)"),
        (_removed, "ConfigMap shop/web on one is gone"),
        (_exchanged, "ConfigMap shop/web on one was deleted and created again"),
        (_appeared, "ConfigMap shop/more on one exists now"),
        (_dead, "could not be read"),
    ],
)
async def test_anything_that_moved_makes_it_stale_and_is_named(move, word):
    stage = await prepared()
    text, _, _ = await planned(stage, *LATER)
    move(stage)
    _, fresh, known = await planned(stage, *LATER)
    with pytest.raises(errors.Conflict) as refusal:
        saved.verify(saved.read(text), 1, known)
    assert word in refusal.value.message
    with pytest.raises(errors.Conflict):
        saved.compare(saved.read(text), fresh)


async def test_a_release_in_between_makes_it_stale():
    stage = await prepared()
    text, _, _ = await planned(stage, *LATER)
    await stage.deliver(*LATER)
    _, fresh, known = await planned(stage, *LATER)
    with pytest.raises(errors.Conflict) as refusal:
        saved.compare(saved.read(text), fresh)
    assert "release 2 was opened, the plan knows 1" in refusal.value.message
    assert saved.moved(saved.read(text).plan.base, 2, known)


async def test_what_did_not_move_passes():
    stage = await prepared()
    text, _, _ = await planned(stage, *LATER)
    stage.fleet.edit(ref(config("web")), {"metadata": {"labels": {"theirs": "1"}}})  # not ours
    _, fresh, known = await planned(stage, *LATER)
    saved.verify(saved.read(text), 1, known)
    saved.compare(saved.read(text), fresh)


async def test_only_the_listed_changes_are_carried_out():
    stage = await prepared()
    text, _, _ = await planned(stage, *LATER)
    read = saved.read(text)
    stage.fleet.edit(ref(config("x0")), {"data": {"key": "theirs"}})  # would need a change that is not in the plan
    ended = await stage.deliver(*LATER, how={"exact": read.plan})
    assert stage.live(config("x0"))["data"] == {"key": "theirs"}
    assert stage.live(config("web"))["data"] == {"key": "new"}
    assert {(o.change.subject.ref.name, o.change.why.code) for o in ended.outcomes if o.result == "skipped"} == {
        ("x0", "not-in-plan")
    }


async def test_values_of_secrets_are_never_in_the_file():
    stage = Stage()
    text, _, _ = await planned(stage, Part("web", [secret("s", password="correct horse"), deployment("web")]))
    assert "correct horse" not in text
    assert "Y29ycmVjdCBob3JzZQ" not in text
    assert None in saved.read(text).desired.values()


async def test_a_document_with_secrets_in_clear_is_not_written():
    stage = Stage()
    made, wanted, _ = await stage.planned(Part("web", [secret("s", password="correct horse")]))
    with pytest.raises(errors.Refused) as refusal:
        saved.write(
            made,
            desired=wanted,
            installation=stage.installation,
            revision="key",
            now=stage.clock.now(),
            document={"spec": {"password": "correct horse"}},
        )
    assert "secret" in refusal.value.message
