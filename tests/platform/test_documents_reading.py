"""Files, folders and standard input: what is read, in which order, and what is refused before anything is done."""

from __future__ import annotations

import os

import pytest

from appdelivery import errors
from appdelivery.platform import documents
from appdelivery.platform.documents import Request

APP = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: {}}}
spec: {{components: [{{name: web, type: webservice}}]}}
"""
JSON = """{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "json"},
"spec": {"components": [{"name": "web", "type": "webservice"}]}}"""


def load(*paths: str, stdin: bytes | None = None) -> list[str]:
    request = Request(tuple(paths), stdin=None if stdin is None else lambda: stdin)
    return [app.key.name for app in documents.load(request, lambda _: {}).applications]


@pytest.fixture
def folder(tmp_path) -> str:
    for name in ("b.yaml", "a/z.yml", "a/b.json", ".hidden.yaml", "a/.git/x.yaml", "note.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stem = name.partition(".")[0].replace("/", "-")
        text = APP.format(stem)
        if name.endswith(".json"):
            text = JSON
        path.write_text(text)
    return str(tmp_path)


def test_a_folder_is_read_recursively_in_name_order_without_hidden_files(folder: str) -> None:
    assert load(folder) == ["json", "a-z", "b"]


def test_several_files_and_documents_are_read_in_the_order_given(folder: str, tmp_path) -> None:
    (tmp_path / "two.yaml").write_text(APP.format("one") + "---\n" + APP.format("two"))
    assert load(f"{folder}/two.yaml", f"{folder}/b.yaml") == ["one", "two", "b"]


def test_standard_input_is_read_once_though_it_is_named_twice() -> None:
    parts = [APP.format("in").encode(), b""]
    request = Request(("-", "-"), stdin=lambda: parts.pop(0))
    assert len(documents.load(request, lambda _: {}).applications) == 1


def test_json_may_come_through_standard_input() -> None:
    assert load("-", stdin=JSON.encode()) == ["json"]


@pytest.mark.parametrize(
    ("paths", "error", "says"),
    [
        ((), errors.UsageError, "no application file was given"),
        (("-",), errors.UsageError, "standard input is not available"),
        (("nope.yaml",), errors.SourceError, "read nope.yaml: there is no such file"),
    ],
)
def test_what_cannot_be_read_is_said(paths: tuple[str, ...], error: type[errors.AppError], says: str) -> None:
    with pytest.raises(error, match=says):
        load(*paths)


def test_an_empty_folder_and_a_folder_without_applications_are_told_apart(tmp_path) -> None:
    with pytest.raises(errors.SourceError, match="holds no file that ends in"):
        load(str(tmp_path))
    (tmp_path / "a.yaml").write_text("# nothing\n")
    with pytest.raises(errors.RequestError, match="there is no Application"):
        load(str(tmp_path))


def test_a_file_that_may_not_be_read_is_said(tmp_path) -> None:
    if os.geteuid() == 0:
        os.mkdir(f"{tmp_path}/x.yaml.d")  # root reads everything; a folder in the place of a file is refused all the same
        with pytest.raises(errors.SourceError):
            load(f"{tmp_path}/x.yaml.d")
        return
    path = tmp_path / "a.yaml"
    path.write_text("a")
    path.chmod(0)
    with pytest.raises(errors.SourceError, match="Permission denied"):
        load(str(path))


def test_problems_of_every_file_come_at_once_with_their_places(tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("a: [\n")
    (tmp_path / "b.yaml").write_text("b: {\n")
    with pytest.raises(errors.SpecError) as found:
        load(str(tmp_path))
    assert [os.path.basename(p.file) for p in found.value.problems] == ["a.yaml", "b.yaml"]
    assert all(p.line for p in found.value.problems)


@pytest.mark.parametrize(
    "written", ["<redacted 1a2b3c4d>", r'"\x3credacted:7f>"', r'"\u003credacted>"', '"<reda\\\n  cted>"'], ids=range(4)
)
def test_masked_text_is_no_input(tmp_path, written) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(APP.format("a") + f"x: {written}\n")
    with pytest.raises(errors.SpecError) as found:
        load(str(path))
    assert "masked text" in found.value.problems[0].message
