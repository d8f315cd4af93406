"""The syntax of names, labels, keys and ports, with the server's words for what breaks it."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
NAME_PART = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
VALUE = rf"({NAME_PART})?"
KEY = r"[-._a-zA-Z0-9]+"
LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character"
)
SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character"
)
PART_WORDS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character"
)
KEY_WORDS = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_LABEL, _SUBDOMAIN, _PART, _VALUE, _KEY = (re.compile(pattern) for pattern in (LABEL, SUBDOMAIN, NAME_PART, VALUE, KEY))


def _said(words: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{one}', " for one in examples)
    return f"{words} (e.g. {shown}regex used for validation is '{pattern}')"


def _long(most: int) -> str:
    return f"must be no more than {most} bytes"


def label(text: str) -> list[str]:
    """RFC 1123 label."""
    if _LABEL.fullmatch(text):
        return [_long(63)] if len(text) > 63 else []
    found = [_long(63)] if len(text) > 63 else []
    return [*found, _said(LABEL_WORDS, LABEL, "my-name", "123-abc")]


def subdomain(text: str) -> list[str]:
    found = [_long(253)] if len(text) > 253 else []
    return found if _SUBDOMAIN.fullmatch(text) else [*found, _said(SUBDOMAIN_WORDS, SUBDOMAIN, "example.com")]


def path_segment(text: str) -> list[str]:
    """Names that only need to fit into a path."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{one}'" for one in ("/", "%") if one in text]


def value(text: str) -> list[str]:
    """Of a label."""
    found = [_long(63)] if len(text) > 63 else []
    return found if _VALUE.fullmatch(text) else [*found, _said(VALUE_WORDS, VALUE, "MyValue", "my_value", "12345")]


def qualified(text: str) -> list[str]:
    """prefix/name, as keys of labels and annotations."""
    parts = text.split("/")
    found: list[str] = []
    name = parts[-1]
    if len(parts) == 2:
        if not parts[0]:
            found.append("prefix part must be non-empty")
        else:
            found += [f"prefix part {said}" for said in subdomain(parts[0])]
    elif len(parts) > 2:
        said = _said(PART_WORDS, NAME_PART, "MyName", "my.name", "123-abc")
        return [f"a valid label key {said} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append(f"name part {_long(63)}")
    if not _PART.fullmatch(name):
        found.append(f"name part {_said(PART_WORDS, NAME_PART, 'MyName', 'my.name', '123-abc')}")
    return found


def key(text: str) -> list[str]:
    """Of a config map or secret."""
    if len(text) > 253:
        return [_long(253).replace("bytes", "characters")]
    if not _KEY.fullmatch(text):
        return [_said(KEY_WORDS, KEY, "key.name", "KEY_NAME", "key-name")]
    if text in (".", ".."):
        return [f"must not be '{text}'"]
    return ["must not start with '..'"] if text.startswith("..") else []


def port(number: Any) -> list[str]:
    return [] if 1 <= number <= 65535 else ["must be between 1 and 65535, inclusive"]


def port_name(text: str) -> list[str]:
    found = []
    if len(text) > 15:
        found.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", text):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text[:1] == "-" or text[-1:] == "-":
        found.append("must not begin or end with a hyphen")
    return found
