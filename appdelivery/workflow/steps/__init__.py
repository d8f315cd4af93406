"""The actions that `use` of a WorkflowStepDefinition may name, and the module of each.

A module is imported when its action is used for the first time.  `deploy`, `apply-component` and `step-group` are not
here: the engine and its composition root carry those out.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.model import suggest

if TYPE_CHECKING:
    from appdelivery.workflow.model import Action

ACTIONS = {
    "application": "application",
    "apply-crd": "apply_crd",
    "apply-object": "apply_object",
    "check-metrics": "check_metrics",
    "clean-jobs": "clean_jobs",
    "collect-service-endpoints": "endpoints",
    "config": "config",
    "generate-secret": "generate_secret",
    "notification": "notification",
    "policy-check": "policy_check",
    "print-message-in-status": "print_message",
    "read-object": "read_object",
    "refuse": "refuse",
    "request": "request",
    "restart-workflow": "restart_workflow",
    "rollback": "rollback",
    "run-job": "run_job",
    "suspend": "suspend",
    "wait": "wait",
}


def find(name: str) -> Action:
    """The action of that name."""
    module = ACTIONS.get(name)
    if module is None:
        raise errors.RequestError(
            f"there is no step action '{name}'{suggest.meant(name, ACTIONS)}",
            code="step.action",
            hint=suggest.listed(ACTIONS),
        )
    found: Action = import_module(f"{__name__}.{module}").run
    return found
