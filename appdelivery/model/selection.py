"""`Selection`: which clusters a command was asked to work on, parsed once from `--cluster a,b` and `-l`.

Names may be globs (`eu-*`).  Which of them there are is only known when the registry has been read: `pick` says then.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.model import labels as label_words
from appdelivery.model import suggest
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GLOB = frozenset("*?[")


@record
class Selection:
    names: tuple[str, ...] = ()  # as written, each once; () = not named
    labels: tuple[label_words.Requirement, ...] = ()

    @property
    def everything(self) -> bool:
        return not self.names and not self.labels

    def pick(self, known: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
        """The chosen of the known clusters (names to labels), in the order they were named, each once.  Raises NotFound
        for a name that is none of them, and when nothing is left."""
        found: dict[str, None] = {}
        for word in self.names or ("*",):
            hits = _named(word, known)
            if not hits and self.names:
                raise errors.NotFound(
                    f"find cluster {word}: {'no name fits' if set(word) & GLOB else 'it is not known'}"
                    f"{suggest.meant(word, known)}",
                    hint=suggest.listed(sorted(known)) or "appctl cluster add NAME registers one",
                )
            found |= dict.fromkeys(hits)
        chosen = tuple([name for name in found if label_words.matches(self.labels, known[name])])
        if not chosen and not self.everything:
            raise errors.NotFound("find clusters: none has these labels", hint="appctl cluster list shows names and labels")
        return chosen


def parse(texts: Sequence[str], labels: str = "") -> Selection:
    """From every `--cluster` given; each may name several, separated by commas."""
    names = [name.strip() for text in texts for name in text.split(",")]
    if any(texts) and not all(names):
        raise errors.UsageError(f"--cluster {','.join(texts)}: a name is empty", hint="--cluster eu-1,us-1")
    return Selection(tuple(dict.fromkeys([name for name in names if name])), label_words.selector(labels))


def _named(word: str, known: Mapping[str, Mapping[str, str]]) -> list[str]:
    if word in known:
        return [word]
    if not set(word) & GLOB:
        return []
    import fnmatch

    return sorted(fnmatch.filter(known, word))
