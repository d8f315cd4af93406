"""A small language for the tests of writes: one cluster, one namespace, verbs that give (code, body)."""

from __future__ import annotations

import copy
import json

from appdelivery.sandbox import status, writes
from appdelivery.sandbox.clock import Clock
from appdelivery.sandbox.cluster import Cluster

HIDDEN = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")


def cluster() -> Cluster:
    """With the namespaces `default` and `a`; time stands still."""
    made = Cluster(clock=Clock(0))
    for name in ("default", "a"):
        writes.create(made, made.kind("v1", "Namespace"), "", {"metadata": {"name": name}}, writes.Options("test"))
    return made


def config_map(name: str, data: dict | None = None, **metadata) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {"a": "1"}}


def deployment(name: str = "d", containers: list | None = None, **spec) -> dict:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers or [{"name": "c", "image": "i:1"}]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }  # fmt: skip


class Lab:
    def __init__(self, made: Cluster | None = None, namespace: str = "a") -> None:
        self.cluster = made or cluster()
        self.namespace = namespace

    def key(self, kind, name):
        return (self.namespace if kind.namespaced else "", name)

    def apply(self, body, manager="m", **options):
        kind = self.cluster.kind(body["apiVersion"], body["kind"])
        key = self.key(kind, body["metadata"]["name"])
        return writes.apply(self.cluster, kind, key, copy.deepcopy(body), writes.Options(manager, **options)).body

    def create(self, body, manager="m", **options):
        kind = self.cluster.kind(body["apiVersion"], body["kind"])
        namespace = self.namespace if kind.namespaced else ""
        return writes.create(self.cluster, kind, namespace, copy.deepcopy(body), writes.Options(manager, **options)).body

    def patch(self, api_version, named, name, change, form="merge", manager="m", **options):
        kind = self.cluster.kind(api_version, named)
        found = writes.patch(self.cluster, kind, self.key(kind, name), form, change, writes.Options(manager, **options))
        return found.body

    def delete(self, api_version, named, name, **deletion):
        kind = self.cluster.kind(api_version, named)
        return writes.delete(self.cluster, kind, self.key(kind, name), writes.Deletion(**deletion))

    def get(self, api_version, named, name):
        kind = self.cluster.kind(api_version, named)
        item = self.cluster.get(kind, self.namespace, name)
        return None if item is None else writes.read(self.cluster, kind, item)

    def play(self, step) -> tuple[int, dict, list[str]]:
        """One recorded step: code, body, warnings."""
        kind = self.cluster.kind(step["apiVersion"], step["kind"])
        key, body, given = self.key(kind, step["name"]), copy.deepcopy(step["body"]), step["options"]
        options = writes.Options(
            given.get("manager", "tester"), given.get("dry", False), given.get("validation", "Warn"), given.get("force", False),
            given.get("sub", ""),
        )  # fmt: skip
        try:
            if step["verb"] == "get":
                item = self.cluster.get(kind, *key)
                if item is None:
                    raise status.not_found(kind, key[1])
                return 200, writes.read(self.cluster, kind, item), []
            if step["verb"] == "delete":
                return self._delete(kind, key, given)
            found = self._write(step["verb"], kind, key, body, given, options)
        except status.Refusal as refusal:
            return refusal.code, refusal.body(), []
        return (201 if found.created else 200), found.body, list(found.warnings)

    def _write(self, verb, kind, key, body, given, options):
        if verb == "create":
            return writes.create(self.cluster, kind, key[0], body, options)
        if verb == "replace":
            return writes.replace(self.cluster, kind, key, body, options)
        if verb == "patch":
            return writes.patch(self.cluster, kind, key, given["form"], body, options)
        return writes.apply(self.cluster, kind, key, body, options)

    def _delete(self, kind, key, given):
        sent = given.get("delopts", {})
        wanted = sent.get("preconditions", {})
        deletion = writes.Deletion(
            wanted.get("uid", ""), wanted.get("resourceVersion", ""), sent.get("propagationPolicy", "")
        )
        body, gone = writes.delete(self.cluster, kind, key, deletion)
        return 200, {"kind": "Status"} if gone else body, []


def comparable(body: dict) -> dict:
    """Without what is new in every run."""
    found = copy.deepcopy(body)
    metadata = found.get("metadata", {})
    if found.get("kind") == "Status":
        return found
    for key in HIDDEN:
        if key in metadata:
            metadata[key] = "*"
    for entry in metadata.get("managedFields", []):
        entry.pop("time", None)
    metadata["managedFields"] = sorted(metadata.get("managedFields", []), key=lambda one: json.dumps(one, sort_keys=True))
    spec = found.get("spec") or {}
    if found.get("kind") == "Service":
        if spec.get("clusterIP", "None") not in ("None", ""):
            spec["clusterIP"], spec["clusterIPs"] = "*", ["*"]
        for port in spec.get("ports") or []:
            if "nodePort" in port:
                port["nodePort"] = "*"
    return found
