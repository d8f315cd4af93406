"""What a case gives and expects, and how the two are compared: contexts, patched workloads, differences, rewriting.

Only for cases.py; nothing here is on the path of a render.
"""

from __future__ import annotations

from appdelivery.catalog import judgement, layouts
from appdelivery.errors import SpecError
from appdelivery.language import patch
from appdelivery.model import secret
from appdelivery.model.problem import Problem, dotted
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from appdelivery.model.definition import Definition

WORKLOAD = "workload"  # under `expect`: the workload after a trait's patches


def context(definition: Definition, given: dict[str, Any]) -> dict[str, Any]:
    """A whole context: what the case gives, the rest as a small application would have it."""
    app = given.get("appName", "app")
    # A step acts for the application and has a name of its own.
    name = given.get("name", app if definition.kind == layouts.STEP else definition.name)
    selector = {"app.oam.dev/component": name}
    return {
        "name": name,
        "appName": app,
        "namespace": "default",
        "appRevision": f"{app}-v1",
        "appRevisionNum": 1,
        "revision": f"{name}-v1",
        "appLabels": {},
        "appAnnotations": {},
        "componentType": "webservice",
        "replicaKey": None,
        "workflowName": None,
        "publishVersion": None,
        "cluster": "local",
        "clusterVersion": {"major": 1, "minor": 36, "gitVersion": "v1.36.0", "platform": "linux/amd64"},
        "placement": None,
        "selector": selector,
        "labels": {**selector, "app.oam.dev/name": app},
        "traits": [definition.name] if definition.kind == layouts.TRAIT else [],
        "owned": dict.fromkeys(definition.owns, definition.name),
        "output": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}},
        "outputs": {},
        "stepName": definition.name,
        "stepGroupName": None,
        "stepSessionID": "01J0000000000000000000STEP",
        "spanID": "01J0000000000000000000STEP",
        **given,
    }


def rendered(definition: Definition, parameters: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Outputs by name, patched outputs by theirs, and the patched workload of a trait."""
    made = definition.code.render(parameters, given)
    found = dict(made.outputs)
    try:
        if definition.kind != layouts.COMPONENT:
            body = given["output"]
            for one in ([{"patch": made.patch}] if made.patch else []) + made.patches:
                how = {"strategic": patch.strategic, "merge": patch.merge, "json": patch.json}[one.get("type", "strategic")]
                body = how(body, one["patch"])
            found[WORKLOAD] = body
        for name, change in made.patch_outputs.items():
            found[name] = patch.strategic(given["outputs"].get(name) or {}, change)
    except patch.PatchError as error:
        raise SpecError([Problem(error.message, code=error.code, hint=error.hint)]) from error
    return found


def health(found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        return {"state": None}
    state, message = judgement.of(found)
    return {"state": state, "message": message}


def named(found: Sequence[Problem]) -> list[Problem]:
    """Schema problems with the property in the message."""
    return [changed(p, message=f"{dotted(p.path)}: {p.message}" if p.path else p.message) for p in found]


def schema_examples(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(property, example, its schema) of every `examples` entry."""
    if not isinstance(schema, dict):
        return
    for value in schema.get("examples") or ():
        yield ".".join(path) or "parameters", value, schema
    for name, inner in (schema.get("properties") or {}).items():
        yield from schema_examples(inner, (*path, name))
    for key in ("items", "additionalProperties"):
        yield from schema_examples(schema.get(key), (*path, "*"))


# --- comparing ---


def difference(what: str, wanted: Any, made: Any, *, subset: bool) -> str:
    """'' when they are equal (or the wanted part is), else a unified diff of the two as YAML."""
    made = secret.masked(made)
    if what == "expect" and isinstance(made, dict) and isinstance(wanted, dict):
        if WORKLOAD not in wanted:
            made = {name: value for name, value in made.items() if name != WORKLOAD}
        subset = subset or "state" in wanted
    shown = overlap(wanted, made) if subset else made
    if shown == wanted and _kinds(shown) == _kinds(wanted):
        return ""
    return lines(what, wanted, shown)


def lines(what: str, wanted: Any, made: Any) -> str:
    import difflib

    from appdelivery.language.text import yaml_out

    before, after = yaml_out.dump(wanted).splitlines(), yaml_out.dump(made).splitlines()
    return "\n".join(difflib.unified_diff(before, after, f"{what}, expected", f"{what}, made", lineterm="", n=2))


def overlap(wanted: Any, made: Any) -> Any:
    """The part of `made` that `wanted` speaks about: its keys of maps, item by item where lists are equally long."""
    if isinstance(wanted, dict) and isinstance(made, dict):
        return {key: overlap(value, made[key]) for key, value in wanted.items() if key in made}
    if isinstance(wanted, list) and isinstance(made, list) and len(wanted) == len(made):
        return [overlap(one, other) for one, other in zip(wanted, made, strict=True)]
    return made


def _kinds(tree: Any) -> Any:
    """Python calls 1 and true equal; YAML does not."""
    if isinstance(tree, dict):
        return {key: _kinds(value) for key, value in tree.items()}
    return [_kinds(item) for item in tree] if isinstance(tree, list) else isinstance(tree, bool)
