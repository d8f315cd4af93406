"""Trees with secrets as text and back: a Secret is a tagged map, a map that looks like one is escaped.

The text holds values in clear: it exists only on its way into the cipher and out of it.  Called by blobs, clusters.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from appdelivery.model import canonical
from appdelivery.model.secret import Secret, SecretRef
from appdelivery.store import types

TAG = "$secret"


def to_text(tree: Any) -> str:
    """Canonical, so that equal trees give equal text."""
    text = canonical.text(tree)
    if TAG in text:
        tree = _tagged(tree)
        text = canonical.text(tree)
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates, which have no UTF-8
        return canonical.text(types.clean_tree(tree))
    return text


def from_text(text: str) -> Any:
    tree = json.loads(text)
    return _untagged(tree) if TAG in text else tree


def _tagged(tree: Any) -> Any:
    if isinstance(tree, Secret):
        if (ref := tree.ref) is None:
            return {TAG: {"value": _value(tree), "encoded": tree.encoded}}
        return {
            TAG: {"ref": [ref.store, ref.owner, ref.name, ref.version, ref.length, ref.alphabet], "encoded": tree.encoded}
        }
    if isinstance(tree, dict):
        return {f"${key}" if _escapes(key) else key: _tagged(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_tagged(value) for value in tree]
    return tree


def _untagged(tree: Any) -> Any:
    if isinstance(tree, dict):
        if TAG in tree:
            kept = tree[TAG]
            if "ref" in kept:
                return Secret(ref=SecretRef(*kept["ref"]), encoded=kept["encoded"])
            return Secret(kept["value"], encoded=kept["encoded"])
        return {key[1:] if _escapes(key[1:]) else key: _untagged(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_untagged(value) for value in tree]
    return tree


def _value(given: Secret) -> str:
    text = given.open()
    return base64.b64decode(text).decode() if given.encoded else text


def _escapes(key: str) -> bool:
    """$secret, $$secret, ...: keys that would be read as a tag, or as the escape of one."""
    return key.startswith("$") and key.lstrip("$") == "secret"
