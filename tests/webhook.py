"""A mutating admission webhook on loopback, switched by the test while it runs."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import ssl
import tempfile
from typing import TYPE_CHECKING, Any

from aiohttp import web
from controlplane import pki

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Webhook:
    """`mutate` changes the object in place; None lets everything through."""

    def __init__(self) -> None:
        self.mutate: Callable[[dict[str, Any]], Any] | None = None
        self.port = 0
        self.ca = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        review = json.loads(await request.read())["request"]
        before = review["object"]
        after = copy.deepcopy(before)
        if self.mutate:
            self.mutate(after)
        response: dict[str, Any] = {"uid": review["uid"], "allowed": True}
        if after != before:
            operations = [
                {"op": "add", "path": f"/{key}", "value": after[key]} for key in after if after[key] != before.get(key)
            ]
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(operations).encode()).decode()}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})

    def configuration(self, name: str, namespace: str) -> dict[str, Any]:
        """For the objects of one namespace that carry the label `hook`."""
        rule = {"apiVersions": ["*"], "operations": ["CREATE", "UPDATE"]}
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": "mutate.appdelivery.dev",
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "failurePolicy": "Fail",
                    "clientConfig": {"url": f"https://127.0.0.1:{self.port}/", "caBundle": self.ca},
                    "objectSelector": {"matchExpressions": [{"key": "hook", "operator": "Exists"}]},
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                    "rules": [
                        rule | {"apiGroups": ["apps"], "resources": ["deployments"]},
                        rule | {"apiGroups": [""], "resources": ["configmaps"]},
                    ],
                }
            ],
        }


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Webhook]:
    hook = Webhook()
    with tempfile.TemporaryDirectory() as folder:
        authority = pki.Authority(folder, "hook-ca")
        authority.server("hook", "127.0.0.1")
        hook.ca = base64.b64encode(authority.certificate).decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/hook.crt", f"{folder}/hook.key")
    runner = web.ServerRunner(web.Server(hook.answer), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        hook.port = runner.addresses[0][1]
        yield hook
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def installed(kube: Any, namespace: str) -> AsyncIterator[Webhook]:
    """Serving, and known to the API server: its cache of configurations takes a moment."""
    async with serving() as hook:
        configuration = hook.configuration(f"hook-{namespace}", namespace)
        await kube.create(configuration)
        try:
            hook.mutate = lambda body: body["metadata"].setdefault("labels", {}).update(hooked="yes")
            probe = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "hook-probe", "namespace": namespace, "labels": {"hook": "yes"}},
            }
            await kube.create(probe)
            touched = 0

            def is_hooked(live: dict[str, Any]) -> bool:
                return live["metadata"]["labels"].get("hooked") == "yes"

            while not is_hooked(await kube.merge(probe, {"data": {"n": str(touched)}})):
                touched += 1
            hook.mutate = None
            yield hook
        finally:
            await kube.delete(configuration)
