"""Two authors who disagree about one place of one object are told so, with path and values."""

from __future__ import annotations

import pytest

from appdelivery.language import patch
from appdelivery.model.secret import Secret

BASE = {
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {
                "containers": [
                    {"name": "web", "image": "base", "ports": [{"containerPort": 80, "name": "http"}]},
                    {"name": "side", "image": "base"},
                ]
            }
        },
    }
}


def pod(**fields):
    return {"spec": {"template": {"spec": fields}}}


def applied(*changes):
    """Each change by an author of its own: a, b, c ..."""
    writes, tree = patch.Writes(), BASE
    for author, change in zip("abcdef", changes, strict=False):
        tree = patch.strategic(tree, change, author=author, writes=writes)
    return tree


def conflict(*changes) -> patch.PatchError:
    applied(*changes[:-1])
    with pytest.raises(patch.PatchError) as caught:
        applied(*changes)
    assert caught.value.code == "render.conflict"
    return caught.value


def test_different_scalars_at_one_path():
    error = conflict({"spec": {"replicas": 3}}, {"spec": {"replicas": 5}})
    assert error.message == "traits 'a' and 'b' both set spec.replicas (3 and 5)"
    assert error.path == "spec.replicas"


def test_overriding_the_component_needs_no_ritual():
    assert applied({"spec": {"replicas": 3}})["spec"]["replicas"] == 3


def test_equal_values_are_fine_and_the_third_author_is_compared_with_the_first():
    error = conflict({"spec": {"replicas": 3}}, {"spec": {"replicas": 3}}, {"spec": {"replicas": 4}})
    assert error.message == "traits 'a' and 'c' both set spec.replicas (3 and 4)"


def test_true_is_not_one():
    conflict({"spec": {"x": 1}}, {"spec": {"x": True}})


def test_one_author_may_change_its_mind():
    writes = patch.Writes()
    tree = patch.strategic(BASE, {"spec": {"replicas": 3}}, author="a", writes=writes)
    tree = patch.strategic(tree, {"spec": {"replicas": None, "x": {"y": 1}}}, author="a", writes=writes)
    tree = patch.strategic(tree, {"spec": {"replicas": 4, "x": "z"}}, author="a", writes=writes)
    assert (tree["spec"]["replicas"], tree["spec"]["x"]) == (4, "z")


def test_writes_belong_to_one_object():
    for author, replicas in (("a", 3), ("b", 5)):
        patch.strategic(BASE, {"spec": {"replicas": replicas}}, author=author, writes=patch.Writes())


@pytest.mark.parametrize("removal", [None, {"$patch": "delete"}])
def test_a_removal_after_a_value(removal):
    error = conflict({"spec": {"replicas": 3}}, {"spec": {"replicas": removal}})
    assert error.message == "trait 'b' removes spec.replicas, which trait 'a' set (3)"


def test_a_value_after_a_removal_is_fine():
    assert applied({"spec": {"replicas": None}}, {"spec": {"replicas": 3}})["spec"]["replicas"] == 3


def test_removing_what_only_the_component_wrote_is_fine():
    assert "replicas" not in applied({"spec": {"x": 1}}, {"spec": {"replicas": None}})["spec"]


@pytest.mark.parametrize(
    "second",
    [
        {"spec": None},
        {"spec": {"x": None}},
        {"spec": {"$patch": "replace", "z": 1}},
        {"spec": {"$retainKeys": ["z"], "z": 1}},
    ],
)
def test_a_removal_of_the_surroundings(second):
    error = conflict({"spec": {"x": {"y": 1}}}, second)
    assert error.message == "trait 'b' removes spec.x.y, which trait 'a' set (1)"
    assert error.path == "spec.x.y"


def test_an_empty_map_is_a_value_too():
    error = conflict({"spec": {"emptyDir": {}}}, {"spec": {"emptyDir": None}})
    assert error.message == "trait 'b' removes spec.emptyDir, which trait 'a' set ({})"
    assert applied({"spec": {"emptyDir": {}}}, {"spec": {"emptyDir": {"x": 1}}})["spec"]["emptyDir"] == {"x": 1}


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [(1, {"y": 2}, '1 and {"y": 2}'), ({"y": 2}, 1, None), ([1], {"y": 2}, '[1] and {"y": 2}'), ([1], [2], "[1] and [2]")],
)
def test_values_of_different_kinds_or_lists_without_key(first, second, values):
    error = conflict({"spec": {"x": first}}, {"spec": {"x": second}})
    if values:
        assert error.message == f"traits 'a' and 'b' both set spec.x ({values})"
    else:
        assert error.message == "traits 'a' and 'b' both set spec.x.y (2 and 1)"


def test_equal_lists_are_fine():
    assert applied({"spec": {"x": [1]}}, {"spec": {"x": [1]}})["spec"]["x"] == [1]


def test_items_are_known_by_their_key():
    first = pod(containers=[{"name": "web", "image": "one"}])
    assert applied(first, pod(containers=[{"name": "side", "image": "two"}]))
    error = conflict(first, pod(containers=[{"name": "side", "image": "x"}, {"name": "web", "image": "two"}]))
    assert error.message == "traits 'a' and 'b' both set spec.template.spec.containers[web].image (one and two)"
    assert error.path == "spec.template.spec.containers[web].image"


def test_items_with_two_keys_and_inside_other_items():
    def port(name, **more):
        return pod(containers=[{"name": "web", "ports": [{"containerPort": 80, "name": name, **more}]}])

    error = conflict(port("x"), port("y", protocol="TCP"))
    assert error.path == "spec.template.spec.containers[web].ports[80/TCP].name"
    assert applied(port("x"), port("y", protocol="UDP"))


def test_addressing_an_item_is_no_write():
    first = pod(containers=[{"name": "web"}])
    assert (
        len(applied(first, pod(containers=[{"name": "web", "$patch": "delete"}]))["spec"]["template"]["spec"]["containers"])
        == 1
    )


def test_deleting_an_item_that_another_changed_or_added():
    gone = [{"name": "web", "$patch": "delete"}]
    error = conflict(pod(containers=[{"name": "web", "image": "x"}]), pod(containers=gone))
    assert error.message == "trait 'b' removes spec.template.spec.containers[web].image, which trait 'a' set (x)"
    error = conflict(pod(imagePullSecrets=[{"name": "web"}]), pod(imagePullSecrets=gone))
    assert error.path == "spec.template.spec.imagePullSecrets[web].name"


def test_replacing_a_list_that_another_changed():
    change = pod(containers=[{"name": "web", "image": "x"}])
    error = conflict(change, pod(containers=[{"$patch": "replace"}, {"name": "n", "image": "y"}]))
    assert error.path == "spec.template.spec.containers[web].image"
    assert applied(
        pod(containers=[{"$patch": "replace"}, {"name": "n", "image": "y"}]), pod(containers=[{"name": "m", "image": "z"}])
    )


def test_sets_are_united_without_conflict():
    result = applied({"metadata": {"finalizers": ["a"]}}, {"metadata": {"finalizers": ["b"]}})
    assert result["metadata"]["finalizers"] == ["a", "b"]


def test_secrets_in_messages_are_masked():
    error = conflict({"data": {"p": Secret("hunter2")}}, {"data": {"p": Secret("hunter3")}})
    assert error.message == "traits 'a' and 'b' both set data.p (<redacted> and <redacted>)"
    error = conflict({"x": [{"p": Secret("hunter2")}]}, {"x": []})
    assert "hunter" not in error.message
    assert applied({"data": {"p": Secret("same")}}, {"data": {"p": Secret("same")}})


def test_long_values_are_cut_in_messages():
    assert len(conflict({"x": "a" * 500}, {"x": "b" * 500}).message) < 200
