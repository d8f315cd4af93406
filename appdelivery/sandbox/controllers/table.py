"""All controllers of a cluster, in the order in which one event wakes them."""

from __future__ import annotations

from appdelivery.sandbox.controllers import (
    autoscalers,
    bootstrap,
    budgets,
    claims,
    cronjobs,
    daemonsets,
    deployments,
    ingresses,
    jobs,
    nodes,
    pods,
    quotas,
    replicasets,
    routes,
    services,
    statefulsets,
)
from appdelivery.sandbox.controllers.scheduler import scheduling

CONTROLLERS = (
    bootstrap.CONTROLLER,
    nodes.CONTROLLER,
    claims.CONTROLLER,
    claims.VOLUMES,
    deployments.CONTROLLER,
    replicasets.CONTROLLER,
    statefulsets.CONTROLLER,
    daemonsets.CONTROLLER,
    jobs.CONTROLLER,
    cronjobs.CONTROLLER,
    scheduling.CONTROLLER,
    pods.CONTROLLER,
    services.CONTROLLER,
    autoscalers.CONTROLLER,
    budgets.CONTROLLER,
    quotas.CONTROLLER,
    ingresses.CONTROLLER,
    *routes.CONTROLLERS,
)
