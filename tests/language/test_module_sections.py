"""Every section of a definition through the methods of a Module: language.md 2, 8, 11 to 14."""

from __future__ import annotations

import pytest
from compiling import CONTEXT, bound, compiled

from appdelivery import errors
from appdelivery.language import schema
from appdelivery.model.secret import Secret

LIVE = {"parameters": {}, "context": CONTEXT, "output": {}, "outputs": {}}


def test_check_fills_defaults_and_refuses_and_explain_says_why():
    module = bound("parameters: {required: [a], properties: {a: {type: integer}, b: {type: string, default: x}}}\npatch: {}")
    assert module.check({"a": 1}) == {"a": 1, "b": "x"}
    with pytest.raises(schema.Refusal):
        module.check({"a": "one", "c": 1})
    assert [p.path for p in module.explain({"a": "one", "c": 1})]


def test_checks_report_all_failures_with_level_and_path():
    module = bound("""
        parameters: {properties: {min: {type: integer, default: 1}, max: {type: integer, default: 9}}}
        checks:
          - must: parameters.min <= parameters.max
            at: max
            message: max (${{ parameters.max }}) is below min (${{ parameters.min }})
          - must: parameters.min > 1
            at: a.b[0].c
            message: one is not many
            level: warning
        patch: {}
        """)
    assert module.checks({"min": 2, "max": 5}, CONTEXT) == []
    found = module.checks({"min": 1, "max": 0}, CONTEXT)
    assert [(p.path, p.message, p.level, p.code) for p in found] == [
        (("max",), "max (0) is below min (1)", "error", "check"),
        (("a", "b", 0, "c"), "one is not many", "warning", "check"),
    ]


def test_a_check_that_fails_at_run_time_is_an_error_of_the_definition():
    module = bound(
        "parameters: {properties: {n: {type: integer}}}\nchecks: [{must: parameters.n < 1, message: x}]\npatch: {}"
    )
    with pytest.raises(errors.SpecError) as wrong:
        module.checks({}, CONTEXT)
    assert (wrong.value.problems[0].file, wrong.value.problems[0].line) == ("probe.yaml", 5)


def test_render_gives_outputs_patches_and_selector():
    module = bound(
        """
        parameters: {properties: {on: {type: boolean}}}
        outputs:
          first: {apiVersion: v1, kind: ConfigMap}
          second: {$if: parameters.on, apiVersion: v1, kind: Secret}
          third-${{ context.name }}: {apiVersion: v1, kind: Service}
        patch: {spec: {replicas: 1, template: null}}
        patches:
          - patch: {spec: {a: 1}}
          - {type: merge, patch: {b: null}}
          - {$if: parameters.on, type: json, patch: "${{ [{'op': 'remove', 'path': '/x'}] }}"}
        patchOutputs: {other: {spec: {type: NodePort}}}
        """,
    )
    made = module.render({}, CONTEXT)
    assert list(made.outputs) == ["first", "third-web"]
    assert made.patch == {"spec": {"replicas": 1, "template": None}}
    assert made.patches == [{"patch": {"spec": {"a": 1}}}, {"type": "merge", "patch": {"b": None}}]
    assert made.patch_outputs == {"other": {"spec": {"type": "NodePort"}}}
    assert made.selector is None
    assert list(module.render({"on": True}, CONTEXT).outputs) == ["first", "second", "third-web"]
    assert len(module.render({"on": True}, CONTEXT).patches) == 3


def test_sections_that_a_definition_lacks_give_nothing():
    module = bound("patch: {}")
    assert module.checks({}, CONTEXT) == []
    assert module.placement({}, CONTEXT) is None
    assert module.arguments({}, CONTEXT) is None
    assert module.health(LIVE) is None
    assert module.status(LIVE) is None
    assert module.details(LIVE) is None
    assert module.values(LIVE) is None


def test_the_policy_of_the_design_renders_as_it_says():
    module = bound(
        """
        parameters: {required: [team], properties: {team: {type: string}, costCenter: {type: string}}}
        selector: {resourceTypes: [Deployment, StatefulSet, Job]}
        patch:
          metadata:
            labels: {team: "${{ parameters.team }}", cost-center: "${{ parameters.costCenter }}"}
        """,
        kind="PolicyDefinition",
    )
    made = module.render(module.check({"team": "ml"}), CONTEXT)
    assert made.patch == {"metadata": {"labels": {"team": "ml"}}}
    assert made.selector == {"resourceTypes": ["Deployment", "StatefulSet", "Job"]}


def test_the_step_of_the_design_gives_arguments_and_values():
    body = """
        parameters:
          required: [name]
          properties:
            apiVersion: {type: string, default: core.oam.dev/v1beta1}
            kind: {type: string, default: Application}
            name: {type: string}
            namespace: {type: string, default: default}
            cluster: {type: string, default: ""}
        use: read
        with:
          cluster: ${{ parameters.cluster or context.cluster }}
          ref: {apiVersion: "${{ parameters.apiVersion }}", kind: "${{ parameters.kind }}", namespace: "${{ parameters.namespace }}", name: "${{ parameters.name }}"}
        outputs:
          output: {value: "${{ result.object }}"}
        """
    module = bound(body, kind="WorkflowStepDefinition", actions=frozenset({"read"}))
    parameters = module.check({"name": "a"})
    assert module.arguments(parameters, CONTEXT) == {
        "cluster": "local",
        "ref": {"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "namespace": "default", "name": "a"},
    }
    given = {"parameters": parameters, "context": CONTEXT, "result": {"object": {"x": 1}}}
    assert module.values(given) == {"output": {"value": {"x": 1}}}


def test_any_key_of_a_steps_context_can_be_read():
    module = bound("use: read\nwith: {v: '${{ context.own }}'}", kind="WorkflowStepDefinition")
    assert module.arguments({}, {"own": 5}) == {"v": 5}


HEALTH = """
    patch: {}
    health:
      failed: ${{ output.status.phase == 'Failed' }}
      suspended: ${{ output.spec.suspend }}
      healthy: ${{ output.status.succeeded >= output.spec.completions }}
      message: ${{ output.status.message }}
    status: Active ${{ output.status.active | default(0) }}, done ${{ output.status.succeeded }}
    details: {endpoint: "${{ outputs.service.spec.clusterIP }}", fixed: a, count: "${{ output.status.active }}"}
    """


def test_health_status_and_details_read_live_objects():
    module = bound(HEALTH)
    done = {
        **LIVE,
        "output": {"status": {"succeeded": 2, "active": 1, "message": "m"}, "spec": {"completions": 2}},
        "outputs": {"service": {"spec": {"clusterIP": "10.0.0.1"}}},
    }
    assert module.health(done) == {"failed": False, "suspended": False, "healthy": True, "message": "m"}
    assert module.status(done) == "Active 1, done 2"
    assert module.details(done) == {"endpoint": "10.0.0.1", "fixed": "a", "count": "1"}
    assert module.health(LIVE) == {"failed": False, "suspended": False, "healthy": False, "message": None}
    assert module.status(LIVE) == "Active 0, done -"
    assert module.details(LIVE) == {"fixed": "a"}


def test_health_of_one_expression_means_healthy():
    module = bound("patch: {}\nhealth: ${{ output.status.ok }}")
    assert module.health({**LIVE, "output": {"status": {"ok": True}}}) == {"healthy": True}
    assert module.health(LIVE) == {"healthy": False}


def test_a_health_rule_that_cannot_be_evaluated_is_a_located_problem():
    module = bound("patch: {}\nhealth: ${{ output.status.ready > 'x' }}")
    with pytest.raises(errors.SpecError) as wrong:
        module.health({**LIVE, "output": {"status": {"ready": 1}}})
    assert wrong.value.problems[0].message == "'>' cannot compare a number with a string"


def test_placement_is_a_tree_of_expressions():
    module = bound(
        "parameters: {properties: {n: {type: integer}}}\npatch: {}\nplacement: {replicas: '${{ parameters.n }}', gang: true}"
    )
    assert module.placement({"n": 2}, CONTEXT) == {"replicas": 2, "gang": True}
    assert module.placement({}, CONTEXT) == {"gang": True}


def test_secrets_pass_whole_and_opaque():
    module = bound(
        "parameters: {properties: {p: {type: string, x-secret: true}}}\npatch: {v: '${{ parameters.p }}', l: ['${{ parameters.p }}']}"
    )
    made = module.render(module.check({"p": "hidden"}), CONTEXT)
    assert made.patch == {"v": Secret("hidden"), "l": [Secret("hidden")]}
    assert "hidden" not in repr(made)


DEFERRED = """
    parameters:
      properties:
        query: {type: string, x-deferred: [version, canary, stable, args]}
        when: {type: string, format: expression, x-deferred: [result, args]}
        list: {type: array, items: {type: object, additionalProperties: {type: string, x-deferred: [output]}}}
    patch: {v: "${{ parameters.query }}"}
    """


def test_deferred_strings_are_compiled_at_admission_and_kept_as_written():
    module = bound(DEFERRED)
    good = {"query": "a${{ version.revision }}", "when": "result[0] < 0.01", "list": [{"x": "${{ output.a }}"}]}
    assert module.checks(module.check(good), CONTEXT) == []
    assert module.render(module.check(good), CONTEXT).patch == {"v": "a${{ version.revision }}"}
    found = module.checks(module.check({"query": "${{ canry.x }}", "when": "result[", "list": [{"x": "${{ b }}"}]}), CONTEXT)
    assert [(p.path, p.message.split(" in expr")[0]) for p in found] == [
        (("query",), "unknown name 'canry', did you mean 'canary'? in query"),
        (("when",), "unexpected 'end of text'"),
        (("list", 0, "x"), "unknown name 'b' in x"),
    ]
    assert found[0].hint == "known: args, canary, stable, version"


def test_what_is_read_of_the_context_is_recorded():
    body = """
        let: {unused: "${{ context.cluster }}", used: "${{ context.namespace }}"}
        patch: {a: "${{ context.name }}", b: "${{ used }}", c: "${{ context.clusterVersion.minor | default(0) }}"}
        """
    assert compiled(body).reads == {"name", "namespace", "clusterVersion"}
    assert compiled("patch: {}\nstatus: ${{ context.cluster }}").reads == set()


# --- the hash ---

BASE = "parameters: {properties: {a: {type: string, description: one}}}\npatch: {a: '${{ parameters.a }}'}"


def test_the_hash_ignores_what_changes_no_rendering():
    base = compiled(BASE).hash
    assert compiled(BASE.replace("one", "another")).hash == base
    assert compiled("# a comment\n" + BASE).hash == base
    assert compiled("types: {T: {type: string}}\n" + BASE.replace("type: string", '$ref: "#/types/T"')).hash == base


@pytest.mark.parametrize(
    "changed",
    [
        BASE.replace("string", "integer"),
        BASE.replace("patch: {a", "patch: {b"),
        BASE + "\nlet: {x: 1}",
        BASE + "\nchecks: [{must: true, message: m}]",
        BASE + "\nstage: PreDispatch",
        BASE + "\nstatus: x",
    ],
)
def test_the_hash_covers_every_section(changed):
    assert compiled(changed).hash != compiled(BASE).hash


def test_the_hash_covers_shared_parts_and_kind():
    part = "apiVersion: appdelivery.dev/v1\nkind: Shared\nmetadata: {name: p}\nlet: {x: 1}"
    one = compiled("include: [p]\n" + BASE, shared={"p": part}).hash
    assert one != compiled(BASE).hash
    assert one != compiled("include: [p]\n" + BASE, shared={"p": part.replace("1}", "2}")}).hash
    assert compiled(BASE, kind="PolicyDefinition").hash != compiled(BASE).hash
