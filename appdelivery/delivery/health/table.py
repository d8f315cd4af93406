"""Well-known custom resources as rows: which conditions mean ready, which mean broken, which field is the phase.

A row is data, written from the published API of each project.  It narrows the generic rule where that one would guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.delivery.health import conditions, generic
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health


@dataclass(frozen=True, slots=True)
class Row:
    """ready: all must be True.  bad: one True is degraded.  false_is_bad: ready False (not Unknown) is degraded.
    phase: field of status with its words (good, bad, suspended).  suspend: boolean field of spec."""

    ready: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    false_is_bad: bool = False
    phase: str = ""
    good: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    suspend: str = ""


READY = Row(ready=("Ready",))
READY_OR_BAD = Row(ready=("Ready",), false_is_bad=True)
FLUX = Row(ready=("Ready",), bad=("Stalled",), suspend="suspend")
CROSSPLANE = Row(ready=("Synced", "Ready"))
KNATIVE = Row(ready=("Ready",), false_is_bad=True)

ROWS: dict[tuple[str, str], Row] = {
    ("cert-manager.io", "Certificate"): READY,
    ("cert-manager.io", "Issuer"): READY_OR_BAD,
    ("cert-manager.io", "ClusterIssuer"): READY_OR_BAD,
    ("cert-manager.io", "CertificateRequest"): Row(ready=("Ready",), bad=("Denied", "InvalidRequest")),
    ("external-secrets.io", "ExternalSecret"): READY_OR_BAD,
    ("external-secrets.io", "SecretStore"): READY_OR_BAD,
    ("external-secrets.io", "ClusterSecretStore"): READY_OR_BAD,
    ("source.toolkit.fluxcd.io", "GitRepository"): FLUX,
    ("source.toolkit.fluxcd.io", "HelmRepository"): FLUX,
    ("source.toolkit.fluxcd.io", "OCIRepository"): FLUX,
    ("source.toolkit.fluxcd.io", "HelmChart"): FLUX,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): FLUX,
    ("helm.toolkit.fluxcd.io", "HelmRelease"): FLUX,
    ("serving.knative.dev", "Service"): KNATIVE,
    ("serving.knative.dev", "Revision"): KNATIVE,
    ("serving.knative.dev", "Route"): KNATIVE,
    ("serving.kserve.io", "InferenceService"): READY,
    ("serving.kserve.io", "LLMInferenceService"): READY,
    ("kueue.x-k8s.io", "ClusterQueue"): Row(ready=("Active",)),
    ("kueue.x-k8s.io", "LocalQueue"): Row(ready=("Active",)),
    ("kafka.strimzi.io", "Kafka"): Row(ready=("Ready",), bad=("NotReady",)),
    ("kafka.strimzi.io", "KafkaTopic"): Row(ready=("Ready",), bad=("NotReady",)),
    ("kafka.strimzi.io", "KafkaUser"): Row(ready=("Ready",), bad=("NotReady",)),
    ("postgresql.cnpg.io", "Cluster"): READY,
    ("acid.zalan.do", "postgresql"): Row(
        phase="PostgresClusterStatus", good=("Running",), failed=("CreateFailed", "UpdateFailed", "SyncFailed", "Invalid")
    ),
    ("argoproj.io", "Rollout"): Row(phase="phase", good=("Healthy",), failed=("Degraded",), waiting=("Paused",)),
    ("argoproj.io", "Workflow"): Row(phase="phase", good=("Succeeded",), failed=("Failed", "Error"), suspend="suspend"),
    ("argoproj.io", "Application"): Row(
        phase="health.status", good=("Healthy",), failed=("Degraded", "Missing"), waiting=("Suspended",)
    ),
    ("cluster.x-k8s.io", "Cluster"): Row(ready=("Ready",), suspend="paused"),
    ("cluster.x-k8s.io", "MachineDeployment"): Row(ready=("Ready",), suspend="paused"),
    ("kubevirt.io", "VirtualMachine"): Row(ready=("Ready",), bad=("Failure",)),
    ("ray.io", "RayCluster"): Row(phase="state", good=("ready",), failed=("failed",), waiting=("suspended",)),
    ("ray.io", "RayService"): READY,
    ("data.fluid.io", "Dataset"): Row(phase="phase", good=("Bound",), failed=("Failed",)),
    ("apps.kruise.io", "CloneSet"): Row(),
    ("monitoring.coreos.com", "Prometheus"): Row(ready=("Available", "Reconciled")),
    ("monitoring.coreos.com", "Alertmanager"): Row(ready=("Available", "Reconciled")),
    ("snapshot.storage.k8s.io", "VolumeSnapshot"): Row(phase="readyToUse", good=("true",)),
}


def judge(row: Row, facts: Facts) -> Health:
    if row.suspend and facts.spec.get(row.suspend):
        return Health("suspended", "Suspended", "is suspended by its spec")
    if not row.ready and not row.phase:
        return generic.judge(facts)
    if not facts.observed:
        return conditions.NOT_OBSERVED
    for type_ in row.bad:
        if facts.is_true(type_):
            return Health("degraded", reason(facts.condition(type_), type_), said(facts.condition(type_)))
    return _ready(row, facts) if row.ready else _phase(row, facts)


def _ready(row: Row, facts: Facts) -> Health:
    for type_ in row.ready:
        condition = facts.condition(type_)
        if facts.is_true(type_):
            continue
        why = str(condition.get("reason") or "").lower()
        broken = facts.is_false(type_) and (row.false_is_bad or any(word in why for word in generic.BAD_REASONS))
        return Health(
            "degraded" if broken else "progressing",
            reason(condition, f"Not{type_}"),
            said(condition, f"{type_} is not True yet"),
        )
    return Health("healthy", row.ready[-1], said(facts.condition(row.ready[-1])))


def _phase(row: Row, facts: Facts) -> Health:
    value: object = facts.status
    for step in row.phase.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    word = str(value).lower() if isinstance(value, bool) else str(value or "")
    message = str(facts.status.get("message") or f"{row.phase} is {word or 'empty'}")
    for words, state in ((row.good, "healthy"), (row.failed, "degraded"), (row.waiting, "suspended")):
        if word in words:
            return Health(state, word or "Phase", message)
    return Health("progressing", word or "NoPhase", message)
