"""Which objects a rule of a policy concerns: the RuleSelector of oam.md 4.1, for wanted objects and for recorded ones.

In every rule list the first matching rule wins.  Called by policies alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.model import glob, marks
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appdelivery.delivery.desired import Desired
    from appdelivery.model.history import Managed

    Values = tuple[tuple[str, ...], ...]  # what an object has for each list; () = not known

FIELDS = ("componentNames", "componentTypes", "oamTypes", "traitTypes", "resourceTypes", "resourceNames")


@record
class Selector:
    """Lists are ANDed, the values of one ORed; names may hold an anchored `*`."""

    components: tuple[str, ...] = ()
    component_types: tuple[str, ...] = ()
    resource_roles: tuple[str, ...] = ()  # WORKLOAD, TRAIT
    trait_types: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def matches(self, desired: Desired) -> bool:
        labels = desired.body["metadata"].get("labels") or {}
        ref = desired.subject.ref
        return self._holds(
            (
                _named(desired.subject.component),
                (desired.component_type,),
                (str(labels.get(marks.RESOURCE_TYPE, "")),),
                (desired.origin.trait,),
                (ref.kind,),
                (ref.name,),
            )
        )

    def matches_row(self, row: Managed) -> bool:
        """Of an object that is wanted no more, as far as its row tells: the type of its component it does not."""
        trait = row.origin.partition(", trait ")[2]
        role = ("TRAIT",) if trait else ()
        return self._holds((_named(row.component), (), role, (trait,), (row.ref.kind,), (row.ref.name,)))

    def _holds(self, values: Values) -> bool:
        lists = (
            self.components, self.component_types, self.resource_roles, self.trait_types, self.kinds, self.names,
        )  # fmt: skip
        pairs = [pair for pair in zip(lists, values, strict=True) if pair[0]]
        return bool(pairs) and all(
            any(glob.matches(pattern, value) for pattern in wanted for value in have) for wanted, have in pairs
        )

    def __str__(self) -> str:
        fields = ("components", "component_types", "resource_roles", "trait_types", "kinds", "names")
        return ", ".join(
            [f"{field.replace('_', ' ')} {'|'.join(found)}" for field in fields if (found := getattr(self, field))]
        )


def read(tree: Mapping[str, Any] | None) -> Selector:
    given = tree or {}
    return Selector(*[tuple(given.get(field) or ()) for field in FIELDS])


def _named(component: str) -> tuple[str, ...]:
    """Copies of a component are meant by its name too."""
    base = component.partition("@")[0]
    return (component,) if base == component else (component, base)
