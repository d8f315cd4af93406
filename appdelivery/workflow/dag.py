"""A Spec made ready to be decided over: who stands behind whom, and its expressions as functions.

Called by reconcile once per run and pass, by `decide` and by `results`.  Sets of steps are integers with one bit per
step, so that a question about everything before a step is one operation.  Expressions are compiled when first needed:
a pass over a sleeping run compiles none.
"""

from __future__ import annotations

from appdelivery.workflow import expressions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from appdelivery.language.inline import Inline
    from appdelivery.model.problem import Path
    from appdelivery.model.run import Spec, StepSpec

    Made = TypeVar("Made")


class Dag:
    """before: everything that has to have ended.  blame: everything whose failure skips a step without `if`."""

    __slots__ = ("_compiled", "before", "bit", "blame", "children", "order", "scope", "spec", "steps")

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.order = tuple(sorted(spec.steps, key=lambda step: step.ordinal))
        self.steps = {step.name: step for step in self.order}
        self.bit = {name: 1 << index for index, name in enumerate(self.steps)}
        self.children: dict[str, tuple[str, ...]] = {step.name: () for step in self.order if not step.use}
        for step in self.order:
            if step.group:
                self.children[step.group] = (*self.children.get(step.group, ()), step.name)
        self.before = _before(self)
        self.blame = _blame(self)
        self.scope = expressions.scope(spec.steps)
        self._compiled: dict[Any, Any] = {}

    def of(self, name: str) -> StepSpec:
        """The step of a row: an item NAME[3] is one of NAME."""
        return self.steps[parent(name)]

    def condition(self, step: StepSpec) -> Inline:
        return self._once(("if", step.name), lambda: expressions.condition(step, self.scope))

    def leaves(self, step: StepSpec) -> list[tuple[Path, Inline]]:
        """The expressions of a step's properties, with their places in them."""
        return self._once(
            ("properties", step.name),
            lambda: [(path, expressions.leaf(text, step, self.scope)) for path, text in expressions.leaves(step)],
        )

    def items(self, step: StepSpec, text: str) -> Inline:
        return self._once(("items", step.name), lambda: expressions.items(text, step, self.scope))

    def value_from(self, step: StepSpec) -> list[tuple[str, Inline]]:
        return self._once(
            ("outputs", step.name),
            lambda: [(output.name, expressions.value_from(output.value_from, step)) for output in step.outputs],
        )

    def read_outputs(self) -> dict[str, frozenset[str]]:
        """Short name of a step to the names of its outputs that other steps read; '' = all of them."""

        def found() -> dict[str, frozenset[str]]:
            out: dict[str, set[str]] = {}
            for step in self.order:
                for name, key in expressions.outputs_read(step, self.scope):
                    out.setdefault(name, set()).add(key)
            return {name: frozenset(keys) for name, keys in out.items()}

        return self._once(("read",), found)

    def behind(self, name: str) -> list[str]:
        """Every step that waits for this one, directly or not, in order; sub steps of those as well."""
        mask = self.bit[name]
        for inner in self.children.get(name, ()):
            mask |= self.bit[inner]
        found: list[str] = []
        while True:
            more = [step.name for step in self.order if step.name not in found and self._waits(step, mask)]
            if not more:
                return [step.name for step in self.order if step.name in found and step.name != name]
            found += more
            for one in more:
                mask |= self.bit[one]

    def _waits(self, step: StepSpec, mask: int) -> bool:
        if self.before[step.name] & mask or (step.group and self.before[step.group] & mask):
            return True
        return any(self.bit[child] & mask for child in self.children.get(step.name, ()))

    def _once(self, key: tuple[str, ...], make: Callable[[], Made]) -> Made:
        if key not in self._compiled:
            self._compiled[key] = make()
        found: Made = self._compiled[key]
        return found


def parent(name: str) -> str:
    """NAME of an item NAME[3]; any other name is its own."""
    return name[: name.rindex("[")] if name.endswith("]") else name


def item(name: str, index: int) -> str:
    return f"{name}[{index}]"


def _before(dag: Dag) -> dict[str, int]:
    """The transitive closure of needs.  Circles were refused at admission; here they only end."""
    found = {step.name: sum({dag.bit[name] for name in step.needs if name in dag.bit}) for step in dag.order}
    moved = True
    while moved:
        moved = False
        for step in dag.order:
            mask = found[step.name]
            for name in step.needs:
                mask |= found.get(name, 0)
            if mask != found[step.name]:
                found[step.name], moved = mask, True
    return found


def _blame(dag: Dag) -> dict[str, int]:
    """Within its group a sub step answers for its siblings alone: a group that runs in any case runs whole.  From
    outside, what stands before the group of a sub step stands before the sub step too."""
    found = dict.fromkeys(dag.steps, 0)
    moved = True
    while moved:
        moved = False
        for step in dag.order:
            mask = found[step.name]
            for name in step.depends_on:
                mask |= dag.bit.get(name, 0) | found.get(name, 0)
                group = _group(dag, name)
                if group and group != step.group:
                    mask |= found[group]
            if mask != found[step.name]:
                found[step.name], moved = mask, True
    return found


def _group(dag: Dag, name: str) -> str:
    return dag.steps[name].group if name in dag.steps else ""
