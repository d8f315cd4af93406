"""KubeVela's published examples render to what KubeVela renders, or are refused for the reason it has.

The expectations are the shared golden set (conformance/kubevela); its README says how to compare.
"""

from __future__ import annotations

import glob
import json
import os
from typing import TYPE_CHECKING

import pytest
import support

from appdelivery import errors
from appdelivery.catalog import catalog
from appdelivery.model import reading, secret
from appdelivery.render import facts, render, scope

if TYPE_CHECKING:
    from typing import Any

    Row = dict[str, Any]
    Tree = dict[str, Any]

# How many instances of the set this catalogue covers, as counted; growing the catalogue raises them.
COVERED = {"full": 148, "partial": 1, "invalid-input": 1, "unknown": 1}
FREE = "app.oam.dev/appRevision"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with open(support.shared("conformance/kubevela/golden.jsonl"), encoding="utf-8") as file:
        return [possible(json.loads(line)) for line in file]


def possible(row: Row) -> Row:
    """Placeholders such as app-ID or TEST_NAMESPACE, which no cluster takes as a name, in lower case on both sides."""
    text = json.dumps(row)
    for name in (row["app"], row["namespace"]):
        text = text.replace(name, name.lower().replace("_", "-"))
    made: Row = json.loads(text)
    return made


@pytest.fixture(scope="module")
def shipped() -> catalog.Catalog:
    return catalog.Catalog(())


def names(folder: str) -> set[str]:
    found = glob.glob(f"{support.ROOT}/{folder}/*.yaml")
    return {os.path.basename(path).removesuffix(".yaml") for path in found if not path.endswith(".test.yaml")}


def covered(rows: list[Row], kind: str) -> list[Row]:
    components, traits = names("components"), names("traits")
    return [
        row
        for row in rows
        if row["kind"] == kind
        and row["component"]["type"] in components
        and all(trait["type"] in traits for trait in row["component"].get("traits", ()))
    ]


def rendered(row: Row, shipped: catalog.Catalog, *, lenient: bool = False) -> list[Tree]:
    """Objects of the instance alone: what it says about components that are not here (order, inputs) is left out."""
    alone = {key: value for key, value in row["component"].items() if key in ("name", "type", "properties", "traits")}
    metadata = {"name": row["app"], "namespace": row["namespace"], "labels": row.get("labels", {})}
    spec = {"components": [alone]}
    document = {"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": metadata, "spec": spec}
    documents = reading.documents([("app.yaml", 0, document)], namespace="default", lenient=lenient)
    made = render.render(documents.applications[0], shipped.resolve, facts.RenderContext(lenient=lenient))
    return [secret.opened(manifest.body) for manifest in made.manifests]


def comparable(objects: list[Tree]) -> dict[tuple[Any, ...], Tree]:
    """By identity, folded, without what may differ: the revision's name, empty maps and lists, a meaningless namespace."""
    folded: dict[tuple[Any, ...], Tree] = {}
    for body in objects:
        metadata = {**body["metadata"], "labels": {k: v for k, v in body["metadata"]["labels"].items() if k != FREE}}
        if (body["apiVersion"].rpartition("/")[0], body["kind"]) in scope.CLUSTER_SCOPED:
            metadata.pop("namespace", None)
        identity = body["apiVersion"], body["kind"], metadata.get("namespace"), metadata["name"]
        same = pruned({**body, "metadata": metadata})
        folded[identity] = fold(folded[identity], same) if identity in folded else same
    return folded


def pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: kept for key, one in value.items() if (kept := pruned(one)) not in ({}, [])}
    return [pruned(one) for one in value] if isinstance(value, list) else value


def fold(first: Any, second: Any) -> Any:
    """Two renderings of one object, the first one's values before the second's."""
    if isinstance(first, dict) and isinstance(second, dict):
        out = dict(first)
        for key, value in second.items():
            out[key] = (
                ports(out[key], value) if key == "ports" and key in out else fold(out[key], value) if key in out else value
            )
        return out
    return first


def ports(first: list[Tree], second: list[Tree]) -> list[Tree]:
    by_number = {(port["port"], port.get("protocol", "TCP")): port for port in first}
    for port in second:
        key = port["port"], port.get("protocol", "TCP")
        by_number[key] = {**port, **by_number.get(key, {})}
    return list(by_number.values())


def test_every_published_instance_renders_as_kubevela_renders_it(rows: list[Row], shipped: catalog.Catalog) -> None:
    candidates, wrong = covered(rows, "full"), []
    for row in candidates:
        try:
            made = comparable(rendered(row, shipped))
        except errors.SpecError as error:
            wrong.append(f"{told(row)}: {error.message}")
            continue
        expected = [comparable(objects) for objects in (row["manifests"], *row.get("also", ()))]
        if made not in expected:
            wrong.append(f"{told(row)}:\n  made     {json.dumps(difference(made, expected[0]))}")
    report("full", rows, len(candidates), len(candidates) - len(wrong))
    assert not wrong, "\n".join(wrong)


def test_an_instance_without_an_expectation_renders_or_is_refused_with_a_reason(
    rows: list[Row], shipped: catalog.Catalog
) -> None:
    candidates, refused = covered(rows, "partial"), []
    for row in candidates:
        try:
            assert rendered(row, shipped), told(row)
        except errors.SpecError as error:
            refused += error.problems
    assert all(problem.message and problem.code for problem in refused)
    report("partial", rows, len(candidates), len(candidates))


def test_an_instance_that_breaks_its_schema_is_refused_naming_the_property(
    rows: list[Row], shipped: catalog.Catalog
) -> None:
    candidates = covered(rows, "invalid-input")
    for row in candidates:
        with pytest.raises(errors.SpecError) as refused:
            rendered(row, shipped)
        assert named(row, refused.value), f"{told(row)}: {[p.message for p in refused.value.problems]}"
    report("invalid-input", rows, len(candidates), len(candidates))


def test_an_unknown_parameter_is_refused_and_left_out_when_lenient(rows: list[Row], shipped: catalog.Catalog) -> None:
    candidates = covered(rows, "unknown")
    for row in candidates:
        with pytest.raises(errors.SpecError) as refused:
            rendered(row, shipped)
        assert named(row, refused.value), f"{told(row)}: {[p.message for p in refused.value.problems]}"
        made = rendered(row, shipped, lenient=True)
        assert made, told(row)
        assert "manifests" not in row or comparable(made) == comparable(row["manifests"]), told(row)
    report("unknown", rows, len(candidates), len(candidates))


def named(row: Row, error: errors.SpecError) -> bool:
    """Every property at fault is named by a message."""
    said = " ".join(f"{problem.message} {'.'.join(map(str, problem.path))}" for problem in error.problems)
    return all(path.rpartition(".")[2] in said for path in row["paths"])


def told(row: Row) -> str:
    return f"{row['app']}/{row['component']['name']} ({row['source'][0]})"


def difference(made: Any, expected: Any) -> Any:
    """The parts of two trees that differ, as [made, expected]."""
    if isinstance(made, dict) and isinstance(expected, dict):
        keys = {**made, **expected}
        return {str(k): difference(made.get(k), expected.get(k)) for k in keys if made.get(k) != expected.get(k)}
    return [made, expected]


def report(kind: str, rows: list[Row], candidates: int, equal: int) -> None:
    total = sum(row["kind"] == kind for row in rows)
    print(f"{kind}: {equal} of {candidates} covered instances as expected, {total} in the set")
    assert candidates >= COVERED[kind], f"{kind}: {candidates} instances are covered, {COVERED[kind]} were"
