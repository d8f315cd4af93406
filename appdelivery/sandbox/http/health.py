"""What is no resource: health, version, the list of paths."""

from __future__ import annotations

from appdelivery.sandbox.http import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.requests import Request
    from appdelivery.sandbox.http.serving import Serving

PROBES = frozenset(["healthz", "livez", "readyz"])
CHECKS = ("ping", "log", "etcd", "informer-sync")


def serves(parts: list[str]) -> bool:
    return not parts or parts == ["version"] or (parts[0] in PROBES and len(parts) <= 2)


def answer(serving: Serving, request: Request, parts: list[str]) -> Answer:
    if not parts:
        return answers.of({"paths": list(_paths(serving))})
    if parts == ["version"]:
        return answers.of(serving.cluster.version)
    if len(parts) == 2:
        found = parts[1] in CHECKS
        return answers.text("ok" if found else "404 page not found\n", status=200 if found else 404)
    if request.flag("verbose"):
        lines = "".join([f"[+]{check} ok\n" for check in CHECKS])
        return answers.text(f"{lines}{parts[0]} check passed\n")
    return answers.text("ok")


def _paths(serving: Serving) -> Iterator[str]:
    yield from ("/api", "/api/v1", "/apis", "/apis/")
    for group, versions in sorted(serving.cluster.kinds.groups().items()):
        if group:
            yield f"/apis/{group}"
            yield from [f"/apis/{group}/{version}" for version in versions]
    yield from ("/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")
