"""`Manifest` and `Rendered`: what render makes and delivery brings into the clusters."""

from __future__ import annotations

from appdelivery.model.record import record
from appdelivery.model.refs import AppKey, Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.problem import Problem


@record
class Origin:
    """Which part of the application made an object: `trait` is '' for the component's own outputs."""

    component: str  # or the step that applies it
    trait: str = ""
    output: str = ""
    by_step: bool = False

    def __str__(self) -> str:
        if self.by_step:
            return f"step {self.component}"
        return f"component {self.component}" + (f", trait {self.trait}" if self.trait else "")


@record
class Manifest:
    """A desired object.  body may hold Secret leaves and shares sub-trees with others: copy before writing."""

    ref: Ref
    body: dict[str, Any]
    origin: Origin
    stage: str = "DefaultDispatch"  # PreDispatch, DefaultDispatch, PostDispatch
    workload: bool = False


@record
class Reference:
    """A value that is known only from a live object: components[component].… through .status, or an output."""

    component: str  # the reader
    target: str  # the component it waits for
    ref: Ref  # the object that holds it
    path: tuple[str | int, ...]  # where the value stands in that object
    text: str  # the expression, for messages


@record
class AppliedTrait:
    type: str
    version: str
    label: str  # how messages name it: its type, and its name where it has one
    parameters: Any  # as checked and filled


@record
class RenderedComponent:
    name: str
    type: str
    manifests: tuple[Manifest, ...]  # workload first
    depends_on: tuple[str, ...]  # explicit and by data flow, without doubles
    revision: str  # NAME-vN
    hash: str
    waits_for: tuple[Reference, ...] = ()  # not empty: manifests hold placeholders until these are known
    definition: str = ""  # name@version
    parameters: Any = None  # as checked and filled: what health and status expressions see
    context: dict[str, Any] | None = None  # names under `context` at render, without output and outputs
    traits: tuple[AppliedTrait, ...] = ()


@record
class Rendered:
    """key is the revision key: equal content, equal key (language.md section 17)."""

    app: AppKey
    key: str
    components: tuple[RenderedComponent, ...]
    definitions: tuple[tuple[str, str, str], ...]  # (kind, name@version, hash) of every one used
    warnings: tuple[Problem, ...] = ()

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        return tuple([m for c in self.components for m in c.manifests])
