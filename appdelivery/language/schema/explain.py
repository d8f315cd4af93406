"""Why a value is refused, in our words (language.md 7.3 and 15).  Loaded only after a refusal, and by lint and test.

jsonschema is the authority: it reads the same closed schema as the generated check and finds every error; this module
words them, one code per keyword.  Patterns go through re2, references nowhere.  Called by the definition module when
its check refuses, and by `appctl lint`, `test` and `definition` for the schemas of definitions.
"""

from __future__ import annotations

from appdelivery.language import secrets
from appdelivery.language.schema import Finding, helpers, wording
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

    from appdelivery.model.problem import Path

LIMIT = 50  # findings collected
OPAQUE = frozenset({"enum", "const", "minLength", "maxLength", "pattern"})  # what nobody asks of a Secret


def findings(closed: dict[str, Any], value: Any) -> list[Finding]:
    """Everything that is wrong with a value, paths from its root, in its order; empty when `check` accepts it."""
    found: dict[tuple[Any, ...], Finding] = {}
    for error in _validator(closed).iter_errors(value):
        for finding in _explained(error):
            found.setdefault((finding.path, finding.code), finding)
        if len(found) >= LIMIT:
            break
    return sorted(found.values(), key=lambda finding: _order(finding.path, value))


def check_schema(parameters: dict[str, Any]) -> list[Finding]:
    """What the meta-schema of JSON Schema 2020-12 says about a schema as written."""
    import re2
    from jsonschema import Draft202012Validator, FormatChecker

    formats = FormatChecker(formats=())

    def is_regex(pattern: object) -> bool:
        return not isinstance(pattern, str) or bool(helpers.compiled(pattern))

    formats.checks("regex", raises=re2.error)(is_regex)
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=formats)
    return [
        Finding(("parameters", *error.absolute_path), "definition.schema", f"not JSON Schema 2020-12: {error.message[:300]}")
        for error in meta.iter_errors(parameters)
    ][:LIMIT]


def _validator(closed: dict[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry

    def is_text(_: Any, instance: Any) -> bool:
        return isinstance(instance, (str, Secret))

    keywords = {**Draft202012Validator.VALIDATORS, **_OURS, "enum": _enum()}
    extend: Any = validators.extend
    kind = extend(
        Draft202012Validator,
        {keyword: _waiting(keyword, function) for keyword, function in keywords.items()},
        type_checker=Draft202012Validator.TYPE_CHECKER.redefine("string", is_text),
    )
    made: Validator = kind(closed, registry=Registry())
    return made


def _waiting(keyword: str, function: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
    """A keyword that lets pass what is judged elsewhere: an expression when it is resolved, a secret never."""

    def judged(validator: Any, argument: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if helpers.late(instance) or (keyword in OPAQUE and isinstance(instance, Secret)):
            return
        if schema.get("x-secret") and isinstance(instance, (dict, secrets.Spelling)):
            yield from _spelled(instance)
        else:
            yield from function(validator, argument, instance, schema) or ()

    return judged


def _spelled(instance: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(instance, dict):
        try:
            secrets.read(instance)
        except ValueError as error:
            yield ValidationError(str(error), validator="x-secret", instance=instance)


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not helpers.pattern(pattern)(instance):
        yield _failed()


def _unique(_: Any, unique: bool, instance: Any, __: Any) -> Iterator[ValidationError]:
    if unique and isinstance(instance, list) and not helpers.unique(instance):
        yield _failed()


def _multiple(_: Any, of: float, instance: Any, __: Any) -> Iterator[ValidationError]:
    if type(instance) in (int, float) and not helpers.multiple(instance, of):
        yield _failed()


def _enum() -> Callable[..., Iterator[ValidationError]]:
    """Values of each enum by key, made once: a list may hold thousands of values to compare with a thousand."""
    made: dict[int, frozenset[Any]] = {}

    def judged(_: Any, known: list[Any], instance: Any, __: Any) -> Iterator[ValidationError]:
        if id(known) not in made:
            made[id(known)] = helpers.keys(known)
        if not helpers.among(instance, made[id(known)]):
            yield _failed()

    return judged


def _names(validator: Any, names: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    for name in instance if isinstance(instance, dict) else ():
        if wrong := list(validator.descend(name, names)):
            yield ValidationError("refused", path=(name,), context=wrong)


def _failed() -> ValidationError:
    from jsonschema import ValidationError

    return ValidationError("refused")


# Where jsonschema would use Python's re, take quadratic time, fall over infinities (the check's own helpers do not), or
# not say which name it means.
_OURS = {"pattern": _pattern, "uniqueItems": _unique, "multipleOf": _multiple, "propertyNames": _names}


def _explained(error: ValidationError, above: Path = ()) -> Iterator[Finding]:
    path = (*above, *error.relative_path)
    keyword = str(error.validator)
    if keyword in ("oneOf", "anyOf") and error.context:
        yield from _branches(error, path)
    elif keyword == "additionalProperties":
        yield from wording.unknown(path, error.instance, error.schema)
    elif keyword == "propertyNames":
        inner = next(finding for wrong in error.context or () for finding in _explained(wrong))
        yield wording.wrong_name(path, inner)
    elif keyword == "required":
        yield from wording.missing(path, error)
    else:
        yield wording.worded(path, keyword, error)


def _branches(error: ValidationError, path: Path) -> Iterator[Finding]:
    """Of several forms, what is wrong with the one that was most likely meant."""
    groups: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        groups.setdefault(inner.relative_schema_path[0], []).append(inner)
    fitting = [group for group in groups.values() if not any(_wrong_type(inner) for inner in group)]
    if not fitting:
        yield wording.no_form(path, str(error.validator), error)
        return
    meant = min(fitting, key=_distance)
    for inner in meant:
        yield from _explained(inner, path)


def _wrong_type(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def _distance(group: list[ValidationError]) -> tuple[Any, ...]:
    """How far a form is from the value: names that do not fit, a constant that differs, then jsonschema's relevance."""
    from jsonschema.exceptions import relevance

    here = [error for error in group if not error.relative_path]
    names = sum(len(wording.strangers(e.instance, e.schema)) for e in here if e.validator == "additionalProperties")
    tags = sum(error.validator in ("const", "enum") for error in group)
    keys: list[Any] = [relevance(error) for error in group]
    deepest = min(key[0] for key in keys)
    return tags, names, len(group), deepest


def _order(path: Path, value: Any) -> tuple[int, ...]:
    """Position of a path in the value, to report in document order."""
    order = []
    for step in path:
        if isinstance(value, dict):
            names = list(value)
            order.append(names.index(step) if step in value else len(names))
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            order.append(step)
            value = value[step] if step < len(value) else None
    return tuple(order)
