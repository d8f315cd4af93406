"""Which representation the client wants: from its Accept header to a `Form`, or 406."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from appdelivery.sandbox import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
STREAMS = tuple([f"{media};stream=watch" for media in (MEDIA[0], MEDIA[2])])
SHAPES = frozenset(["Table", "PartialObjectMetadata", "PartialObjectMetadataList"])
DISCOVERY = "APIGroupDiscoveryList"


class Form(NamedTuple):
    """shape: "" = the object itself, else one of SHAPES or DISCOVERY."""

    yaml: bool = False
    shape: str = ""


PLAIN = Form()


class Clause(NamedTuple):
    media: str
    parameters: Mapping[str, str]


@lru_cache(maxsize=256)
def clauses(accept: str) -> tuple[Clause, ...]:
    """The header's parts, the most wanted first."""
    found = []
    for index, text in enumerate(accept.split(",")):
        media, *rest = [part.strip() for part in text.split(";")]
        parameters = {part.partition("=")[0].strip(): part.partition("=")[2].strip() for part in rest}
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            weight = 1.0
        if media:
            found.append((-weight, index, Clause(media.lower(), parameters)))
    return tuple([clause for _, _, clause in sorted(found, key=lambda entry: entry[:2])])


@lru_cache(maxsize=1024)
def form(accept: str, *, watch: bool = False) -> Form:
    """Of an object, a list or a watch."""
    if accept in ("", "*/*", "application/json"):
        return PLAIN
    readable = False
    for media, parameters in clauses(accept):
        shape = parameters.get("as", "")
        if media in ("*/*", "application/*", "application/json", "application/yaml"):
            readable = True
            yaml = media == "application/yaml"
            if shape and not (shape in SHAPES and parameters.get("g") == "meta.k8s.io" and parameters.get("v") == "v1"):
                continue
            if not (watch and yaml):
                return Form(yaml, shape)
    if readable or any("as" in parameters for _, parameters in clauses(accept)):
        raise _only_these(STREAMS if watch else MEDIA)
    raise _unknown()


def aggregated(accept: str) -> bool:
    """Whether discovery is wanted in one document (v2); 406 when nothing that is offered is wanted."""
    if not accept:
        return False
    asked = False
    for media, parameters in clauses(accept):
        if media not in ("application/json", "application/*", "*/*"):
            continue
        asked = True
        if "as" not in parameters:
            return False
        if parameters["as"] == DISCOVERY and parameters.get("v") == "v2" and parameters.get("g") == "apidiscovery.k8s.io":
            return True
    raise _only_these(MEDIA) if asked else _unknown()


def _only_these(media: tuple[str, ...]) -> status.Refusal:
    return status.Refusal(406, "NotAcceptable", f"only the following media types are accepted: {', '.join(media)}")


def _unknown() -> status.Refusal:
    offered = ", ".join((*MEDIA, *STREAMS))
    message = f"406: Not Acceptable\n\nAvailable representations: {offered}"
    return status.Refusal(406, "NotAcceptable", message, details={})
