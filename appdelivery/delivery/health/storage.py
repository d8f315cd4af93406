"""PersistentVolumeClaim and ResourceClaim."""

from __future__ import annotations

from appdelivery.delivery.health.conditions import Facts, said
from appdelivery.model.live import Health

# Written when somebody has begun to make the volume.
PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")


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
    if any(annotation in annotations for annotation in PROVISIONERS):
        return Health("progressing", "Provisioning", "the volume is being made")
    if facts.spec.get("storageClassName"):
        # A class that binds on first use: its pod does not start without the volume, so the pod gates, not the claim.
        return Health("healthy", "NoConsumer", "gets a volume with the first pod that uses it")
    return Health("progressing", "Pending", "waits for a volume: it names no storage class, and there is no default one")


def resource_claim(facts: Facts) -> Health:
    if facts.status.get("allocation"):
        return Health("healthy", "Allocated", "devices are allocated")
    return Health("progressing", "Pending", "no devices are allocated yet")
