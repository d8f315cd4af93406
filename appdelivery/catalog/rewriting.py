"""`appctl test --update`: writes what definitions really make into their cases, leaving everything else of the file as it is."""

from __future__ import annotations

from appdelivery.language.text import nodes, yaml_in, yaml_out
from appdelivery.model import secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Node = nodes.Scalar | nodes.Mapping | nodes.Sequence


def rewrite(file: str, made: Mapping[str, Any]) -> list[str]:
    """Replaces `expect` of the cases named in `made`; gives the names of those that could be rewritten.

    A case in flow style ({...}) is left alone: it has no lines of its own.
    """
    with open(file, encoding="utf-8", newline="") as opened:
        lines = opened.read().split("\n")
    done = []
    # From the end, so that the lines of earlier cases keep their numbers.
    for name, key, value in reversed(_expectations(file)):
        if name in made:
            indent = " " * (key.column + 1)
            text = yaml_out.dump(secret.masked(made[name])).removeprefix("---\n").rstrip("\n")
            head = lines[key.line - 1][: key.column - 1] + "expect:"
            last, column = _end(value)
            rest = lines[last - 1][column - 1 :].rstrip()
            tail = [rest] if rest.strip() and not rest.strip().startswith("#") else []
            lines[key.line - 1 : last] = [head, *[indent + line if line else line for line in text.split("\n")], *tail]
            done.append(name)
    with open(file, "w", encoding="utf-8", newline="") as opened:
        opened.write("\n".join(lines))
    return done[::-1]


def _expectations(file: str) -> list[tuple[str, nodes.Scalar, Node]]:
    """(case, key, value) of every `expect` that stands on lines of its own."""
    with open(file, "rb") as opened:
        data = opened.read()
    found = []
    for document in yaml_in.compose(data, file):
        for case in document.items if isinstance(document, nodes.Sequence) else ():
            entries = {key.text: (key, value) for key, value in case.pairs} if isinstance(case, nodes.Mapping) else {}
            if "name" in entries and "expect" in entries and entries["expect"][0].line > entries["name"][0].line:
                key, value = entries["expect"]
                found.append((nodes.to_plain(entries["name"][1]), key, value))
    return found


def _end(node: Node) -> tuple[int, int]:
    """Line and column behind the last character; a block ends where its last entry does, not where the next one begins."""
    if isinstance(node, nodes.Mapping) and node.pairs:
        inner = _end(node.pairs[-1][1])
    elif isinstance(node, nodes.Sequence) and node.items:
        inner = _end(node.items[-1])
    else:
        return node.end_line, node.end_column
    flow = node.end_column > 1 and (node.end_line, node.end_column) > inner and node.end_line - inner[0] <= 1
    return (node.end_line, node.end_column) if flow else inner
