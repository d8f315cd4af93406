"""JSON Schemas for editors and forms (`appctl schema`): of definition files, of Applications, of one type's properties."""

from __future__ import annotations

from appdelivery.catalog import layouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.catalog.catalog import Catalog
    from appdelivery.model.definition import Definition

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
MAP = {"type": "object"}
MODE = {"enum": ["StepByStep", "DAG"]}
EXPRESSION = {"type": "string", "pattern": "\\$\\{\\{"}

SECRET = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "$generate": {"type": ["integer", "object"]},
        "$secretRef": {"type": "object"},
        "$age": {"type": "string"},
    },
}


def definition_schema() -> dict[str, Any]:
    """Of a definition file: one alternative for each kind, with the sections that the kind has."""
    return {
        "$schema": DIALECT,
        "title": "appdelivery definition",
        "oneOf": [_definition(kind) for kind in layouts.KINDS],
    }


def _definition(kind: str) -> dict[str, Any]:
    layout = layouts.LAYOUTS[kind]
    sections = {name: _section(name, section.kind) for name, section in layout.sections.items()}
    groups = [{"anyOf": [{"required": [name]} for name in group]} for group in layout.required]
    return {
        "title": kind,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "additionalProperties": False,
        "properties": {"apiVersion": {"const": "appdelivery.dev/v1"}, "kind": {"const": kind}, "metadata": METADATA}
        | sections,
        "allOf": groups,
    }


METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {**NAME, "description": "Equals the file name."},
        "version": {"type": "string", "description": "SemVer; a published version never changes.", "default": "0.0.0"},
        "description": {"type": "string", "description": "One line for lists and forms."},
        "deprecated": {"type": "string", "description": "What to use instead."},
        "hidden": {"type": "boolean", "description": "Not listed."},
        "icon": TEXT,
        "labels": {"type": "object", "additionalProperties": TEXT},
        "aliases": {**TEXTS, "description": "Other names of this type."},
        "requires": {**TEXTS, "description": "Custom kinds it needs, as GROUP/VERSION/KIND."},
        "examples": {"type": "array", "items": MAP, "description": "Complete Applications; `appctl test` renders them."},
    },
}
BY_NAME: dict[str, dict[str, Any]] = {
    "appliesTo": {**TEXTS, "description": "Kinds a trait fits, as GROUP/VERSION/KIND with * for any."},
    "owns": {**TEXTS, "description": "Workload fields that this trait or its controller owns, such as spec.replicas."},
    "stage": {"enum": ["PreDispatch", "DefaultDispatch", "PostDispatch"]},
    "use": {"type": "string", "description": "Name of a registered action."},
    "with": {"description": "Arguments of the action."},
    "health": {"type": ["string", "object"], "description": "failed, suspended, healthy, message over live objects."},
}
BY_KIND: dict[str, dict[str, Any]] = {
    "include": {**TEXTS, "description": "Names of shared parts."},
    "schema": {"type": "object", "description": "JSON Schema of the properties."},
    "types": {"type": "object", "description": "Schemas for $ref: '#/types/NAME'."},
    "let": {"type": "object", "description": "Named values, in order."},
    "map": MAP,
    "patch": {"description": "Strategic merge on the workload."},
    "patches": {"type": "array"},
    "text": TEXT,
    "texts": {"type": "object", "additionalProperties": TEXT},
    "checks": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["must", "message"],
            "additionalProperties": False,
            "properties": {"must": TEXT, "message": TEXT, "at": TEXT, "level": {"enum": ["error", "warning"]}},
        },
    },
}


def _section(name: str, kind: str) -> dict[str, Any]:
    return BY_NAME.get(name) or BY_KIND.get(kind) or {}


def values_schema(definition: Definition) -> dict[str, Any]:
    """Of the properties of one type, as its check applies it; leaves may hold expressions."""
    head = {"$schema": DIALECT, "title": definition.name}
    if definition.description:
        head["description"] = definition.description
    return head | definition.parameters


def application_schema(catalog: Catalog) -> dict[str, Any]:
    """Of an Application; the properties of every known type stand under its `type`."""
    component = {
        "type": "object",
        "required": ["name", "type"],
        "additionalProperties": False,
        "properties": {
            "name": NAME,
            "type": _types(catalog, layouts.COMPONENT),
            "properties": MAP,
            "traits": {"type": "array", "maxItems": 32, "items": {"$ref": "#/$defs/trait"}},
            "dependsOn": TEXTS,
            "inputs": {"type": "array", "items": {"$ref": "#/$defs/input"}},
            "outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}},
        },
        "allOf": _by_type(catalog, layouts.COMPONENT),
    }
    trait = {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": _types(catalog, layouts.TRAIT),
            "name": TEXT,
            "properties": MAP,
            "target": _closed({"kind": TEXT, "name": TEXT}, "kind", "name"),
        },
        "allOf": _by_type(catalog, layouts.TRAIT),
    }
    spec = {
        "components": {"type": "array", "minItems": 1, "maxItems": 500, "items": {"$ref": "#/$defs/component"}},
        "policies": {"type": "array", "items": _closed({"name": NAME, "type": TEXT, "properties": MAP}, "type")},
        "workflow": _closed(
            {
                "ref": TEXT,
                "mode": _closed({"steps": MODE, "subSteps": MODE}),
                "steps": {"type": "array", "maxItems": 200, "items": {"$ref": "#/$defs/step"}},
                "deadline": TEXT,
            }
        ),
    }
    metadata = {"name": NAME, "namespace": NAME, "labels": MAP, "annotations": MAP}
    return {
        "$schema": DIALECT,
        "title": "Application",
        **_closed(
            {
                "apiVersion": {"const": "core.oam.dev/v1beta1"},
                "kind": {"const": "Application"},
                "metadata": {**_closed(metadata, "name"), "additionalProperties": True},
                "spec": _closed(spec, "components"),
            },
            "apiVersion",
            "kind",
            "metadata",
            "spec",
        ),
        "$defs": {
            "component": component,
            "trait": trait,
            "step": _step(catalog),
            "input": _closed({"from": TEXT, "parameterKey": TEXT}, "from"),
            "output": _closed({"name": TEXT, "valueFrom": TEXT, "secret": {"type": "boolean"}}, "name", "valueFrom"),
        },
    }


def _step(catalog: Catalog) -> dict[str, Any]:
    """One step or sub step.  What inputs write is not there yet, so a step with inputs may lack what is required."""
    retry = {"limit": {"type": "integer"}, "interval": TEXT, "backoff": TEXT, "factor": {"type": "number"}, "max": TEXT}
    foreach = {"items": {}, "as": TEXT, "parallelism": {"type": "integer"}, "failFast": {"type": "boolean"}}
    fields = {
        "name": TEXT,
        "type": _types(catalog, layouts.STEP),
        "properties": MAP,
        "meta": _closed({"alias": TEXT}),
        "if": TEXT,
        "timeout": TEXT,
        "dependsOn": TEXTS,
        "inputs": {"type": "array", "items": {"$ref": "#/$defs/input"}},
        "outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}},
        "effects": {"enum": ["once", "repeatable"]},
        "retry": _closed(retry),
        "foreach": _closed(foreach, "items"),
        "subSteps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "mode": MODE,
        "concurrency": {"type": "integer", "minimum": 1},
    }
    by_type = _by_type(catalog, layouts.STEP)
    return {**_closed(fields, "type"), "if": {"not": {"required": ["inputs"]}}, "then": {"allOf": by_type}}


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "additionalProperties": False, "properties": properties}


def _types(catalog: Catalog, kind: str) -> dict[str, Any]:
    """A known name, or one with a version."""
    names = [name for name in catalog.names(kind) if not catalog.resolve(kind, name).hidden]
    return {"anyOf": [{"enum": names}, {"type": "string", "pattern": "^[a-z0-9-]+@.+$"}]}


def _by_type(catalog: Catalog, kind: str) -> list[dict[str, Any]]:
    found = []
    for name in catalog.names(kind):
        definition = catalog.resolve(kind, name)
        found.append(
            {
                "if": {"required": ["type"], "properties": {"type": {"const": name}}},
                "then": {
                    "properties": {"properties": open_to_expressions(definition.parameters)},
                    **({"required": ["properties"]} if definition.parameters.get("required") else {}),
                },
            }
        )
    return found


def open_to_expressions(schema: Any) -> Any:
    """The schema of leaves that may also hold `${{ ... }}`: editors must not mark them."""
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    if isinstance(schema.get("properties"), dict):
        out["properties"] = {name: open_to_expressions(inner) for name, inner in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in schema:
            out[key] = open_to_expressions(schema[key])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            out[key] = [open_to_expressions(inner) for inner in schema[key]]
    if schema.get("x-secret"):
        return {"anyOf": [out, SECRET]}
    leaf = schema.get("enum") or schema.get("type") in ("integer", "number", "boolean")
    return {"anyOf": [out, EXPRESSION]} if leaf else out
