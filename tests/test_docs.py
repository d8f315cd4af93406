"""The documentation is true: its documents render, its commands print what stands below them, its links lead somewhere,
and everything that people can type or meet is described.

The kinds of blocks are explained in docs_pages.py.  `pytest tests/test_docs.py --update` rewrites the printed lines that differ.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import docs_pages
import pytest
import yaml
from support import ROOT

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from plane_fixtures import Planes

CODE = re.compile(r"[a-z]+\.[a-z]+(-[a-z]+)*")
ALL = docs_pages.pages()
DESCRIBED = [page for page in ALL if page != docs_pages.GENERATED]
DOCUMENTS = [block for page in DESCRIBED for block in docs_pages.blocks(page, "yaml") if "fragment" not in block.words]
WITH_COMMANDS = [page for page in DESCRIBED if any("cluster" not in b.words for b in docs_pages.blocks(page, "console"))]
ON_A_CLUSTER = [page for page in DESCRIBED if any("cluster" in b.words for b in docs_pages.blocks(page, "console"))]


# --- documents --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("block", DOCUMENTS, ids=str)
def test_every_document_renders(block: docs_pages.Block, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    from appdelivery import cli

    docs_pages.written(block.page, str(tmp_path))
    kinds = {str((tree or {}).get("kind")) if isinstance(tree, dict) else "cases" for tree in yaml.safe_load_all(block.text)}
    own = [b.title for b in docs_pages.blocks(block.page, "yaml") if b.title.startswith("definitions/")]
    more = ["--definitions", f"{tmp_path}/definitions"] if own else []
    if kinds == {"cases"}:
        assert block.title.endswith(".test.yaml"), f"{block}: neither Application nor definition: mark it `fragment`"
        words = ["test", f"{tmp_path}/{block.title.replace('.test.yaml', '.yaml')}", *more]
    elif kinds <= {"Application", "Policy"}:
        path = tmp_path / "block.yaml"
        path.write_text(block.text)
        words = ["render", str(path), *more]
    else:
        assert block.title, f"{block}: a definition needs a title, it is the name of its file"
        words = ["lint", f"{tmp_path}/{block.title}", *more]
    code = cli.main(words)
    printed = capsys.readouterr()
    assert code == 0, f"{block}: appctl {words[0]} ended with {code}\n{printed.out}{printed.err}"


# --- commands -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_prints_what_the_page_says(page: str, tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> None:
    if page in ON_A_CLUSTER:
        pytest.skip("its commands build on one another and need a cluster; they run with -m cluster")
    found = docs_pages.compared(page, str(tmp_path), update=request.config.getoption("--update"), cluster=None)
    assert not found, "\n".join(found)


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("page", ON_A_CLUSTER)
def test_every_command_does_on_a_cluster_what_the_page_says(
    page: str, full_plane: Planes, kubectl_program: str, tmp_path: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    folder = str(tmp_path)
    kubeconfig = one_cluster(full_plane, f"{folder}/.kubeconfig")
    kubectl = [kubectl_program, "--kubeconfig", kubeconfig]
    spaces = sorted(set(re.findall(r"namespace: ([a-z0-9-]+)", "".join(b.text for b in docs_pages.blocks(page, "yaml")))))
    there = subprocess.run([*kubectl, "get", "namespace", *spaces], capture_output=True, check=False)
    assert there.returncode != 0, f"one of the namespaces {', '.join(spaces)} exists: the cluster is in use"
    variables = {"KUBECONFIG": kubeconfig, "PATH": f"{os.path.dirname(sys.executable)}:{os.path.dirname(kubectl_program)}:{os.environ['PATH']}"}  # fmt: skip
    try:
        found = docs_pages.compared(page, folder, update=request.config.getoption("--update"), cluster=variables)
    finally:
        subprocess.run([*kubectl, "delete", "namespace", *spaces, "--ignore-not-found"], capture_output=True, check=False)
    assert not found, "\n".join(found)


def one_cluster(plane: Planes, path: str) -> str:
    """A kubeconfig as the reader has it: one cluster, named as in the pages."""
    context = next(one["context"] for one in plane.document["contexts"] if one["name"] == plane.contexts[0])
    document = {**plane.document, "contexts": [{"name": "kind", "context": context}], "current-context": "kind"}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
    os.chmod(path, 0o600)
    return path


def typed() -> list[tuple[docs_pages.Block, str]]:
    """Every command line of appctl in the pages, run or not."""
    found = []
    for page in DESCRIBED:
        for block in docs_pages.blocks(page, "console", "sh", "bash"):
            text = block.text.replace("\\\n", " ")
            for line in text.splitlines():
                line = line.removeprefix("$ ")
                if (match := re.search(r"(?:^|[|;&(] *)(appctl [^|;&)>#]*)", line)) and (
                    block.language != "console" or f"$ {line}" in text
                ):
                    found.append((block, match[1]))
    return found


@pytest.mark.parametrize(("block", "line"), typed(), ids=[f"{b}-{line[:40]}" for b, line in typed()])
def test_every_command_line_is_one_that_appctl_takes(
    block: docs_pages.Block, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    from appdelivery.cli import commands as table
    from appdelivery.cli import parsers

    words = shlex.split(line)[1:]
    name = table.ALIASES.get(words[0], words[0])
    assert name in table.COMMANDS, f"{block}: there is no command {words[0]}"
    if words[1:] == ["--help"]:
        return
    parser = parsers.parser(name, importlib.import_module(table.module(name)))
    try:
        parser.parse_args(words[1:])
    except SystemExit:
        pytest.fail(f"{block}: {line}\n{capsys.readouterr().err}", pytrace=False)


# --- links ------------------------------------------------------------------------------------------------------------
def anchors(page: str) -> set[str]:
    """As GitHub and MkDocs make them from headings."""
    text = docs_pages.FENCE.sub("", docs_pages.read(page))
    plain = [re.sub(r"[`*]", "", heading).lower() for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w -]", "", heading).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", ALL)
def test_every_link_inside_leads_somewhere(page: str) -> None:
    lost = []
    for target in docs_pages.LINK.findall(docs_pages.FENCE.sub("", docs_pages.read(page))):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if there == docs_pages.GENERATED:
            continue  # made by `make fix`, which also checks it
        if not os.path.exists(f"{ROOT}/{there}") or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert not lost


def test_the_site_shows_every_page() -> None:
    with open(f"{ROOT}/mkdocs.yml", encoding="utf-8") as file:
        site = yaml.safe_load(file)

    def listed(tree: object) -> Iterator[str]:
        if isinstance(tree, str):
            yield tree
        for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
            yield from listed(item)

    there = {page.removeprefix("docs/") for page in ALL if page.startswith("docs/")} | {"reference/cli.md"}
    assert set(listed(site["nav"])) == there


# --- completeness -----------------------------------------------------------------------------------------------------
def described() -> str:
    return "\n".join(docs_pages.read(page) for page in DESCRIBED)


def absent(wanted: set[str], text: str) -> list[str]:
    """Names that stand nowhere in backticks, alone or with something around them."""
    codes = "\n".join(re.findall(r"`([^`\n]+)`", text))
    return sorted(name for name in wanted if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", codes))


def test_every_command_and_flag_is_described() -> None:
    import importlib

    from appdelivery.cli import commands as table
    from appdelivery.cli import parsers

    wanted = {f"appctl {name}" for name in table.COMMANDS}
    for name in table.COMMANDS:
        if name != "help":
            parser = parsers.parser(name, importlib.import_module(table.module(name)))
            wanted |= {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
    assert not absent(wanted, described())


def test_every_setting_is_described() -> None:
    from appdelivery import settings

    reference = docs_pages.read("docs/reference/settings.md")
    assert not absent(set(settings.KNOWN), reference)
    assert not absent({f"APPCTL_{name.upper()}" for name in ("store", "cluster", "namespace")}, reference)


def test_every_exit_code_is_described() -> None:
    from appdelivery.cli import failures

    names = ("DONE", "NO", "FAILED", "TIMEOUT", "USAGE", "BUG", "INTERRUPTED")
    assert not absent({str(getattr(failures, name)) for name in names}, docs_pages.read("docs/reference/exit-codes.md"))


@functools.cache
def in_the_code() -> tuple[frozenset[str], frozenset[str]]:
    """Codes of errors (given by name, or constants that look like one of their families), and reasons of changes."""
    named: set[str] = set()
    texts: set[str] = set()
    reasons: set[str] = set()
    for folder, _, files in os.walk(f"{ROOT}/appdelivery"):
        if folder.endswith(("/tables", "/versions", "/migrations")):
            continue  # names of columns look like codes
        for name in files:
            if name.endswith(".py"):
                with open(f"{folder}/{name}", encoding="utf-8") as file:
                    for node in ast.walk(ast.parse(file.read())):
                        match node:
                            case ast.keyword(arg="code", value=value):
                                named |= set(strings(value))
                            case ast.Assign(targets=[ast.Name("code")], value=ast.Constant(str(text))):
                                named.add(text)
                            case ast.Call(func=ast.Name("Why"), args=[ast.Constant(str(text)), *_]):
                                reasons.add(text)
                            case ast.Constant(str(text)) if CODE.fullmatch(text):
                                texts.add(text)
    families = {code.partition(".")[0] for code in named if "." in code} | {"yaml", "template"}
    dotted = {text for text in texts if text.partition(".")[0] in families}
    return frozenset({code for code in named if code and not code.endswith(".")} | dotted), frozenset(reasons)


def strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.slow
def test_every_error_code_is_described() -> None:
    found, _ = in_the_code()
    assert len(found) > 100
    assert not absent(
        set(found) - {"error"}, docs_pages.read("docs/reference/errors.md") + docs_pages.read("docs/reference/changes.md")
    )


@pytest.mark.slow
def test_every_error_code_in_the_reference_still_exists() -> None:
    cells = re.findall(r"^\| (`[^|]+`) \|", docs_pages.read("docs/reference/errors.md"), re.MULTILINE)
    codes = [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]
    assert len(codes) > 100
    known, _ = in_the_code()
    assert not [code for code in codes if code not in known and not code.startswith("kubeconfig.")]


@pytest.mark.slow
def test_every_reason_of_a_change_is_described() -> None:
    _, reasons = in_the_code()
    assert reasons
    assert not absent(set(reasons), docs_pages.read("docs/reference/changes.md"))


def test_every_shipped_definition_is_described() -> None:
    from appdelivery.catalog.catalog import Catalog

    names = {name for kind in ("ComponentDefinition", "TraitDefinition") for name in Catalog().names(kind)}
    assert len(names) > 25
    assert not absent(names, docs_pages.read("docs/reference/types.md"))


def test_every_policy_is_said_to_act_or_not() -> None:
    from appdelivery.model import reading_policies

    assert not absent(set(reading_policies.SHAPES), docs_pages.read("docs/reference/policies.md"))


def test_every_filter_function_and_test_is_described() -> None:
    from appdelivery.language.expressions import filters

    reference = docs_pages.read("docs/reference/language.md")
    wanted = {*filters.FILTERS, *filters.FUNCTIONS, *filters.TESTS} | set(filters.METHODS)
    assert not absent(wanted, reference)


def test_every_limit_is_described_with_its_number() -> None:
    from appdelivery.language import budget
    from appdelivery.language.text import limits
    from appdelivery.model import reading, reading_workflow
    from appdelivery.render import bounds

    text = docs_pages.read("docs/reference/limits.md")
    numbers = (
        budget.TURNS, budget.ITEMS, limits.LIMITS.nodes, limits.LIMITS.depth, limits.LIMITS.documents, limits.LIMITS.alias,
        bounds.OBJECTS, reading.COMPONENTS, reading.TRAITS, reading.POLICIES, reading_workflow.STEPS,
    )  # fmt: skip
    assert not [number for number in numbers if f"{number:,}" not in text]


# --- README -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def readme_table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(f"{ROOT}/benchmarks")
    import readme_table as module

    return module


def test_the_table_of_the_readme_is_made_from_the_results(readme_table) -> None:
    text = docs_pages.read("README.md")
    assert readme_table.filled(text, readme_table.table(readme_table.results())) == text, "python benchmarks/readme_table.py"


def test_a_figure_without_a_result_is_said_to_be_missing(readme_table) -> None:
    label, _, name = readme_table.ROWS[0]
    made = readme_table.table({"render": [{"name": name, "ratio": 0.5, "low": 0.4, "high": 0.62, "must": 1.0}]})
    assert f"| {label} | `helm template` | **0.50** (0.40 to 0.62) | 1.00 |" in made
    assert made.count(readme_table.ABSENT) == len(readme_table.ROWS) - 1
