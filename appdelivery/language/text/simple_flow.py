"""Collections in [ ] and { } that end on their line, for the simple reader."""

from __future__ import annotations

from appdelivery.language.text import simple_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Word = tuple[str | None, Any, bool]  # key (None: there is none), the value, whether it stands here already

MARKS = "{}[],"


def read(text: str, room: int, seen: dict[Any, Word]) -> Any:
    """The value of a collection.  `ready` says that an entry may begin here, `key` whose value comes next."""
    stack: list[tuple[Any, bool]] = []
    here: Any = None
    root, key, ready, in_map = here, None, True, False
    tokens = iter(_tokens(text))
    for between in tokens:
        mark = next(tokens, "")
        if between and between != " " and (word := seen.get(between) or _word(between, seen)):
            name, value, whole = word
            if not ready or (name is None) is in_map or here is None:
                raise simple_words.NotSimple
            if name is None:
                here.append(value)
            elif name in here:
                raise simple_words.NotSimple
            else:
                here[name] = value
            key, ready = (None, False) if whole else (name, True)
        if mark == ",":
            if ready:
                raise simple_words.NotSimple
            ready = True
        elif mark == "{" or mark == "[":  # noqa: PLR1714 - the faster way to ask
            if not ready or (in_map and key is None) or len(stack) >= room:
                raise simple_words.NotSimple
            new: Any = {} if mark == "{" else []
            if in_map:
                here[key] = new
            elif here is None:
                root = new
            else:
                here.append(new)
            stack.append((here, in_map))
            here, key, in_map = new, None, mark == "{"
        elif not mark or key is not None or (mark == "}") is not in_map or (ready and here):
            raise simple_words.NotSimple
        else:
            here, in_map = stack.pop()
            key, ready = None, False
            if not stack:
                rest = next(tokens)
                if type(rest) is tuple or (not rest.strip(" ") and next(tokens, "")):
                    raise simple_words.NotSimple
                simple_words.nothing(rest)
                return root
    raise simple_words.NotSimple


def _word(token: Any, seen: dict[Any, Word]) -> Word | None:
    """What stands between two marks: nothing, a value, `key: value`, or `key: ` before a bracket; remembered."""
    if type(token) is str and ": " in token:
        name, _, rest = token.partition(": ")
        rest = rest.strip(" ")
        return _kept(token, (_flow_key(name.strip(" ")), _flow_plain(rest) if rest else None, bool(rest)), seen)
    before, quoted, behind = token if type(token) is tuple else (token, None, "")
    if type(before) is tuple:
        if before[0].strip(" ") != ":" or behind.strip(" "):
            raise simple_words.NotSimple
        return _kept(token, (simple_words.key(before[1]), quoted, True), seen)
    name, colon, rest = before.partition(": ")
    name, rest, behind = name.strip(" "), rest.strip(" "), behind.strip(" ")
    word: Word
    if quoted is None:
        return _kept(token, (None, _flow_plain(name), True), seen) if name else None
    if not behind:
        if rest or (name and not colon):
            raise simple_words.NotSimple
        word = (_flow_key(name), quoted, True) if colon else (None, quoted, True)
    else:
        if name or colon or (behind != ":" and behind[:2] != ": "):
            raise simple_words.NotSimple
        rest = behind[1:].strip(" ")
        word = simple_words.key(quoted), _flow_plain(rest) if rest else None, bool(rest)
    return _kept(token, word, seen)


def _kept(token: Any, word: Word, seen: dict[Any, Word]) -> Word:
    seen[token] = word
    return word


def _flow_key(text: str) -> str:
    if not text.isalpha():  # most keys are one word
        _flow_plain(text)
    return simple_words.key(text)


def _flow_plain(text: str) -> Any:
    if "#" in text or "?" in text:
        raise simple_words.NotSimple
    return simple_words.plain(text)


def _tokens(text: str) -> list[Any]:
    """What stands between marks, a mark, what stands then, and so on; with quotes: (before, text inside, behind).

    before is a tuple itself, (": ", key), behind a key in quotes.
    """
    if "'" not in text and '"' not in text:
        return _split(text)
    found: list[Any] = [""]
    at = single = double = 0
    while True:
        single, double = _next(text, "'", single, at), _next(text, '"', double, at)
        start = min(single, double)
        pieces = _split(text[at:start])
        if type(found[-1]) is tuple:
            found[-1] = (*found[-1], pieces[0])
        else:
            found[-1] = pieces[0]
        found += pieces[1:]
        if start == len(text) or "#" in text[at:start]:
            return found
        before = found[-1]
        if type(before) is tuple:  # a key in quotes
            before = f"{before[0]}{before[2]}", before[1]
        colon = before if type(before) is str else before[0]
        value, at = simple_words.quoted(text, start)
        if not at or colon.strip(" ")[-1:] not in (":", "") or colon[-1:] == ":":
            raise simple_words.NotSimple
        found[-1] = before, value


def _next(text: str, quote: str, known: int, at: int) -> int:
    """The place of the next quote from `at`, or the end; looked for only when the known one has passed."""
    if known >= at and text[known : known + 1] in (quote, ""):
        return known
    place = text.find(quote, at)
    return place if place >= 0 else len(text)


def _split(text: str) -> list[str]:
    for mark in MARKS:
        if mark in text:
            text = text.replace(mark, f"\n{mark}\n")
    return text.split("\n")
