"""Did you mean: the nearest known word.  Called by every room that refuses a name; difflib is loaded only then."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN = 8  # names listed after "known:"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a typo of `word` most likely meant; '' when none is near."""
    import difflib

    names = list(known)
    folded = {name.lower(): name for name in names}
    wanted = word[:200].lower()
    if found := difflib.get_close_matches(wanted, folded, n=1, cutoff=0.54):
        return folded[found[0]]
    parts = [
        name for name in folded if min(len(name), len(wanted)) > 2 and (wanted.startswith(name) or name.startswith(wanted))
    ]
    return folded[max(parts, key=len)] if parts else ""  # cpuPercent means cpu


def meant(word: str, known: Iterable[str]) -> str:
    """ ", did you mean 'image'?" or '': the end of a message that names an unknown word."""
    near = nearest(word, known)
    return f", did you mean '{near}'?" if near else ""


def listed(known: Iterable[str]) -> str:
    """ "known: a, b, c, ...": the hint of the same message."""
    names = list(known)
    return f"known: {', '.join(names[:KNOWN])}{', ...' if len(names) > KNOWN else ''}" if names else ""
