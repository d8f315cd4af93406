"""Every text that is refused: code, place, excerpt and what to do about it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from appdelivery import errors
from appdelivery.language.text import yaml_in

BRACES = "did you mean '${{', or quotes around it?"
QUOTES = "an expression inside [ ] or { }, or one that holds ': ' or ' #', needs quotes: \"${{ ... }}\""


def refused(text: str | bytes, file: str = "app.yaml"):
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(errors.SpecError) as plain:
        yaml_in.load(data, file)
    with pytest.raises(errors.SpecError) as marked:
        yaml_in.compose(data, file)
    assert plain.value.problems == marked.value.problems, "load and compose must say the same"
    return plain.value.problems


@pytest.mark.parametrize(
    ("text", "code", "place", "message"),
    [
        ("a: 1\nb: {c: 2}\na: 3", "yaml.duplicate-key", (3, 1), "duplicate key 'a' (first in line 1)"),
        ("x:\n  - {a: 1,\n     a: 2}", "yaml.duplicate-key", (3, 6), "duplicate key 'a' (first in line 2)"),
        ("'1': a\n1: b", "yaml.duplicate-key", (2, 1), "duplicate key '1' (first in line 1)"),
        ("a: !!binary x", "yaml.tag", (1, 4), "the tag !!binary is not allowed"),
        ("a: !Ref x", "yaml.tag", (1, 4), "the tag !Ref is not allowed"),
        ("a: !!python/object:os.system {}", "yaml.tag", (1, 4), "the tag !!python/object:os.system is not allowed"),
        ("a: !!int '3'", "yaml.tag", (1, 4), "the tag !!int is not allowed"),
        ("a: !!map {}", "yaml.tag", (1, 4), "the tag !!map is not allowed"),
        ("a: !x!y z", "yaml.syntax", (1, 4), "tags are not allowed"),
        ("a: *b", "yaml.alias", (1, 4), "nothing above is named '&b'"),
        ("a: &a [*a]", "yaml.alias", (1, 8), "'*a' stands inside what it names"),
        ("a: &a {b: [{c: *a}]}", "yaml.alias", (1, 16), "'*a' stands inside what it names"),
        ("&a [*a]", "yaml.alias", (1, 5), "'*a' stands inside what it names"),
        ("<<: 3", "yaml.merge", (1, 1), "'<<' takes a map or a list of maps"),
        ("a: {<<: [{b: 1}, 2]}", "yaml.merge", (1, 5), "'<<' takes a map or a list of maps"),
        ("a: 9223372036854775808", "yaml.number", (1, 4), "the number 9223372036854775808 is too large"),
        ("a: -9223372036854775809", "yaml.number", (1, 4), "the number -9223372036854775809 is too large"),
        ("a: 1e999", "yaml.number", (1, 4), "the number 1e999 is too large"),
        ("? [a]\n: b", "yaml.key", (1, 3), "a list cannot be a key"),
        ("a: b: c", "yaml.syntax", (1, 5), "a ': ' cannot stand here"),
        ("a: - b", "yaml.syntax", (1, 4), "a list item '- ' cannot stand here"),
        ("a:\n\t- b", "yaml.syntax", (2, 1), "a tab cannot indent"),
        ("a: @b", "yaml.syntax", (1, 4), "a value cannot begin with '@'"),
        ("a: `b`", "yaml.syntax", (1, 4), "a value cannot begin with '`'"),
        ("a: [1,\n2\n\n", "yaml.syntax", (2, 2), "expected ',' or ']' here; it was opened in line 1, column 4"),
        ('a: "x', "yaml.syntax", (1, 6), "the text in quotes is not closed"),
        ('a: "\\ud800"', "yaml.syntax", (1, 5), "the escape is not a character"),
        ('a: "\\x4"', "yaml.syntax", (1, 5), "the escape is not a character"),
        ('a: "\\d"', "yaml.syntax", (1, 5), "unknown escape in double quotes"),
        ("- a\nb: c", "yaml.syntax", (2, 1), "expected a list item '- ' here"),
        (" a: b\nc: d", "yaml.syntax", (2, 1), "expected the end of the document or '---' here"),
        ("%YAML 2.0\n---\na", "yaml.syntax", (1, 1), "this version of YAML is not known"),
        (b"a: \xff", "yaml.encoding", (1, 4), "the text is not UTF-8: byte 0xff at offset 3"),
        ("a: b".encode("utf-16"), "yaml.encoding", (1, 1), "the text is UTF-16, not UTF-8"),
        (b"a: \xed\xa0\x80", "yaml.encoding", (1, 4), "the text is not UTF-8: byte 0xed at offset 3"),
        ("a: b\nc: \x01", "yaml.encoding", (2, 4), "the character U+0001 is not allowed"),
        ("a: \x00", "yaml.encoding", (1, 4), "the character U+0000 is not allowed"),
        ("a: \x7f", "yaml.encoding", (1, 4), "the character U+007F is not allowed"),
        ("a: \x9b", "yaml.encoding", (1, 4), "the character U+009B is not allowed"),
        ("é: \u2028", "yaml.encoding", (1, 4), "the character U+2028 is not allowed"),
        ("a: b\n\ufeffc: d", "yaml.encoding", (2, 1), "the character U+FEFF is not allowed"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_fault_and_its_place(text, code, place, message):
    [problem] = refused(text)
    assert (problem.code, (problem.line, problem.column), problem.message) == (code, place, message)
    assert problem.file == "app.yaml"
    assert problem.excerpt.splitlines()[-1].index("^") == 9 + place[1] - 1


def test_faults_that_leave_the_structure_readable_come_together_with_document_and_path():
    problems = refused("a: 1\n---\nspec:\n  list:\n  - {x: 1, x: 2}\n  - y: !t z\n  big: 1e400\n")
    assert [(p.document, p.path, p.code) for p in problems] == [
        (1, ("spec", "list", 0, "x"), "yaml.duplicate-key"),
        (1, ("spec", "list", 1, "y"), "yaml.tag"),
        (1, ("spec", "big"), "yaml.number"),
    ]


def test_never_more_than_fifty_problems():
    assert len(refused("a: 1\n" * 80)) == 50


def test_an_excerpt_shows_the_line_before_and_carets():
    [problem] = refused("metadata:\n  name: a\n  name: b\n")
    assert problem.excerpt == "     2 |   name: a\n     3 |   name: b\n       |   ^^^^"


def test_an_excerpt_cuts_long_lines_and_carries_no_control_characters():
    [problem] = refused("a: [" + "x, " * 400 + "\x1b[31m]")
    source, carets = problem.excerpt.splitlines()
    assert len(source) < 140
    assert "\x1b" not in source
    assert source[carets.index("^")] == "\ufffd"


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("image: {{ parameters.image }}", (1, 8), BRACES),
        ("- {{ x }}\n", (1, 3), BRACES),
        ("image: {{ x }}:latest", (1, 8), BRACES),
        ("{a: ${{ x }}}", (1, 6), QUOTES),
        ("a: [${{ x }}, 1]", (1, 6), QUOTES),
        ("a: {\n  b: ${{ x }}\n}", (2, 7), QUOTES),
        ("a: ${{ {'b': 1} }}", (1, 12), QUOTES),
        ("a: ${{ x ? y : z }}", (1, 14), QUOTES),
    ],
)
def test_expressions_that_need_quotes_are_told_so(text, place, hint):
    problem = refused(text)[0]
    assert ((problem.line, problem.column), problem.hint) == (place, hint)


def test_every_unquoted_expression_of_a_file_is_told_at_once():
    assert [(p.line, p.column) for p in refused("a: {{ x }}\nb: 1\nc: {{ y }}\n")] == [(1, 4), (3, 4)]


def test_the_pure_parser_reads_the_same_and_warns():
    """Without libyaml everything works, only slowly."""
    program = (
        "import sys, warnings; sys.modules['yaml._yaml'] = sys.modules['yaml.cyaml'] = None\n"
        "from appdelivery import errors\nfrom appdelivery.language.text import yaml_in\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    got = yaml_in.load(b'a: [1, 0x10, yes, \"1\"]\\nb: &x {c: ~}\\nd: *x\\ne: ! 12\\n', 'f')\n"
        "    assert got == [{'a': [1, 16, 'yes', '1'], 'b': {'c': None}, 'd': {'c': None}, 'e': '12'}], got\n"
        "    node = yaml_in.compose(b'a: |\\n  x\\n', 'f')[0].pairs[0][1]\n"
        "    assert (node.text, yaml_in.position(node, 0)) == ('x\\n', (2, 3))\n"
        "assert 'libyaml' in str(seen[0].message)\n"
        "try: yaml_in.load(b'a: 1\\na: {{ x }}', 'f')\n"
        "except errors.SpecError as e: print([(p.code, p.line) for p in e.problems])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[('yaml.duplicate-key', 2), ('yaml.key', 2)]", done.stderr
