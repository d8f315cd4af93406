"""NAME.test.yaml beside a definition: what is expected is compared, refusals count, --update rewrites."""

from __future__ import annotations

import pytest

from appdelivery import errors
from appdelivery.catalog import cases, catalog

DEFINITION = """
apiVersion: appdelivery.dev/v1
kind: TraitDefinition
metadata: {name: mine, description: For a test.}
parameters:
  required: [n]
  properties: {n: {type: integer, minimum: 0, examples: [3]}, label: {type: string}}
checks:
  - {must: parameters.n < 10, at: n, message: "n (${{ parameters.n }}) is too large"}
  - {must: parameters.n != 5, message: five is odd, level: warning}
patch: {spec: {replicas: "${{ parameters.n }}"}}
outputs: {extra: {apiVersion: v1, kind: ConfigMap, data: {name: "${{ context.name }}", label: "${{ parameters.label }}"}}}
health: ${{ output.status.ready == parameters.n }}
status: Ready ${{ output.status.ready | default(0) }}
"""


def refuse(tree):
    raise AssertionError("no example was expected")


@pytest.fixture
def run(tmp_path):
    (tmp_path / "mine.yaml").write_text(DEFINITION)

    def with_cases(text, **how):
        (tmp_path / "mine.test.yaml").write_text(text)
        path = str(tmp_path / "mine.yaml")
        return cases.run(catalog.Catalog((path,)), (path,), render=refuse, **how)

    return with_cases


def only(results, case):
    return next(r for r in results if r.case == case)


@pytest.mark.parametrize(
    "case",
    [
        "{parameters: {n: 2}, expect: {extra: {apiVersion: v1, kind: ConfigMap, data: {name: mine}}}}",
        "{parameters: {n: 2}, expect: {workload: {spec: {replicas: 2}}}, match: subset}",
        "{parameters: {n: 2, label: a}, context: {name: x}, expect: {extra: {data: {name: x, label: a}}}, match: subset}",
        "{parameters: {n: 12}, errors: [n (12) is too large]}",
        "{parameters: {n: -1}, errors: [n]}",
        "{parameters: {n: 2, lable: a}, errors: [\"did you mean 'label'\"]}",
        "{parameters: {}, errors: [missing property]}",
        "{parameters: {n: 5}, warnings: [five is odd], expect: {workload: {spec: {replicas: 5}}}, match: subset}",
        "{parameters: {n: 1}, health: {output: {status: {ready: 1}}}, expect: {state: healthy}}",
        "{parameters: {n: 1}, health: {output: {}}, expect: {state: progressing}, status: Ready 0}",
    ],
)
def test_this_case_passes(run, case):
    result = only(run(f"- {{name: it, {case[1:]}"), "it")
    assert result.passed, (result.difference, result.problems)


@pytest.mark.parametrize(
    ("case", "shown"),
    [
        ("{parameters: {n: 2}, expect: {extra: {apiVersion: v1, kind: ConfigMap}}}", "+  data:"),
        ("{parameters: {n: 2}, expect: {extra: {data: {name: other}}}, match: subset}", "-    name: other"),
        ("{parameters: {n: 2}, expect: {extra: {data: {absent: x}}}, match: subset}", "-    absent: x"),
        ("{parameters: {n: 2}, expect: {}}", "+extra:"),
        ("{parameters: {n: 12}, errors: [something else]}", "+- n (12) is too large"),
        ("{parameters: {n: 2}, errors: [too large]}", "it was accepted"),
        ("{parameters: {n: 2}, warnings: [five]}", "warnings"),
        ("{parameters: {n: 1}, health: {output: {}}, expect: {state: healthy}}", "+state: progressing"),
        ("{parameters: {n: 1}, health: {output: {}}, status: Ready 1}", "+Ready 0"),
        ("{parameters: {n: 1}, expect: {workload: {spec: {replicas: true}}}, match: subset}", "replicas"),
    ],
)
def test_this_case_fails_and_shows_why(run, case, shown):
    result = only(run(f"- {{name: it, {case[1:]}"), "it")
    assert not result.passed
    assert shown in result.difference


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {name: a, parameters: {n: 1}}", "expects nothing"),
        ("- {name: a, expectt: {}}", "unknown field 'expectt' of a case, did you mean 'expect'?"),
        ("- {parameters: {n: 1}, expect: {}}", "a case is a map with a name"),
        ("name: a", "a test file is a list of cases"),
        ("- {name: a, expect: {}, match: some}", "match is one of equal, subset"),
        ("- [", "expected"),
    ],
)
def test_a_file_that_holds_no_cases_is_a_failure_with_its_line(run, text, said):
    result = only(run(text), "cases")
    assert not result.passed
    assert said in " ".join(p.message for p in result.problems)


def test_an_unexpected_refusal_is_a_failure_with_its_problems(run):
    result = only(run("- {name: it, parameters: {}, expect: {}}"), "it")
    assert not result.passed
    assert "missing property 'n'" in result.problems[0].message


def test_examples_of_the_schema_are_checked_against_it(run, tmp_path):
    assert only(
        run("- {name: it, parameters: {n: 1}, errors: []}\n".replace("errors: []", "warnings: []")), "example of n"
    ).passed
    (tmp_path / "mine.yaml").write_text(DEFINITION.replace("examples: [3]", "examples: [-3]"))
    path = str(tmp_path / "mine.yaml")
    result = only(cases.run(catalog.Catalog((path,)), (path,), render=refuse), "example of n")
    assert not result.passed
    assert "minimum" in result.problems[0].message


def test_examples_of_the_definition_are_rendered_by_the_caller(tmp_path):
    example = "{name: mine, description: x, examples: [{a: 1}, {a: 2}]}"
    (tmp_path / "mine.yaml").write_text(DEFINITION.replace("{name: mine, description: For a test.}", example))
    seen = []

    def render(tree):
        seen.append(tree)
        if tree == {"a": 2}:
            raise errors.SpecError([], "no")

    path = str(tmp_path / "mine.yaml")
    results = cases.run(catalog.Catalog((path,)), (path,), render=render)
    assert seen == [{"a": 1}, {"a": 2}]
    assert [(r.case, r.passed) for r in results[:2]] == [("example 1", True), ("example 2", False)]


def test_a_pattern_chooses_cases_by_name(run):
    text = "- {name: first, parameters: {n: 1}, warnings: []}\n- {name: second, parameters: {n: 1}, warnings: []}\n"
    assert [r.case for r in run(text, pattern="second")] == ["second"]


def test_a_definition_that_does_not_compile_is_a_failed_case(tmp_path):
    (tmp_path / "mine.yaml").write_text(DEFINITION.replace("parameters.n < 10", "parameters.m < 10"))
    path = str(tmp_path / "mine.yaml")
    (result,) = cases.run(catalog.Catalog((path,)), (path,), render=refuse)
    assert (result.case, result.passed) == ("compiles", False)
    assert "no property 'm'" in result.problems[0].message


def test_a_path_without_definitions_is_an_error(tmp_path):
    with pytest.raises(errors.SourceError, match="there is no definition"):
        cases.run(catalog.Catalog(), (str(tmp_path),), render=refuse)


def test_update_writes_what_is_made_and_leaves_the_rest_of_the_file_alone(run, tmp_path):
    text = """# kept
- name: first   # kept too
  parameters: {n: 2}
  expect:
    extra:
      apiVersion: v1
      kind: Secret
# between
- name: second
  parameters: {n: 3}
  match: subset
  expect: {workload: {spec: {replicas: 7}}}
- name: third
  parameters: {n: 20}
  errors: [too large]
"""
    first = run(text, update=True)
    assert [(r.case, r.updated) for r in first if r.updated] == [("first", True), ("second", True)]
    written = (tmp_path / "mine.test.yaml").read_text()
    assert (
        written
        == """# kept
- name: first   # kept too
  parameters: {n: 2}
  expect:
    extra:
      apiVersion: v1
      kind: ConfigMap
      data:
        name: mine
# between
- name: second
  parameters: {n: 3}
  match: subset
  expect:
    workload:
      spec:
        replicas: 3
- name: third
  parameters: {n: 20}
  errors: [too large]
"""
    )
    assert all(r.passed and not r.updated for r in run(written, update=True))


def test_update_never_turns_a_wrong_refusal_into_an_expectation(run, tmp_path):
    text = "- name: it\n  parameters: {}\n  expect: {}\n"
    assert not only(run(text, update=True), "it").passed
    assert (tmp_path / "mine.test.yaml").read_text() == text


STEP = """
apiVersion: appdelivery.dev/v1
kind: WorkflowStepDefinition
metadata: {name: tell, description: For a test.}
parameters: {required: [text], properties: {text: {type: string}, loud: {type: boolean, default: false}}}
use: notification
with: {message: "${{ parameters.text }}", step: "${{ context.stepName }}", app: "${{ context.name }}"}
outputs: {code: "${{ result.code }}", said: "${{ parameters.text }}"}
"""


@pytest.mark.parametrize(
    ("case", "passes"),
    [
        ("{parameters: {text: hi}, expect: {message: hi, step: tell, app: app}}", True),
        ("{parameters: {text: hi}, context: {appName: shop, stepName: s}, expect: {message: hi, step: s, app: shop}}", True),
        ("{parameters: {text: hi}, result: {code: 3}, outputs: {code: 3, said: hi}}", True),
        ("{parameters: {text: hi}, result: {code: 3}, outputs: {code: 4, said: hi}}", False),
        ("{parameters: {text: hi}, expect: {message: ho}}", False),
        ("{parameters: {}, errors: [text]}", True),
    ],
)
def test_cases_of_a_step_show_what_its_action_gets_and_what_is_handed_on(tmp_path, case, passes):
    (tmp_path / "tell.yaml").write_text(STEP)
    (tmp_path / "tell.test.yaml").write_text(f"- {{name: it, {case[1:]}")
    path = str(tmp_path / "tell.yaml")
    (result,) = cases.run(catalog.Catalog((path,)), (path,), render=refuse)
    assert result.passed is passes, result


def test_a_step_without_arguments_hands_its_parameters_on(tmp_path):
    (tmp_path / "tell.yaml").write_text(STEP.partition("with:")[0])
    (tmp_path / "tell.test.yaml").write_text("- {name: it, parameters: {text: hi}, expect: {text: hi, loud: false}}")
    path = str(tmp_path / "tell.yaml")
    (result,) = cases.run(catalog.Catalog((path,)), (path,), render=refuse)
    assert result.passed, result
