"""How a secret is written in an Application, and what becomes of it (language.md 7.4).

Besides plain text, a secret parameter takes `{$secretRef: {store, key, version}}`, `{$generate: LENGTH}` or
`{$generate: {length, alphabet}}`, and `{$age: TEXT}`.  The generated check leaves each as a Spelling, because it knows
neither the application nor the place; render then lets `settle` turn every Spelling into a Secret.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model.problem import Problem, dotted
from appdelivery.model.record import record
from appdelivery.model.secret import Secret, SecretRef

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.problem import Path

KINDS = ("$age", "$secretRef", "$generate")
STORES = ("installation", "application")
LONGEST = 1024  # characters of a generated value


@record
class Spelling:
    """A secret that is named, not given.  arguments: ($age) text; ($secretRef) store, key, version;
    ($generate) length, alphabet ('' = letters and digits)."""

    kind: str
    arguments: tuple[str | int, ...]


def read(value: dict[str, Any]) -> Spelling:
    """The Spelling that a map stands for; ValueError says what is wrong with it."""
    if len(value) != 1 or (kind := next(iter(value))) not in KINDS:
        raise ValueError(f"expected text, or a map with one of {', '.join(KINDS)}")
    given = value[kind]
    if kind == "$age":
        if not isinstance(given, str) or not given:
            raise ValueError("$age: expected the encrypted text")
        return Spelling(kind, (given,))
    return Spelling(kind, _reference(given) if kind == "$secretRef" else _generate(given))


def _reference(given: Any) -> tuple[str | int, ...]:
    fields = _fields("$secretRef", given, ("store", "key", "version"))
    store, key, version = fields.get("store", STORES[0]), fields.get("key"), fields.get("version", 0)
    if store not in STORES:
        raise ValueError(f"$secretRef.store: expected one of {', '.join(STORES)}")
    if not isinstance(key, str) or not key:
        raise ValueError("$secretRef.key: expected the name of the stored secret")
    if type(version) is not int or version < 0:
        raise ValueError("$secretRef.version: expected a number from 1, or nothing for the newest")
    return store, key, version


def _generate(given: Any) -> tuple[str | int, ...]:
    fields = {"length": given} if type(given) is int else _fields("$generate", given, ("length", "alphabet"))
    length, alphabet = fields.get("length"), fields.get("alphabet", "")
    if type(length) is not int or not 1 <= length <= LONGEST:
        raise ValueError(f"$generate: expected a length from 1 to {LONGEST}")
    if not isinstance(alphabet, str) or ("alphabet" in fields and len(set(alphabet)) < 2):
        raise ValueError("$generate.alphabet: expected at least two different characters")
    return length, alphabet


def _fields(kind: str, given: Any, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(f"{kind}: expected a map with {', '.join(known)}")  # noqa: TRY004 - one error for the caller
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"{kind} has no field '{unknown[0]}'; it takes {', '.join(known)}")
    return given


def made(value: Spelling, name: str, owner: str) -> Secret:
    """The reference that a spelling means.  name: where it stands, COMPONENT/dotted.path; owner: namespace/app."""
    if value.kind == "$generate":
        length, alphabet = value.arguments
        ref = SecretRef("application", owner, name, length=int(length), alphabet=str(alphabet))
    elif value.kind == "$secretRef":
        store, key, version = value.arguments
        ref = SecretRef(str(store), owner if store == "application" else "", str(key), int(version))
    else:
        raise ValueError("$age is not available until Git sources exist")
    return Secret(ref=ref)


def settle(tree: Any, *, owner: str, path_prefix: str) -> Any:
    """A copy of checked properties in which every Spelling is a Secret; SpecError names each one that cannot be.

    path_prefix is the component's name; problems carry paths from the root of the properties.
    """
    problems: list[Problem] = []
    settled = _settled(tree, (), owner=owner, prefix=path_prefix, problems=problems)
    if problems:
        raise SpecError(problems)
    return settled


def _settled(tree: Any, path: Path, *, owner: str, prefix: str, problems: list[Problem]) -> Any:
    """Copies only what holds a Spelling; everything else stays as it is."""
    kind = type(tree)
    if kind is Spelling:
        return _made(tree, path, owner=owner, prefix=prefix, problems=problems)
    if kind is not dict and kind is not list:
        return tree
    out = tree
    for key, value in tree.items() if kind is dict else enumerate(tree):
        inner = type(value)
        if inner is str or inner not in DEEP:
            continue
        if inner is Spelling:
            new = _made(value, (*path, key), owner=owner, prefix=prefix, problems=problems)
        elif not value or DEEP.isdisjoint(map(type, value.values() if inner is dict else value)):
            continue
        else:
            new = _settled(value, (*path, key), owner=owner, prefix=prefix, problems=problems)
        if new is not value:
            if out is tree:
                out = tree.copy()
            out[key] = new
    return out


DEEP = frozenset((Spelling, dict, list))


def _made(value: Spelling, path: Path, *, owner: str, prefix: str, problems: list[Problem]) -> Any:
    try:
        return made(value, f"{prefix}/{dotted(path)}", owner)
    except ValueError as error:
        hint = "write {$generate: 32}, or {$secretRef: {key: NAME}} after `appctl secret set NAME`"
        problems.append(Problem(str(error), code="parameters.secret", path=path, hint=hint))
        return value
