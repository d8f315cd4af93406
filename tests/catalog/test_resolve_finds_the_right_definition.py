"""A type resolves to one definition: given ones first, then shipped ones; versions, aliases and typos are answered."""

from __future__ import annotations

import os

import pytest

from appdelivery import errors
from appdelivery.catalog import catalog, layouts

OWN = """
apiVersion: appdelivery.dev/v1
kind: {kind}
metadata: {{name: {name}, version: {version}{more}}}
{body}
"""
OUTPUTS = "outputs: {a: {apiVersion: v1, kind: ConfigMap}}"


def write(path, name, *, kind=layouts.COMPONENT, version="1.0.0", body=OUTPUTS, more=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(OWN.format(kind=kind, name=name, version=version, body=body, more=more))
    return str(path)


def test_a_given_file_comes_before_the_shipped_definition(tmp_path):
    known = catalog.Catalog((write(tmp_path / "worker.yaml", "worker", version="9.0.0"),))
    found = known.resolve(layouts.COMPONENT, "worker")
    assert (found.version, found.source) == ("9.0.0", "command line")
    assert known.resolve(layouts.COMPONENT, "webservice").source == "shipped"


@pytest.mark.parametrize("folder", ["", "components/"])
def test_a_given_folder_may_be_laid_out_or_flat(tmp_path, folder):
    write(tmp_path / f"{folder}mine.yaml", "mine")
    known = catalog.Catalog((str(tmp_path),))
    assert known.resolve(layouts.COMPONENT, "mine").name == "mine"
    assert "mine" in known.names(layouts.COMPONENT)
    assert "worker" in known.names(layouts.COMPONENT)


def test_the_first_given_source_wins(tmp_path):
    paths = [
        write(tmp_path / name / "mine.yaml", "mine", version=version) for name, version in (("a", "1.0.0"), ("b", "2.0.0"))
    ]
    known = catalog.Catalog(paths)
    assert known.resolve(layouts.COMPONENT, "mine").version == "1.0.0"
    assert known.resolve(layouts.COMPONENT, "mine@2.0.0").version == "2.0.0"
    assert known.resolve(layouts.COMPONENT, "mine@v2").version == "2.0.0"
    with pytest.raises(errors.SpecError) as refused:
        known.resolve(layouts.COMPONENT, "mine@3.0.0")
    assert refused.value.problems[0].hint == "versions that exist: 1.0.0, 2.0.0"


def test_an_alias_leads_to_its_definition(tmp_path):
    known = catalog.Catalog((write(tmp_path / "mine.yaml", "mine", more=", aliases: [old-name]"),))
    assert known.resolve(layouts.COMPONENT, "old-name").name == "mine"


def test_a_typo_is_answered_with_what_was_meant_and_where_it_was_searched(tmp_path):
    write(tmp_path / "mine.yaml", "mine")
    with pytest.raises(errors.SpecError) as refused:
        catalog.Catalog((str(tmp_path),)).resolve(layouts.COMPONENT, "mien")
    (problem,) = refused.value.problems
    assert problem.message == "unknown component type 'mien', did you mean 'mine'?"
    assert problem.hint.endswith("the shipped catalogue")
    assert str(tmp_path) in problem.hint


def test_a_name_of_another_kind_is_pointed_out():
    with pytest.raises(errors.SpecError) as refused:
        catalog.Catalog().resolve(layouts.COMPONENT, "hpa")
    assert "there is a trait type of that name" in refused.value.problems[0].hint


@pytest.mark.parametrize("name", ["../traits/hpa", "a/b", "", ".", "UPPER", "_shared/pod", "a" * 64, "hpa\0"])
def test_a_name_never_reaches_the_file_system_unless_it_is_one(name):
    with pytest.raises(errors.SpecError, match="unknown"):
        catalog.Catalog().resolve(layouts.TRAIT, name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "other"}, "metadata.name is 'other', the file is named 'mine'"),
        ({"version": "1.2"}, "'1.2' is not a version such as 1.2.0"),
        ({"version": "01.2.3"}, "is not a version"),
        ({"body": "outputz: {}"}, "unknown section 'outputz', did you mean 'outputs'?"),
        ({"kind": layouts.TRAIT, "body": "patch: {}\nappliesTo: {a: b}"}, "appliesTo is a list of texts"),
        ({"kind": layouts.TRAIT, "body": "patch: {}\nstage: PreDispach"}, "did you mean 'PreDispatch'?"),
        ({"kind": layouts.TRAIT, "body": "owns: [a]"}, "the definition needs one of outputs, patch"),
        ({"kind": layouts.STEP, "body": "with: {a: b}"}, "the definition needs use"),
        ({"body": "patch: {}\n" + OUTPUTS}, "unknown section 'patch'"),
    ],
)
def test_a_wrong_definition_is_refused_with_its_line(tmp_path, change, said):
    path = write(tmp_path / "mine.yaml", **{"name": "mine", **change})
    known = catalog.Catalog((str(tmp_path / "mine.yaml"),))
    with pytest.raises(errors.SpecError) as refused:
        known.resolve(change.get("kind", layouts.COMPONENT), change.get("name", "mine"))
    assert said in " ".join([p.message for p in refused.value.problems])
    assert {p.file for p in refused.value.problems} == {path}
    assert all(p.line > 1 for p in refused.value.problems)


def test_a_file_that_is_no_definition_is_refused(tmp_path):
    (tmp_path / "app.yaml").write_text("apiVersion: core.oam.dev/v1beta1\nkind: Application\n")
    with pytest.raises(errors.SourceError, match="not a definition"):
        catalog.Catalog((str(tmp_path / "app.yaml"),))
    with pytest.raises(errors.SourceError, match="no such file"):
        catalog.Catalog((str(tmp_path / "missing.yaml"),))


def test_shared_parts_come_from_the_same_source(tmp_path):
    part = "apiVersion: appdelivery.dev/v1\nkind: Shared\nmetadata: {name: mine}\nlet: {x: {k: v}}\n"
    (tmp_path / "components" / "_shared").mkdir(parents=True)
    (tmp_path / "components" / "_shared" / "mine.yaml").write_text(part)
    body = "include: [mine]\noutputs: {a: {apiVersion: v1, kind: ConfigMap, data: '${{ x }}'}}"
    write(tmp_path / "components" / "one.yaml", "one", body=body)
    write(tmp_path / "traits" / "two.yaml", "two", kind=layouts.TRAIT, body=body)
    write(tmp_path / "traits" / "three.yaml", "three", kind=layouts.TRAIT, body=body.replace("[mine]", "[pod]"))
    known = catalog.Catalog((str(tmp_path),))
    for kind, name in ((layouts.COMPONENT, "one"), (layouts.TRAIT, "two")):
        assert known.resolve(kind, name).code.render({}, {}).outputs["a"]["data"] == {"k": "v"}
    with pytest.raises(errors.SpecError, match="no shared part 'pod'"):
        known.resolve(layouts.TRAIT, "three")


def test_a_compiled_definition_comes_from_the_cache_until_its_file_changes(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    path = write(tmp_path / "mine.yaml", "mine")
    first = catalog.Catalog((path,), cache_dir=str(folder)).resolve(layouts.COMPONENT, "mine")
    from appdelivery.language import module

    compile = module.compile
    monkeypatch.setattr(module, "compile", lambda *a, **k: pytest.fail("it was compiled again"))
    second = catalog.Catalog((path,), cache_dir=str(folder)).resolve(layouts.COMPONENT, "mine")
    assert (second.hash, second.code.render({}, {}).outputs) == (first.hash, first.code.render({}, {}).outputs)
    monkeypatch.setattr(module, "compile", compile)
    write(tmp_path / "mine.yaml", "mine", version="1.0.1")
    os.utime(path, (1, 1))
    assert catalog.Catalog((path,), cache_dir=str(folder)).resolve(layouts.COMPONENT, "mine").version == "1.0.1"


def test_a_definition_is_read_only_when_it_is_used(tmp_path, monkeypatch):
    from appdelivery.catalog import sources

    read = []
    real = sources.read
    monkeypatch.setattr(sources, "read", lambda path: read.append(os.path.basename(path)) or real(path))
    catalog.Catalog().resolve(layouts.TRAIT, "scaler")
    assert read == ["scaler.yaml"]


def test_only_known_actions_may_be_named_when_they_are_known(tmp_path):
    path = write(tmp_path / "mine.yaml", "mine", kind=layouts.TRAIT, body="use: raed")
    with pytest.raises(errors.SpecError, match="unknown action 'raed', did you mean 'read'"):
        catalog.Catalog((path,), actions=frozenset({"read"})).resolve(layouts.TRAIT, "mine")
