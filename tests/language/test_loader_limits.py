"""Every bound of the loader: just below passes, just above is refused with limit, value and setting; bombs end at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import support

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model.record import changed

FILES = ("app.yaml", "app.json")
SMALL = yaml_in.Limits(file=1000, documents=5, depth=6, nodes=60, scalar=40, alias=12)


def refused(text: str, file: str, limits=SMALL):
    with pytest.raises(errors.SpecError) as plain:
        yaml_in.load(text.encode(), file, limits)
    with pytest.raises(errors.SpecError) as marked:
        yaml_in.compose(text.encode(), file, limits)
    assert plain.value.problems == marked.value.problems
    return plain.value.problems[-1]


def accepted(text: str, file: str, limits=SMALL):
    found = yaml_in.load(text.encode(), file, limits)
    assert [yaml_in.to_plain(node) for node in yaml_in.compose(text.encode(), file, limits)] == found
    return found


def test_the_defaults_are_those_of_the_documentation():
    assert yaml_in.LIMITS == yaml_in.Limits(
        file=4 * 1024 * 1024, documents=1000, depth=100, nodes=200_000, scalar=1024 * 1024, alias=10_000
    )


@pytest.mark.parametrize("file", FILES)
def test_bytes_of_a_file(file):
    text = "[" + " " * 998 + "]"
    accepted(text, file)
    problem = refused(" " + text, file)
    assert (problem.code, problem.hint) == ("yaml.too-large", "setting limits.yaml.file")
    assert problem.message.endswith("1,001, at most 1,000")


def test_documents_of_a_file():
    assert len(accepted("--- a\n" * 5, "f")) == 5
    problem = refused("--- a\n" * 6, "f")
    assert (problem.code, problem.line, problem.hint) == ("yaml.too-large", 6, "setting limits.yaml.documents")


def test_empty_documents_count_too():
    assert refused("---\n" * 6, "f").hint == "setting limits.yaml.documents"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_levels(file, opening, closing):
    accepted(opening * 6 + "1" + closing * 6, file)
    problem = refused(opening * 7 + "1" + closing * 7, file)
    assert (problem.code, problem.message) == ("yaml.too-deep", "nested deeper than 6 levels")
    assert problem.column == len(opening) * 6 + 1


@pytest.mark.parametrize("file", FILES)
def test_nodes(file):
    accepted(json.dumps(list(range(59))), file)
    problem = refused(json.dumps(list(range(60))), file)
    assert (problem.code, problem.hint) == ("yaml.too-large", "setting limits.yaml.nodes")
    assert problem.message.endswith("61, at most 60")


@pytest.mark.parametrize("file", FILES)
def test_keys_are_nodes(file):
    accepted(json.dumps({f"k{i}": i for i in range(29)}), file)
    assert refused(json.dumps({f"k{i}": i for i in range(30)}), file).code == "yaml.too-large"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("form", ['{{"a": "{}"}}', '{{"{}": 1}}', '["{}"]'])
def test_characters_of_one_scalar(file, form):
    accepted(form.format("é" * 40), file)
    problem = refused(form.format("é" * 41), file)
    assert (problem.code, problem.hint) == ("yaml.too-large", "setting limits.yaml.scalar")
    assert problem.message.endswith("41, at most 40")


def test_nodes_that_aliases_repeat():
    text = "- &a [1, 2]\n"
    accepted(text + "- *a\n" * 4, "f")
    problem = refused(text + "- *a\n" * 5, "f")
    assert (problem.code, problem.line, problem.hint) == ("yaml.alias", 6, "setting limits.yaml.alias")


def test_repeated_nodes_count_as_nodes():
    wide = changed(SMALL, alias=1000)
    accepted("- &a [" + "1," * 8 + "]\n" + "- *a\n" * 5, "f", wide)
    assert refused("- &a [" + "1," * 8 + "]\n" + "- *a\n" * 6, "f", wide).hint == "setting limits.yaml.nodes"


def test_levels_below_an_alias_count():
    accepted("a: &a [[[1]]]\nb: [[*a]]\n", "f")
    assert refused("a: &a [[[1]]]\nb: [[[*a]]]\n", "f").code == "yaml.too-deep"


def test_long_text_repeated_by_aliases_counts_as_more_than_one_node():
    limits = changed(yaml_in.LIMITS, alias=100)
    text = "- &a " + "x" * 20_000 + "\n"
    accepted(text + "- *a\n" * 5, "f", limits)
    assert refused(text + "- *a\n" * 6, "f", limits).code == "yaml.alias"


def test_merge_keys_are_aliases_too():
    assert refused("a: &a {x: 1, y: 2}\n" + "".join(f"b{i}: {{<<: *a}}\n" for i in range(3)), "f").code == "yaml.alias"


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)
BOMBS = {
    "50,000 brackets": ("'[' * 50_000", "f.yaml", "yaml.too-deep"),
    "50,000 brackets, closed": ("'[' * 50_000 + ']' * 50_000", "f.yaml", "yaml.too-deep"),
    "50,000 brackets in JSON": ("'[' * 50_000 + ']' * 50_000", "f.json", "yaml.too-deep"),
    "50,000 braces": ("'{a: ' * 50_000", "f.yaml", "yaml.too-deep"),
    "50,000 dashes": ("'- ' * 50_000 + 'x'", "f.yaml", "yaml.too-deep"),
    "a billion laughs": (repr(LAUGHS), "f.yaml", "yaml.alias"),
    "a long text, a thousand times": ("'a: &a ' + 'x' * 1_000_000 + '\\nb: [' + '*a,' * 1000 + ']'", "f.yaml", "yaml.alias"),
    "two million items": ("'[' + 'a,' * 2_000_000 + 'a]'", "f.yaml", "yaml.too-large"),
    "two million items in JSON": ("'[' + '1,' * 2_000_000 + '1]'", "f.json", "yaml.too-large"),
    "a million lines": ("'- a\\n' * 1_040_000", "f.yaml", "yaml.too-large"),
    "one key 800,000 times": ("'a: 1\\n' * 800_000", "f.yaml", "yaml.duplicate-key"),
    "a million documents": ("'---\\n' * 1_000_000", "f.yaml", "yaml.too-large"),
    "4 MB of text": ("'a: \"' + 'x' * 4_000_000 + '\"'", "f.yaml", "yaml.too-large"),
    "100,000 directives": ("''.join(f'%TAG !a{i}! a\\n' for i in range(100_000)) + '--- a'", "f.yaml", "yaml.tag"),
    "a million digits": ("'a: ' + '1' * 1_000_000", "f.yaml", "yaml.number"),
    "a million digits in JSON": ("'[' + '1' * 1_000_000 + ']'", "f.json", "yaml.number"),
    "a quote never closed": ("'a: \"' + '\\n' * 2_000_000", "f.yaml", "yaml.syntax"),
    "5 MiB": ("'a' * (5 << 20)", "f.yaml", "yaml.too-large"),
}
CHILD = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from appdelivery import errors
from appdelivery.language.text import yaml_in
bomb = ({bomb}).encode()
started = time.process_time()
try:
    yaml_in.load(bomb, {file!r})
    code = "accepted"
except errors.SpecError as error:
    code = error.problems[0].code
spent = time.process_time() - started
peak = next((int(l.split()[1]) // 1024 for l in open("/proc/self/status") if l.startswith("VmHWM")), 0)
print(code, f"{{spent:.2f}}", peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_a_second_and_64_mib(name):
    """In a process of its own: a crash of the parser would be one of the test run."""
    text, file, code = BOMBS[name]
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(bomb=text, file=file)], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr[-500:]
    found, seconds, mebibytes = done.stdout.split()
    assert found == code
    assert float(seconds) < support.SCALE
    assert int(mebibytes) < 64 + 5 * 4  # five copies of a 4 MiB text belong to the test
