"""Equal trees kept once: what objects say of their fields' owners is long, and the same in thousands of them.

The storage passes `managedFields` through here before it keeps them.  Nobody changes a committed body, so one tree may
stand in any number of them.
"""

from __future__ import annotations

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Tree = dict[str, Any]

MOST = 1_024  # trees that are known; each object with an owner brings some that no other one has
PLAIN = 2  # the last format of marshal in which equal trees have equal texts


class Trees:
    """Those that are known, by their text."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, Tree] = {}

    def shared(self, trees: Sequence[Tree], before: Sequence[Tree] = ()) -> list[Tree]:
        """before: what stood in their place and was shared already; most of it stays."""
        return [before[before.index(tree)] if tree in before else self._one(tree) for tree in trees]

    def _one(self, tree: Tree) -> Tree:
        """The first of those that are equal and have their members in this order."""
        text = marshal.dumps(tree, PLAIN)
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= MOST:
                self._known.clear()  # what is met again is known again
            found = self._known[text] = {sys.intern(key): self._part(value) for key, value in tree.items()}
        return found

    def _part(self, value: Any) -> Any:
        if value.__class__ is dict:
            return self._one(value)
        return sys.intern(value) if value.__class__ is str else value
