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
    replica_key: str = ""  # of a copy that policy replication made, whose name ends with @KEY


@record
class Policy:
    name: str
    type: str
    properties: dict[str, Any]
    path: Path


@record
class Retry:
    """Of one step: workflow.md section 7.  Seconds."""

    limit: int = 10  # retries after the first attempt; 0 = none
    interval: float = 1.0
    backoff: str = "exponential"  # exponential, linear, constant
    factor: float = 2.0
    most: float = 300.0


@record
class Foreach:
    items: list[Any] | str  # a list, or a ${{ }} that makes one
    name: str = "item"  # `as`
    parallelism: int = 0  # 0 = as many as the run allows
    fail_fast: bool = True


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
    retry: Retry | None = None
    foreach: Foreach | None = None
    once: bool = False  # effects: once
    concurrency: int = 0  # of a step-group: children at once; 0 = as many as the run allows
    mode: str = ""  # of a step-group; '' = the workflow's for sub steps
    alias: str = ""


@record
class Workflow:
    steps: tuple[Step, ...]
    ref: str = ""
    mode: tuple[str, str] = ("StepByStep", "DAG")
    deadline: str = "24h"
    written: dict[str, Any] | None = None  # of a Workflow document: the tree that stands in place of a reference to it


@record
class Application:
    """`document` is the tree as read: what a revision keeps.  file and index say where it stands.

    moved: places in components whose content is written elsewhere in the document, by an override: the place, where it is
    written, and whether that holds for everything below it too.
    """

    key: AppKey
    components: tuple[Component, ...]
    labels: dict[str, str]
    annotations: dict[str, str]
    document: dict[str, Any]
    policies: tuple[Policy, ...] = ()
    workflow: Workflow | None = None
    file: str = ""
    index: int = 0
    moved: tuple[tuple[Path, Path, bool], ...] = ()
