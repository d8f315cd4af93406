"""Names with `*`, as policies write them: anchored at both ends, nothing but `*` is special.

Called by render (override) and by delivery (rule selectors).  The standard fnmatch also reads `?` and `[`, which names of
objects do not mean, and drags in `re`.
"""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= end
