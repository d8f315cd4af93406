"""P10 of security.md: compiled definitions are never read from a place that another user can write; and freshness."""

from __future__ import annotations

import os

import pytest
from compiling import compiled

from appdelivery.language import cache, module


@pytest.fixture
def kept(tmp_path):
    """A definition file and its entry in a private folder."""
    file = tmp_path / "probe.yaml"
    file.write_text("anything")
    folder = tmp_path / "cache"
    found = compiled("patch: {v: 1}")
    assert cache.store(str(file), found, folder=str(folder))
    return str(file), str(folder), found


def entry(folder):
    names = os.listdir(folder)
    assert len(names) == 1
    return os.path.join(folder, names[0])


def test_an_entry_is_read_back_as_it_was_written(kept):
    file, folder, found = kept
    again = cache.load(file, folder=folder)
    assert again == found
    assert module.bind(again).render({}, {}).patch == {"v": 1}
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert os.stat(entry(folder)).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o755, 0o711])
def test_a_folder_that_others_can_enter_is_not_read_and_not_written(kept, mode):
    file, folder, found = kept
    os.chmod(folder, mode)
    assert cache.load(file, folder=folder) is None
    assert not cache.store(file, found, folder=folder)


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o644])
def test_a_file_that_others_can_touch_is_not_read(kept, mode):
    file, folder, _ = kept
    os.chmod(entry(folder), mode)
    assert cache.load(file, folder=folder) is None


def test_links_are_not_followed(kept, tmp_path):
    file, folder, found = kept
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert cache.load(file, folder=str(link)) is None
    assert not cache.store(file, found, folder=str(link))
    path = entry(folder)
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    assert cache.load(file, folder=folder) is None


def test_a_file_with_a_second_name_is_not_read(kept, tmp_path):
    file, folder, _ = kept
    os.link(entry(folder), tmp_path / "second")
    assert cache.load(file, folder=folder) is None


def test_what_is_no_plain_file_is_not_read(kept):
    file, folder, _ = kept
    path = entry(folder)
    os.remove(path)
    os.mkdir(path, 0o700)
    assert cache.load(file, folder=folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["folder", "file"])
def test_what_belongs_to_somebody_else_is_not_read(kept, which):
    file, folder, found = kept
    os.chown(folder if which == "folder" else entry(folder), 12345, -1)
    assert cache.load(file, folder=folder) is None
    if which == "folder":
        assert not cache.store(file, found, folder=folder)


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-3], lambda d: d[:40] + b"\xff" + d[41:], lambda d: b"", lambda d: d + b"x"]
)
def test_a_torn_entry_is_as_if_it_were_not_there(kept, damage):
    file, folder, _ = kept
    path = entry(folder)
    with open(path, "rb") as stream:
        data = stream.read()
    with open(path, "wb") as stream:
        stream.write(damage(data))
    assert cache.load(file, folder=folder) is None


def test_an_entry_is_stale_when_its_file_changed(kept):
    file, folder, _ = kept
    seen = os.stat(file)
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    assert cache.load(file, folder=folder) is None
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert cache.load(file, folder=folder) is not None
    with open(file, "a") as stream:
        stream.write("more")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert cache.load(file, folder=folder) is None


def test_an_entry_is_stale_when_a_shared_part_changed_or_went(tmp_path):
    file, part = tmp_path / "d.yaml", tmp_path / "part.yaml"
    text = "apiVersion: appdelivery.dev/v1\nkind: Shared\nmetadata: {name: part}\nlet: {x: 1}"
    file.write_text("x")
    part.write_text(text)
    from compiling import LAYOUTS, definition

    found = module.compile(
        definition("include: [part]\npatch: {v: '${{ x }}'}"),
        str(file),
        shared=lambda _: (part.read_bytes(), str(part)),
        layouts=LAYOUTS,
    )
    folder = str(tmp_path / "cache")
    assert cache.store(str(file), found, folder=folder)
    assert cache.load(str(file), folder=folder) == found
    part.write_text(text + "0")
    assert cache.load(str(file), folder=folder) is None
    os.remove(part)
    assert cache.load(str(file), folder=folder) is None


def test_an_entry_is_stale_for_another_language_tag_or_version(kept, monkeypatch):
    file, folder, _ = kept
    assert cache.load(file, folder=folder, tag="other") is None
    monkeypatch.setattr(module, "LANGUAGE", module.LANGUAGE + 1)
    assert cache.load(file, folder=folder) is None


def test_a_missing_folder_or_file_is_no_error(kept, tmp_path):
    file, folder, found = kept
    assert cache.load(file, folder=str(tmp_path / "none")) is None
    os.remove(file)
    assert cache.load(file, folder=folder) is None
    assert not cache.store(file, found, folder=folder)


def test_loading_a_cached_definition_imports_no_compiler(kept):
    import subprocess
    import sys

    file, folder, _ = kept
    program = (
        "import sys\n"
        "from appdelivery.language import cache, module\n"
        f"found = cache.load({file!r}, folder={folder!r})\n"
        "assert module.bind(found).render({}, {}).patch == {'v': 1}\n"
        "assert module.bind(found).check({}) == {}\n"
        "heavy = ['typing', 'dataclasses', 'pathlib', 'uuid', 'logging', 'asyncio', 'jinja2', 'jsonschema', 'ast',\n"
        "         're2', 'difflib', 'yaml', 'appdelivery.language.compiling.compiler', 'appdelivery.language.expressions.translate']\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
