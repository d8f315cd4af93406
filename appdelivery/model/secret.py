"""`Secret`: a value that prints as <redacted>.  Only the store's cipher and the apply body may open it.

Two forms.  A *given* secret holds its value (plain text of an Application, data of a Secret object).  A *referenced*
one names a value kept elsewhere (`$generate`, `$secretRef`) and is resolved when the apply body is built, so that the
value enters neither plan nor store nor hash.
"""

from __future__ import annotations

import binascii

from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

MASK = "<redacted"


@record
class SecretRef:
    """Address of a stored value.  store: 'installation' or 'application'; owner: '' or 'namespace/app'.

    version 0 means the newest.  length and alphabet say how to make the value when it does not exist (`$generate`);
    length 0 means that it must exist.
    """

    store: str
    owner: str
    name: str
    version: int = 0
    length: int = 0
    alphabet: str = ""


class Secret:
    """An opaque text.  encoded: the value is to be written as base64 (data of a Secret object)."""

    __slots__ = ("_value", "encoded", "ref")

    def __init__(self, value: str | None = None, *, ref: SecretRef | None = None, encoded: bool = False) -> None:
        if (value is None) == (ref is None):
            raise ValueError("a Secret has either a value or a reference")
        self._value = value
        self.ref = ref
        self.encoded = encoded

    def open(self) -> str:
        """The text to write.  A referenced secret must be resolved before."""
        if self._value is None:
            raise ValueError("this secret is a reference and has not been resolved")
        return binascii.b2a_base64(self._value.encode(), newline=False).decode() if self.encoded else self._value

    def resolved(self, value: str) -> Self:
        return type(self)(value, encoded=self.encoded)

    def as_base64(self) -> Self:
        return type(self)(self._value, ref=self.ref, encoded=True)

    def identity(self, key: bytes) -> Any:
        """What stands for this secret in a hash: its reference, or a keyed digest of its value."""
        if self.ref is not None:
            return [self.ref.store, self.ref.owner, self.ref.name, self.ref.version]
        import hmac  # loads OpenSSL: only where a given value is inside

        return hmac.new(key, self._value.encode(), "sha256").hexdigest()  # type: ignore[union-attr]

    def mask(self, key: bytes = b"") -> str:
        """<redacted:7f3a91c0>: equal values of one installation look equal; without a key only <redacted>."""
        if self.ref is not None:
            return f"{MASK}:{self.ref.name}>"
        return f"{MASK}:{self.identity(key)[:8]}>" if key else f"{MASK}>"

    def __repr__(self) -> str:
        return f"{MASK}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return f"{MASK}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._value, self.ref, self.encoded) == (
            other._value,
            other.ref,
            other.encoded,
        )

    def __hash__(self) -> int:
        return hash((self._value, self.ref, self.encoded))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is never pickled")


def opened(tree: Any) -> Any:
    """A copy of a tree with every secret written out: for the body of an apply request and for the store's cipher."""
    if isinstance(tree, Secret):
        return tree.open()
    if isinstance(tree, dict):
        return {key: opened(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [opened(value) for value in tree]
    return tree


def inside(tree: Any) -> list[Secret]:
    """Every secret of a tree, in document order."""
    if isinstance(tree, Secret):
        return [tree]
    if isinstance(tree, dict):
        return [secret for value in tree.values() for secret in inside(value)]
    if isinstance(tree, list):
        return [secret for value in tree for secret in inside(value)]
    return []


def masked(tree: Any, key: bytes = b"") -> Any:
    """A copy of a tree with every secret replaced by its mask."""
    if isinstance(tree, Secret):
        return tree.mask(key)
    if isinstance(tree, dict):
        return {name: masked(value, key) for name, value in tree.items()}
    if isinstance(tree, list):
        return [masked(value, key) for value in tree]
    return tree


def shown(tree: Any) -> Any:
    """A copy with given values in clear and references as masks: what a person sees who asks for values."""
    if isinstance(tree, Secret):
        return tree.open() if tree.ref is None else tree.mask()
    if isinstance(tree, dict):
        return {key: shown(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [shown(value) for value in tree]
    return tree
