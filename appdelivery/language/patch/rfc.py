"""The two patch forms of the RFCs, for authors who want exactly those.  Exported by patch as `merge` and `json`."""

from __future__ import annotations

from appdelivery.language.patch.authors import PatchError
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def merge(base: Any, change: Any) -> Any:
    """RFC 7396."""
    if not isinstance(change, dict):
        return change
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value) if isinstance(value, dict) else value
    return out


def json(base: Any, operations: Any) -> Any:
    """RFC 6902."""
    import jsonpatch

    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise PatchError(
            "patch.type", "a patch of type json is a list of operations", 'such as {op: add, path: "/a", value: 1}'
        )
    tree = _sealed(base)
    for number, operation in enumerate(operations, 1):
        path = str(operation.get("path"))
        what = f"operation {number} ({operation.get('op')} {path})"
        try:
            tree = jsonpatch.JsonPatch([_sealed(operation)]).apply(tree, in_place=True)
        except jsonpatch.JsonPatchTestFailed:
            raise PatchError("patch.test", f"{what}: the value there is another one", path=path) from None
        except jsonpatch.InvalidJsonPatch as error:
            raise PatchError("patch.operation", f"{what}: {error}", path=path) from None
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
            # Their texts quote the whole document.
            raise PatchError("patch.operation", f"{what}: there is no such place in the object", path=path) from error
    return _unsealed(tree)


class _Sealed:
    """A secret inside the tree that jsonpatch works on: it copies, and a Secret refuses to be copied."""

    def __init__(self, inside: Secret) -> None:
        self.inside = inside

    def __deepcopy__(self, memo: dict[int, Any]) -> _Sealed:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sealed) and self.inside == other.inside

    def __hash__(self) -> int:
        return hash(self.inside)


def _sealed(tree: Any) -> Any:
    """A copy that jsonpatch may change in place."""
    if type(tree) is dict:
        return {key: _sealed(value) for key, value in tree.items()}
    if type(tree) is list:
        return [_sealed(value) for value in tree]
    return _Sealed(tree) if isinstance(tree, Secret) else tree


def _unsealed(tree: Any) -> Any:
    if type(tree) is dict:
        return {key: _unsealed(value) for key, value in tree.items()}
    if type(tree) is list:
        return [_unsealed(value) for value in tree]
    return tree.inside if isinstance(tree, _Sealed) else tree
