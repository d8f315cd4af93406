"""Known causes: what a state, an event or a log line means in words, and what to do next.  Data for `why` and wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.live import Health, KubeEvent

NEVER_RAN = frozenset(
    (
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "Unschedulable",
        "Pending",
        "SchedulerError",
    )
)


@dataclass(frozen=True, slots=True)
class Cause:
    """All of `words` stand in the text (lower case) of the given sources: reason, message, event, log."""

    words: tuple[str, ...]
    sentence: str
    advice: str


CAUSES = (
    Cause(
        ("secret", "not found"),
        "a Secret that a container names does not exist",
        "create it, or correct the name in envFrom, env or volumes",
    ),
    Cause(
        ("configmap", "not found"),
        "a ConfigMap that a container names does not exist",
        "create it, or correct the name in envFrom, env or volumes",
    ),
    Cause(
        ("couldn't find key",),
        "a key that a container names is missing in its ConfigMap or Secret",
        "add the key, or correct its name",
    ),
    Cause(("oomkilled",), "the container used more memory than its limit", "raise the memory limit, or let it use less"),
    Cause(("manifest unknown",), "the image tag does not exist in its registry", "correct the tag, or push the image"),
    Cause(("unauthorized", "pull"), "the registry refused the pull", "add imagePullSecrets with a valid credential"),
    Cause(("errimagepull",), "the image cannot be pulled", "check the image's name, its tag and the registry's credential"),
    Cause(
        ("imagepullbackoff",), "the image cannot be pulled", "check the image's name, its tag and the registry's credential"
    ),
    Cause(("invalidimagename",), "the image's name is malformed", "write registry/repository:tag"),
    Cause(("insufficient",), "no node has enough free resources for the pod", "lower the request, add nodes, or free some"),
    Cause(
        ("didn't match pod's node affinity",),
        "no node matches the pod's affinity or selector",
        "correct the labels asked for",
    ),
    Cause(
        ("untolerated taint",),
        "every node that fits carries a taint the pod does not tolerate",
        "add a toleration, or use other nodes",
    ),
    Cause(("exceeded quota",), "the namespace's quota is used up", "raise the quota, or lower the request"),
    Cause(
        ("unbound immediate persistentvolumeclaims",),
        "a claim of the pod has no volume",
        "check the storage class and its provisioner",
    ),
    Cause(
        ("readiness probe failed",),
        "the readiness probe fails",
        "compare the probe's path and port with what the container serves",
    ),
    Cause(
        ("liveness probe failed",),
        "the liveness probe fails, so the container is restarted",
        "compare the probe with what the container serves, or give it more time",
    ),
    Cause(("startup probe failed",), "the start-up probe fails", "raise failureThreshold, or see why the start takes long"),
    Cause(("failed calling webhook",), "an admission webhook does not answer", "look at the webhook's Service and its pods"),
    Cause(("denied the request",), "an admission policy refused the object", "read its message: it names the rule"),
    Cause(("forbidden",), "the controller lacks a right", "grant it, or use another service account"),
    Cause(
        ("progressdeadlineexceeded",),
        "no new pod became available within the progress deadline",
        "look at the pods: appctl logs, appctl events",
    ),
    Cause(("backofflimitexceeded",), "the Job failed as often as it may", "read the log of its last pod"),
    Cause(("deadlineexceeded",), "the Job ran longer than it may", "raise activeDeadlineSeconds, or see what takes so long"),
    Cause(("crashloopbackoff",), "the container ends again and again", "read its last lines"),
)


def match(health: Health, events: Sequence[KubeEvent], log: Sequence[str]) -> tuple[str, str]:
    """(cause, advice), both '' when nothing known fits.  What the cluster says goes before what the program printed."""
    said = [f"{health.reason} {health.message}", *[f"{e.reason} {e.message}" for e in events], "\n".join(log)]
    for text in said:
        lower = text.lower()
        for cause in CAUSES:
            if all(word in lower for word in cause.words):
                return cause.sentence, cause.advice
    return "", ""
