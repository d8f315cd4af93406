"""PersistentVolumeClaim and ResourceClaim."""

from __future__ import annotations

from appdelivery.delivery.health.conditions import Facts, said
from appdelivery.model.live import Health


def claim(facts: Facts) -> Health:
    phase = facts.status.get("phase")
    if phase == "Lost":
        return Health("degraded", "Lost", "the volume of this claim is gone")
    if phase == "Bound":
        for resize in ("Resizing", "FileSystemResizePending"):
            if facts.is_true(resize):
                return Health("progressing", resize, said(facts.condition(resize), "is being resized"))
        return Health("healthy", "Bound", f"bound to {facts.spec.get('volumeName', 'a volume')}")
    annotations = facts.metadata.get("annotations") or {}
    if facts.spec.get("volumeName") or "volume.kubernetes.io/selected-node" in annotations:
        return Health("progressing", "Pending", "the volume is being bound")
    if (
        "volume.kubernetes.io/storage-provisioner" in annotations
        or "volume.beta.kubernetes.io/storage-provisioner" in annotations
    ):
        return Health("progressing", "Provisioning", "the volume is being made")
    return Health("progressing", "Pending", "waits for a volume, or for a pod that uses it")


def resource_claim(facts: Facts) -> Health:
    if facts.status.get("allocation"):
        return Health("healthy", "Allocated", "devices are allocated")
    return Health("progressing", "Pending", "no devices are allocated yet")
