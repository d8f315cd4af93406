"""Each lint rule finds its mistake, with code and line, and stays silent where there is none."""

from __future__ import annotations

import pytest

from appdelivery.catalog import catalog, lint
from appdelivery.language.text import yaml_in

GOOD = """apiVersion: appdelivery.dev/v1
kind: ComponentDefinition
metadata: {name: mine, description: For a test.}
types:
  Port: {type: integer, description: A port.}
parameters:
  required: [image]
  properties:
    image: {type: string, description: The image., pattern: "^[a-z]+$"}
    count: {type: integer, description: A number.}
    port: {$ref: "#/types/Port"}
    probe: {description: A probe., properties: {path: {type: string, description: A path.}}}
let:
  labels: ${{ context.labels }}
checks:
  - {must: parameters.count != 3, at: count, message: not three}
outputs:
  deployment:
    apiVersion: apps/v1
    kind: Deployment
    spec:
      replicas: ${{ parameters.count }}
      template:
        metadata: {labels: "${{ labels }}"}
        spec:
          containers:
            - name: main
              image: ${{ parameters.image }}
              port: ${{ parameters.port }}
              probe:
                $if: parameters.probe
                path: ${{ parameters.probe.path }}
"""


def findings(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return lint.file(str(path), text.encode(), catalog.Catalog((str(path),)))


def test_a_good_definition_has_no_findings(tmp_path):
    assert [str(p) for p in findings(tmp_path, GOOD)] == []


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("let:\n", "let:\n  spare: 5\n", "lint.unused-let", "spare: 5"),
        ("types:\n", "types:\n  Spare: {type: string}\n", "lint.unused-type", "Spare"),
        ("    count:", "    spare: {type: string, description: Unused.}\n    count:", "lint.unused-parameter", "spare:"),
        ("description: A number.", "minimum: 0", "lint.description", "count:"),
        ("type: string, description: A path.", "type: string", "lint.description", "probe:"),
        (", description: For a test.", "", "lint.description", "metadata"),
        ("required: [image]\n  properties:", "properties:", "lint.default-check", ""),
        ('"^[a-z]+$"', '"[a-z]+$"', "lint.pattern-anchor", "pattern"),
        ('{labels: "${{ labels }}"}', '{labels: {rev: "${{ context.appRevision ~ labels | length }}"}}', "lint.revision-in-pod", "rev:"),
        ("                $if: parameters.probe\n", "", "lint.optional", "path: ${{"),
        ("              port:", "              extra: {$if: parameters.count, a: b}\n              port:", "lint.number-condition", "extra"),
        ("    kind: Deployment\n", "    kind: Deployment\n    metadata: {labels: {app.oam.dev/name: x}}\n", "lint.contract-label", "app.oam.dev/name"),
    ],
)  # fmt: skip
def test_a_rule_finds(tmp_path, old, new, code, line):
    text = GOOD.replace(old, new)
    if code == "lint.default-check":
        text = text.replace("count: {type: integer,", "count: {type: integer, default: 3,").replace(
            "parameters.image", "(parameters.image or '')"
        )
    assert text != GOOD
    found = findings(tmp_path, text)
    assert [p.code for p in found] == [code], [str(p) for p in found]
    assert found[0].level == "warning"
    assert line in text.splitlines()[found[0].line - 1]
    assert code in lint.RULES


def test_a_definition_that_does_not_compile_gives_its_compile_problems(tmp_path):
    found = findings(tmp_path, GOOD.replace("parameters.image }}", "parameters.imgae }}"))
    assert [p.level for p in found] == ["error"]
    assert "did you mean 'image'" in found[0].message


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("nginx", "has no tag"),
        ("registry.example.com:5000/nginx", "has no tag"),
        ("nginx:latest", "has the tag latest"),
        ("nginx:1.27", ""),
        ("nginx@sha256:" + "0" * 64, ""),
        ("registry.example.com:5000/nginx:1.27", ""),
        ("${{ context.appName }}", ""),
    ],
)
def test_images_of_applications_need_a_tag(image, said):
    text = f"kind: Application\nspec: {{components: [{{name: a, type: worker, properties: {{image: '{image}'}}}}]}}"
    found = lint.application("app.yaml", yaml_in.load(text.encode(), "app.yaml"), catalog.Catalog())
    assert len(found) == (1 if said else 0)
    if said:
        assert said in found[0].message
        assert (found[0].code, found[0].path) == ("lint.image-tag", ("spec", "components", 0, "properties", "image"))


STEP = """apiVersion: appdelivery.dev/v1
kind: WorkflowStepDefinition
metadata: {name: tell, description: For a test.}
parameters: {properties: {text: {type: string, description: What.}, loud: {type: boolean, description: How.}}}
use: notification
"""


@pytest.mark.parametrize(
    ("more", "said"), [("", []), ('with: {message: "${{ parameters.text }}"}\n', ["nothing reads parameter 'loud'"])]
)
def test_a_parameter_of_a_step_is_read_by_its_action_unless_with_says_otherwise(tmp_path, more, said):
    path = tmp_path / "tell.yaml"
    path.write_text(STEP + more)
    known = catalog.Catalog((str(path),))
    assert [p.message for p in lint.file(str(path), path.read_bytes(), known)] == said
