"""Known causes: what a state, an event or a log line means in words, and what to do next.  Data for `why`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.model.live import Health, KubeEvent

LONGEST = 4000  # characters of one text that are looked at
NEVER_RAN = frozenset(
    (
        "ErrImagePull",
        "ErrImageNeverPull",
        "ErrInvalidImageName",
        "ImagePullBackOff",
        "ImageInspectError",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ContainerCreating",
        "PodInitializing",
        "Unschedulable",
        "SchedulingGated",
        "Pending",
        "SchedulerError",
    )
)


@record
class Cause:
    """All of `words` (lower case) stand in the text.  naming finds what the sentence's {thing} is, where the text says it."""

    words: tuple[str, ...]
    sentence: str
    advice: str
    naming: str = ""
    thing: str = ""  # where naming finds nothing


NAMES_A_MISSING = "create it, or correct the name in envFrom, env or volumes"
CHECK_IMAGE = "check the image's name, its tag and the registry's credential"

# What the cluster says: reasons and messages of conditions, container states and events.  The first that fits decides, so
# what is special stands before what is general.
OF_CLUSTER = (
    Cause(
        ("couldn't find key",),
        "{thing} is missing",
        "add the key, or correct its name",
        r"couldn't find key (\S+ in (?:Secret|ConfigMap) \S+)",
        "a key that a container names",
    ),
    Cause(
        ("references non-existent config key",),
        "{thing} is missing in its ConfigMap or Secret",
        "add the key, or correct its name",
        r"references non-existent config key: (\S+)",
        "a key that a volume names",
    ),
    Cause(
        ("references non-existent secret key",),
        "{thing} is missing in its Secret",
        "add the key, or correct its name",
        r"references non-existent secret key: (\S+)",
        "a key that a volume names",
    ),
    Cause(
        ("secret", "not found"), "{thing} does not exist", NAMES_A_MISSING, r"(?i)(secret \"[^\"]+\") not found", "a Secret"
    ),
    Cause(
        ("configmap", "not found"),
        "{thing} does not exist",
        NAMES_A_MISSING,
        r"(?i)(configmap \"[^\"]+\") not found",
        "a ConfigMap",
    ),
    Cause(
        ("serviceaccount", "not found"),
        "{thing} does not exist",
        "create it, or correct serviceAccountName",
        r"(?i)(serviceaccount \"[^\"]+\") not found",
        "the service account",
    ),
    Cause(
        ("persistentvolumeclaim", "not found"),
        "{thing} does not exist",
        "create it, or correct the claim's name in volumes",
        r"(?i)(persistentvolumeclaim \"[^\"]+\") not found",
        "a claim that the pod names",
    ),
    Cause(
        ("storageclass", "not found"),
        "{thing} does not exist",
        "create it, or name another storage class",
        r"(?i)(storageclass[\w.]* \"[^\"]+\") not found",
        "the storage class",
    ),
    Cause(("oomkilled",), "the container used more memory than its limit", "raise the memory limit, or let it use less"),
    Cause(
        ("evicted",), "the node was short of something and evicted the pod", "read the message; request what the pod needs"
    ),
    Cause(("manifest unknown",), "the image tag does not exist in its registry", "correct the tag, or push the image"),
    Cause(("pull", "not found"), "the image does not exist in its registry", "correct the image's name or tag, or push it"),
    Cause(("unauthorized", "pull"), "the registry refused the pull", "add imagePullSecrets with a valid credential"),
    Cause(("denied", "pull"), "the registry refused the pull", "add imagePullSecrets with a valid credential"),
    Cause(("toomanyrequests",), "the registry limits pulls", "pull with a credential, or through a mirror"),
    Cause(("no such host", "pull"), "the registry's name does not resolve", "correct the image's name, or the nodes' DNS"),
    Cause(("errimageneverpull",), "the image is not on the node and is never pulled", "load it, or set imagePullPolicy"),
    Cause(("no match for platform",), "the image is not built for the node's processor", "build it for this architecture"),
    Cause(("errimagepull",), "the image cannot be pulled", CHECK_IMAGE),
    Cause(("imagepullbackoff",), "the image cannot be pulled", CHECK_IMAGE),
    Cause(("invalidimagename",), "the image's name is malformed", "write registry/repository:tag"),
    Cause(("executable file not found",), "the container's command does not exist in its image", "correct command or args"),
    Cause(("exec format error",), "the image is not built for the node's processor", "build it for this architecture"),
    Cause(("runasnonroot",), "the image runs as root, which the pod forbids", "set runAsUser, or use another image"),
    Cause(
        ("insufficient",),
        "no node has enough free {thing}",
        "lower the request, add nodes, or free some",
        r"Insufficient ([\w./-]+)",
        "resources for the pod",
    ),
    Cause(("too many pods",), "the nodes hold as many pods as they may", "add nodes, or free some"),
    Cause(
        ("didn't match pod's node affinity",),
        "no node matches the pod's affinity or selector",
        "correct the labels asked for",
    ),
    Cause(
        ("didn't match pod topology spread",),
        "no node keeps the pod's spread",
        "add nodes, or let whenUnsatisfiable be ScheduleAnyway",
    ),
    Cause(
        ("untolerated taint",),
        "every node that fits carries a taint the pod does not tolerate",
        "add a toleration, or use other nodes",
    ),
    Cause(("schedulinggated",), "the pod waits to be admitted to a queue", "look at the queue, or remove the gate"),
    Cause(("exceeded quota",), "the namespace's quota is used up", "raise the quota, or lower the request"),
    Cause(("failed quota",), "the namespace's quota wants requests or limits to be set", "set them on every container"),
    Cause(
        ("violates podsecurity",),
        "the namespace's pod security standard forbids the pod",
        "read the message: it names the fields to set",
    ),
    Cause(
        ("unbound immediate persistentvolumeclaims",),
        "a claim of the pod has no volume",
        "check the storage class and its provisioner",
    ),
    Cause(
        ("multi-attach error",), "the volume is still attached to another node", "wait for the old pod to end, or delete it"
    ),
    Cause(("failedmount",), "a volume of the pod cannot be mounted", "read the event: it names the volume"),
    Cause(("failedattachvolume",), "a volume of the pod cannot be attached", "read the event: it names the volume"),
    Cause(("failedcreatepodsandbox",), "the node cannot set up the pod's network", "look at the node's network plug-in"),
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
)

# What a program prints before it ends; all words in one line.
OF_LOG = (
    Cause(("address already in use",), "the port is in use already", "let only one program of the pod listen on it"),
    Cause(("no space left on device",), "a disk of the pod is full", "give the volume more room, or write less"),
    Cause(
        ("permission denied",),
        "the program may not use a file or port",
        "check fsGroup, runAsUser and readOnlyRootFilesystem",
    ),
    Cause(("read-only file system",), "the program writes where it may not", "mount an emptyDir there"),
    Cause(("no such host",), "a name does not resolve", "correct the name; in another namespace it is NAME.NAMESPACE"),
    Cause(
        ("name or service not known",),
        "a name does not resolve",
        "correct the name; in another namespace it is NAME.NAMESPACE",
    ),
    Cause(("connection refused",), "what the program connects to does not listen", "see whether it is ready, and its port"),
    Cause(("certificate signed by unknown authority",), "a certificate is not trusted", "mount the authority's certificate"),
    Cause(("is forbidden: user",), "the service account lacks a right", "grant it by a Role and RoleBinding"),
    Cause(("exec format error",), "the image is not built for the node's processor", "build it for this architecture"),
    Cause(("cannot allocate memory",), "the program got no more memory", "raise the memory limit, or let it use less"),
    Cause(("out of memory",), "the program got no more memory", "raise the memory limit, or let it use less"),
)

# What is only a symptom: said when nothing better is known.
AT_LAST = (Cause(("crashloopbackoff",), "the container ends again and again", "read its last lines"),)


def match(verdicts: Sequence[Health], events: Sequence[KubeEvent], log: Sequence[str]) -> tuple[str, str]:
    """(cause, advice), both '' when nothing known fits.  What the cluster says goes before what the program printed."""
    states = [f"{one.reason} {one.message}" for one in verdicts]
    said = [*states, *[f"{one.reason} {one.message}" for one in events]]
    return _first(said, OF_CLUSTER) or _first(reversed(log), OF_LOG) or _first(states, AT_LAST) or ("", "")


def _first(texts: Iterable[str], causes: Sequence[Cause]) -> tuple[str, str] | None:
    """The first cause that fits any of the texts: "BackOff" in one event says less than "manifest unknown" in another."""
    known = [(text[:LONGEST], text[:LONGEST].lower()) for text in texts]
    for cause in causes:
        for text, lower in known:
            if all(word in lower for word in cause.words):
                return _sentence(cause, text), cause.advice
    return None


def _sentence(cause: Cause, text: str) -> str:
    named = re.search(cause.naming, text) if cause.naming else None
    return cause.sentence.replace("{thing}", named[1].rstrip(".,;:") if named else cause.thing)
