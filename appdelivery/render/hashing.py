"""Component hashes and the revision key (language.md section 17): equal content, equal hash, on every computer.

The component hash moves with the component's own inputs only and decides `context.revision`; the revision key covers the
whole application.  Numbers that are derived from these hashes never enter them.
"""

from __future__ import annotations

from appdelivery.model import canonical, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Work

LANGUAGE = 1  # raised when any rendering may change
# Context names that vary without the component's own text varying.
VARYING = frozenset(
    ("namespace", "appName", "appLabels", "appAnnotations", "publishVersion", "cluster", "clusterVersion", "placement",
     "replicaKey", "workflowName")
)  # fmt: skip


def write(of: Work, facts: Facts) -> None:
    """Fills of.as_written and of.digest."""
    component = of.component
    read: set[str] = set()
    parts = []
    for part in of.parts:
        definition, trait = part.definition, part.trait
        read |= definition.reads & VARYING
        parts.append((definition.hash, part.properties) if trait is None else
                     (definition.hash, part.properties, trait.name, trait.target))  # fmt: skip
    reads = {name: facts.base[name] for name in read}
    of.digest = of.as_written = _sha(canonical.text([component.name, parts, reads]))


def resolved(of: Work, facts: Facts) -> str:
    """The hash of a component whose properties hold values that came from other components."""
    if not of.as_written:
        return ""
    parts = [(p.definition.hash, p.properties) for p in of.parts]
    return _sha(of.digest + canonical.text(parts, facts.context.digest_key))


def key(works: Sequence[Work], facts: Facts) -> str:
    """The revision key; '' when no hashes were asked for."""
    if not facts.context.identify:
        return ""
    app = facts.app
    spec = app.document.get("spec") or {}
    flow = [
        (w.as_written, w.component.depends_on, [(i.source, i.parameter) for i in w.component.inputs],
         [(o.name, o.value_from, o.secret) for o in w.component.outputs])
        for w in works
    ]  # fmt: skip
    rest: dict[str, Any] = {name: value for name, value in spec.items() if name != "components"}
    content = [
        LANGUAGE, app.key.namespace, app.key.name, facts.namespace, facts.labels, facts.annotations,
        bool(facts.context.lenient), flow, rest,
    ]  # fmt: skip
    return _sha(canonical.text(content))


def _sha(text: str) -> str:
    return sha256.hexdigest(text.encode())
