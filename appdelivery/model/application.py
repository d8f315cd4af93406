"""What a user writes: an Application and its parts, as `oam.md` section 2 lays them out.

`read` (in model/reading.py) makes these from a plain tree and collects every structural Problem.  `path` is where a
part stands in its document, so that later rooms can name a place without carrying positions.
"""

from __future__ import annotations

from appdelivery.model.record import record
from appdelivery.model.refs import AppKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.problem import Path


@record
class Input:
    source: str  # `from`
    parameter: str  # `parameterKey`; '' = only readable as inputs.NAME


@record
class Output:
    name: str
    value_from: str
    secret: bool = False


@record
class Trait:
    type: str  # as written: NAME or NAME@VERSION
    properties: dict[str, Any]
    path: Path
    name: str = ""
    target: tuple[str, str] | None = None  # (kind, name) of the object to patch


@record
class Component:
    name: str
    type: str
    properties: dict[str, Any]
    path: Path
    traits: tuple[Trait, ...] = ()
    depends_on: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()


@record
class Policy:
    name: str
    type: str
    properties: dict[str, Any]
    path: Path


@record
class Step:
    name: str
    type: str
    properties: dict[str, Any]
    path: Path
    condition: str = ""  # `if`
    timeout: str = ""
    depends_on: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    sub_steps: tuple[Step, ...] = ()


@record
class Workflow:
    steps: tuple[Step, ...]
    ref: str = ""
    mode: tuple[str, str] = ("StepByStep", "DAG")
    deadline: str = "24h"


@record
class Application:
    """`document` is the tree as read: what a revision keeps.  file and index say where it stands."""

    key: AppKey
    components: tuple[Component, ...]
    labels: dict[str, str]
    annotations: dict[str, str]
    document: dict[str, Any]
    policies: tuple[Policy, ...] = ()
    workflow: Workflow | None = None
    file: str = ""
    index: int = 0
