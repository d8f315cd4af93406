"""What is wrong with expressions, inputs and order of a workflow is said at admission, all at once, with places."""

from __future__ import annotations

import pytest
import simulated

from appdelivery import errors
from appdelivery.workflow import admission, spec


def problems(flow, **options):
    written = simulated.written(flow)
    return admission.problems(written, spec.of(written, simulated.resolve), **options)


def places(found):
    return [(problem.path[2:], problem.message) for problem in found]


@pytest.mark.parametrize(
    ("flow", "path", "message"),
    [
        ("steps: [{name: a, type: x, if: 'inputs.q +'}]", ("if",), "the end of the text does not fit here"),
        ("steps: [{name: a, type: x, if: 'a & b'}]", ("if",), "'&'"),
        ("steps: [{name: a, type: x, if: '${{ 1 + }}'}]", ("if",), ""),
        ("steps: [{name: a, type: x}, {name: b, type: x, if: status.c.failed}]", ("if",), "there is no step 'c'"),
        ("steps: [{name: deploy, type: x}, {name: b, type: x, if: status.depoly.failed}]", ("if",), "there is no step 'depoly', did you mean 'deploy'?"),
        ("steps: [{name: a, type: x}, {name: b, type: x, if: status.a.succecceed}]", ("if",), "status.a has no property 'succecceed', did you mean 'succeeded'?"),
        ("steps: [{name: suspend, type: x}, {name: b, type: x, if: suspend.timeout}]", ("if",), "unknown name 'suspend'"),
        ("steps: [{name: a, type: x, if: 'inputs.o == 1'}]", ("if",), "the step has no input 'o'"),
        ("steps: [{name: a, type: x}, {name: b, type: x, properties: {k: [1, '${{ steps.A.outputs.o }}']}}]", ("properties", "k", 1), "there is no step 'A', did you mean 'a'?"),
        ("steps: [{name: a, type: x, properties: {k: '${{ foo }}'}}]", ("properties", "k"), "unknown name 'foo'"),
        ("steps: [{name: a, type: x, foreach: {items: '${{ foo }}'}}]", ("foreach", "items"), "unknown name 'foo'"),
        ("steps: [{name: a, type: x, foreach: {items: [1], as: n}, properties: {k: '${{ item }}'}}]", ("properties", "k"), "unknown name 'item'"),
        ("steps: [{name: a, type: x}, {name: b, type: x, if: 'len(status) == 1'}]", ("if",), "'status' is read by the name of a step"),
        ("steps: [{name: a, type: x, inputs: [{from: ulr}]}]", ("inputs", 0, "from"), "nobody writes the output 'ulr', did you mean 'url'?"),
        ("steps: [{name: a, type: x, if: status.b.failed}, {name: b, type: x}]", ("if",), "the condition looks at step 'b', which runs later"),
        ("steps: [{name: a, type: x, if: status.a.failed}]", ("if",), "the condition looks at itself"),
        ("mode: {steps: DAG}\nsteps: [{name: a, type: x, if: status.b.failed}, {name: b, type: x, dependsOn: [a]}]", ("if",), "looks at step 'b', which runs later"),
        ("steps: [{name: a, type: x, properties: {k: '${{ steps.b.outputs.o }}'}}, {name: b, type: x}]", ("properties",), "the value comes from step 'b', which runs later"),
        ("steps: [{name: a, type: x, dependsOn: [b]}, {name: b, type: x}]", ("dependsOn", 0), "it depends on step 'b', which runs later"),
        ("steps: [{name: a, type: x, inputs: [{from: context.k}]}, {name: g, type: step-group, if: status.h.failed, subSteps: [{name: h, type: x}]}]", ("if",), "the condition looks at step 'h', which runs later"),
        ("steps: [{name: g, type: step-group, subSteps: [{name: h, type: x, dependsOn: [g]}]}]", ("dependsOn", 0), "it depends on step 'g', which runs later"),
        ("steps: [{name: g, type: step-group, subSteps: [{name: h, type: x, if: status.z.failed}]}, {name: z, type: x}]", ("if",), "the condition looks at step 'z', which runs later"),
        ("steps: [{name: g, type: step-group, mode: StepByStep, subSteps: [{name: h, type: x, if: status.i.failed}, {name: i, type: x}]}]", ("if",), "the condition looks at step 'i', which runs later"),
    ],
)  # fmt: skip
def test_a_fault_is_named_at_its_place(flow, path, message):
    found = problems(flow, given=("url",))
    assert len(found) == 1, places(found)
    assert found[0].path[-len(path) :] == path
    assert message in found[0].message


def test_all_faults_come_at_once():
    found = problems(
        """
steps:
- {name: a, type: x, if: status.nobody.failed, inputs: [{from: nothing}]}
- {name: b, type: x, if: status.c.failed}
- {name: c, type: x, properties: {p: '${{ steps.d.outputs.o }}'}}
- {name: d, type: x, if: '${{ }}'}
""",
        file="app.yaml",
        document=2,
    )
    assert [problem.path[3:] for problem in found] == [
        (0, "if"), (0, "inputs", 0, "from"), (3, "if"), (1, "if"), (2, "properties"),
    ]  # fmt: skip
    assert {(problem.file, problem.document) for problem in found} == {("app.yaml", 2)}


@pytest.mark.parametrize(
    "flow",
    [
        "steps: [{name: a-b, type: x}, {name: b, type: x, if: status.a-b.failed || status.a-b.skipped}]",
        "steps: [{name: a, type: x}, {name: b, type: x, if: 'status.a.phase == \"failed\" && context.n != _|_'}]",
        "steps: [{name: a, type: x, if: always}]",
        "steps: [{name: a, type: x, if: 'parameter.n == 1 || parameters.n == 2', properties: {n: 1}}]",
        "steps: [{name: g, type: step-group, subSteps: [{name: h, type: x, timeout: 1s}]}, {name: i, type: x, if: status.h.timeout}]",
        "steps: [{name: a, type: x, inputs: [{from: url, parameterKey: u}], if: inputs.url != _|_}]",
        "mode: {steps: DAG}\nsteps: [{name: a, type: x, properties: {k: '${{ steps.b.outputs.o }}'}}, {name: b, type: x}]",
        "steps: [{name: a, type: x, foreach: {items: '${{ context.l }}', as: n}, properties: {k: 'x-${{ n }}-${{ index }}'}}]",
        "steps: [{name: a, type: x, properties: {k: '$${{ not ours }}'}}]",
    ],
)
def test_good_workflows_pass(flow):
    assert places(problems(flow, given=("url",))) == []


def test_unknown_types_come_together_at_their_places():
    from appdelivery.model.problem import Problem

    def resolve(type):
        raise errors.SpecError([Problem(f"unknown step type '{type}'")])

    written = simulated.written("steps: [{type: a}, {type: step-group, subSteps: [{type: b}]}]")
    with pytest.raises(errors.SpecError) as caught:
        spec.of(written, resolve)
    assert places(caught.value.problems) == [
        (("steps", 0, "type"), "unknown step type 'a'"),
        (("steps", 1, "subSteps", 0, "type"), "unknown step type 'b'"),
    ]
