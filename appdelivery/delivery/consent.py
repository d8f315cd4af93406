"""What people agree to when they ask for a delivery.  Made by cli, kept with a release, heeded by plan, guards, send."""

from __future__ import annotations

from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.model.change import Subject

CONSENTS = (
    "force_conflicts", "fail_on_conflict", "take_ownership", "allow_deletes", "deletes", "create_namespace", "recreate",
)  # fmt: skip


@record
class Consent:
    """What somebody with the right to do so has agreed to; none of it is implied by anything else."""

    force_conflicts: bool = False
    fail_on_conflict: bool = False
    take_ownership: bool = False
    allow_deletes: int = 0
    deletes: frozenset[str] = frozenset()  # KIND/NAME
    create_namespace: bool = False
    recreate: bool = False

    def tree(self) -> dict[str, Any]:
        """What was agreed to, as a release keeps it; nothing of what was not."""
        given = {name: getattr(self, name) for name in CONSENTS if getattr(self, name)}
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in given.items()}

    def by_name(self, subject: Subject) -> bool:
        wanted = f"{subject.ref.kind}/{subject.ref.name}".lower()
        return any(name.lower() == wanted for name in self.deletes)


def of(tree: Mapping[str, Any]) -> Consent:
    given = {name: tree[name] for name in CONSENTS if name in tree}
    return Consent(**{**given, "deletes": frozenset(given.get("deletes", ()))})
