"""Labels of clusters, selectors over them, and taints: as people write them on a command line, as kubectl does.

`label` and `taint` of `appctl cluster` change them by KEY=VALUE and KEY-; `-l` selects by them.  Pure.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.model import names
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

EFFECTS = ("NoPlace", "PreferNoPlace", "Evict")
NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
PARTS = "up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"


@record
class Change:
    """What a key is to have; None = it goes."""

    key: str
    value: Any


def key_trouble(text: str) -> str:
    """What is wrong with the key of a label; '' = nothing."""
    prefix, slash, name = text.rpartition("/")
    if slash and not (len(prefix) <= 253 and all(names.is_dns_label(part) for part in prefix.split("."))):
        return f"'{text[:80]}' is not the key of a label: before '/' stands a DNS name such as example.com"
    return "" if _is_name(name) else f"'{text[:80]}' is not the key of a label: {PARTS}"


def value_trouble(text: str) -> str:
    return "" if not text or _is_name(text) else f"'{text[:80]}' is not the value of a label: {PARTS}, or empty"


def changes(words: Sequence[str], doing: str) -> list[Change]:
    """KEY=VALUE sets, KEY- removes.  doing: the start of a message, such as `label cluster eu-1`."""
    return _once([_change(word, doing) for word in words], doing)


def given(text: str, doing: str) -> dict[str, str]:
    """The labels of a new cluster: K=V,K=V."""
    found = changes([word for word in text.split(",") if word], doing)
    if gone := [change.key for change in found if change.value is None]:
        raise errors.UsageError(f"{doing}: '{gone[0]}-' takes a label away, and there is none yet")
    return {change.key: change.value for change in found}


def changed(before: Mapping[str, str], wanted: Iterable[Change], doing: str, *, overwrite: bool = False) -> dict[str, str]:
    """The labels afterwards.  As with kubectl, another value for a label that is there has to be asked for."""
    after = dict(before)
    for change in wanted:
        if change.value is None:
            after.pop(change.key, None)
            continue
        if not overwrite and after.get(change.key, change.value) != change.value:
            raise errors.Refused(
                f"{doing}: it has {change.key}={after[change.key]} already", hint="if it shall change, add --overwrite"
            )
        after[change.key] = change.value
    return after


# --- taints ---


def taint_changes(words: Sequence[str], doing: str) -> list[Change]:
    """KEY=VALUE:EFFECT or KEY:EFFECT sets a taint, KEY:EFFECT- or KEY- removes.  The key of a change is (key, effect);
    effect '' = all."""
    return [_taint(word, doing) for word in words]


def tainted(
    before: Sequence[Mapping[str, str]], wanted: Iterable[Change], doing: str, *, overwrite: bool = False
) -> list[dict[str, str]]:
    """The taints afterwards: one for each key and effect, in order of the keys."""
    after = {(taint["key"], taint["effect"]): dict(taint) for taint in before}
    for change in wanted:
        key, _, effect = change.key.partition(":")
        if change.value is None:
            after = {place: taint for place, taint in after.items() if place[0] != key or effect not in ("", place[1])}
            continue
        there = after.get((key, effect))
        if there is not None and there.get("value", "") != change.value and not overwrite:
            said = taint_text(there)
            raise errors.Refused(f"{doing}: it has {said} already", hint="if it shall change, add --overwrite")
        after[key, effect] = {"key": key, "value": change.value, "effect": effect}
    return [after[place] for place in sorted(after)]


def taint_text(taint: Mapping[str, str]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _taint(word: str, doing: str) -> Change:
    bare = word.removesuffix("-")
    place, _, effect = bare.partition(":")
    key, _, value = place.partition("=")
    trouble = key_trouble(key) or value_trouble(value)
    if not trouble and (effect not in EFFECTS if effect or bare == word else False):
        trouble = f"'{word[:80]}' names no effect" if not effect else f"'{effect[:40]}' is not an effect"
    if not trouble and bare != word and "=" in place:
        trouble = f"'{word[:80]}' takes a taint away by key and effect, without its value"
    if trouble:
        hint = f"KEY=VALUE:EFFECT, KEY:EFFECT- or KEY-, with one of {', '.join(EFFECTS)}"
        raise errors.UsageError(f"{doing}: {trouble}", hint=hint)
    return Change(f"{key}:{effect}", None if bare != word else value)


# --- selectors ---


@record
class Requirement:
    key: str
    values: tuple[str, ...] = ()  # () = any value will do
    wanted: bool = True  # False = the label must be absent, or have another value

    def holds(self, labels: Mapping[str, str]) -> bool:
        there = self.key in labels and (not self.values or labels[self.key] in self.values)
        return there == self.wanted


def selector(text: str) -> tuple[Requirement, ...]:
    """K=V, K!=V, K, !K, `K in (A,B)`, `K notin (A,B)`, several separated by commas: all must hold."""
    return tuple([_requirement(piece.strip(), text) for piece in _pieces(text) if piece.strip()])


def matches(wanted: Iterable[Requirement], labels: Mapping[str, str]) -> bool:
    return all(requirement.holds(labels) for requirement in wanted)


def _pieces(text: str) -> list[str]:
    """Split at the commas outside of brackets."""
    pieces, depth = [""], 0
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += sign
    return pieces


def _requirement(piece: str, whole: str) -> Requirement:
    words = piece.split(None, 2)
    if len(words) > 1 and words[1].partition("(")[0] in ("in", "notin"):
        listed = piece.partition("(")[2]
        values = tuple([value.strip() for value in listed.removesuffix(")").split(",")])
        found = Requirement(words[0], values, words[1].startswith("in"))
        broken = not listed.endswith(")")
    elif "=" in piece:
        key, _, value = piece.partition("=")
        found = Requirement(key.removesuffix("!").strip(), (value.removeprefix("=").strip(),), not key.endswith("!"))
        broken = False
    else:
        found = Requirement(piece.removeprefix("!").strip(), (), not piece.startswith("!"))
        broken = False
    trouble = key_trouble(found.key) or next((said for value in found.values if (said := value_trouble(value))), "")
    if broken or trouble:
        hint = "env=prod, env!=test, env, !env or 'env in (prod,stage)', several separated by commas"
        raise errors.UsageError(f"-l {whole[:200]}: {trouble or 'a bracket is missing'}", hint=hint)
    return found


def _change(word: str, doing: str) -> Change:
    key, sign, value = word.partition("=")
    if not sign and word.endswith("-"):
        key, value = word[:-1], ""
    elif not sign:
        raise errors.UsageError(f"{doing}: '{word[:80]}' is not a label", hint="KEY=VALUE sets one, KEY- takes it away")
    if trouble := key_trouble(key) or value_trouble(value):
        raise errors.UsageError(f"{doing}: {trouble}")
    return Change(key, value if sign else None)


def _once(found: list[Change], doing: str) -> list[Change]:
    seen: set[str] = set()
    for change in found:
        if change.key in seen:
            raise errors.UsageError(f"{doing}: '{change.key}' is given twice")
        seen.add(change.key)
    return found


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 63 and not set(text) - NAME and text[0].isalnum() and text[-1].isalnum()
