"""Differences of objects as text: one head an object, one line a field, old and new."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from appdelivery.cli import clean, printing

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 200


def show(found: Sequence[dict[str, Any]], *, colour: bool) -> None:
    """found: {object, action, operations: [{op, path, old, new}], notes}, as delivery.diff makes them."""
    several = len({item.get("cluster", "") for item in found}) > 1
    for item in found:
        where = f" on {item['cluster']}" if several and item.get("cluster") else ""
        sign = {"create": "+", "delete": "-"}.get(item["action"], "~")
        sys.stdout.write(printing.paint(f"{sign} {clean.text(item['object'] + where)}", "bold", on=colour) + "\n")
        for operation in item.get("operations", ()):
            path = clean.text(operation["path"])
            if operation["op"] != "add":
                sys.stdout.write(printing.paint(f"  - {path}: {_value(operation.get('old'))}", "red", on=colour) + "\n")
            if operation["op"] != "remove":
                sys.stdout.write(printing.paint(f"  + {path}: {_value(operation.get('new'))}", "green", on=colour) + "\n")
        for note in item.get("notes", ()):
            sys.stdout.write(printing.paint(f"    {clean.text(note)}", "dim", on=colour) + "\n")


def _value(value: Any) -> str:
    text = value if isinstance(value, str) and value and "\n" not in value else json.dumps(value, ensure_ascii=False)
    return clean.text(text if len(text) <= LONGEST else text[:LONGEST] + "…")
