"""All controllers of a cluster, in the order in which one event wakes them."""

from __future__ import annotations

from appdelivery.sandbox.controllers import (
    bootstrap,
    claims,
    cronjobs,
    daemonsets,
    deployments,
    jobs,
    nodes,
    pods,
    replicasets,
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
)
