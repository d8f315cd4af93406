"""Records what the sandbox knows of Kubernetes from a real API server: `make record` writes appdelivery/sandbox/data.

One gzipped JSON document per minor version: version, discovery (aggregated v2), the OpenAPI v2 definitions without their
descriptions, the defaults that only OpenAPI v3 tells, and the columns of tables.

    python tests/tools/record_schemas.py KUBECONFIG CONTEXT
"""

from __future__ import annotations

import gzip
import json
import os
import ssl
import sys
import tempfile
from typing import Any

import httpx

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = f"{ROOT}/appdelivery/sandbox/data"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
ZERO = ({}, "", 0, False)  # what an absent field means anyway


def main() -> int:
    sys.path.insert(0, ROOT)
    from appdelivery.clusters import kubeconfig

    found = kubeconfig.read(context=sys.argv[2], paths=[sys.argv[1]])
    with tempfile.TemporaryDirectory() as folder:
        context = ssl.create_default_context(cadata=found.ca)
        if found.certificate:
            for name, text in (("cert", found.certificate), ("key", found.key)):
                with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                    file.write(text)
            context.load_cert_chain(f"{folder}/cert", f"{folder}/key")
        headers = {"Authorization": f"Bearer {found.token}"} if found.token else {}
        with httpx.Client(base_url=found.server, verify=context, headers=headers, timeout=60) as server:
            document = recorded(server)
    version = f"{document['version']['major']}.{document['version']['minor']}"
    path = f"{FOLDER}/kubernetes-{version}.json.gz"
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    with open(path, "wb") as file:
        file.write(gzip.compress(text, 9, mtime=0))
    print(f"{path}: {len(text):,} bytes, {os.path.getsize(path):,} packed, {len(document['definitions'])} definitions")
    return 0


def recorded(server: httpx.Client) -> dict[str, Any]:
    discovery = [answer(server, path, AGGREGATED)["items"] for path in ("/api", "/apis")]
    groups = [group for items in discovery for group in items]
    return {
        "version": answer(server, "/version"),
        "groups": groups,
        "definitions": without_descriptions(answer(server, "/openapi/v2")["definitions"]),
        "defaults": defaults(server),
        "columns": columns(server, groups),
    }


def answer(server: httpx.Client, path: str, accept: str = "application/json") -> Any:
    return server.get(path, headers={"Accept": accept}).raise_for_status().json()


def without_descriptions(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: without_descriptions(v) for k, v in tree.items() if not (k == "description" and isinstance(v, str))}
    return [without_descriptions(v) for v in tree] if isinstance(tree, list) else tree


def defaults(server: httpx.Client) -> dict[str, dict[str, Any]]:
    """By definition and property."""
    found: dict[str, dict[str, Any]] = {}
    for place in answer(server, "/openapi/v3")["paths"].values():
        schemas = answer(server, place["serverRelativeURL"]).get("components", {}).get("schemas", {})
        for name, schema in schemas.items():
            for key, inner in (schema.get("properties") or {}).items():
                if "default" in inner and inner["default"] not in ZERO:
                    found.setdefault(name, {})[key] = inner["default"]
    return found


def columns(server: httpx.Client, groups: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """By GROUP/VERSION/PLURAL, of every kind that can be listed."""
    found = {}
    for group in groups:
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            base = f"/apis/{name}/{version['version']}" if name else f"/api/{version['version']}"
            for resource in version["resources"]:
                if "list" in resource["verbs"]:
                    table = answer(server, f"{base}/{resource['resource']}", TABLE)
                    if table.get("kind") == "Table":
                        kept = [
                            {k: c[k] for k in ("name", "type", "format", "priority")} for c in table["columnDefinitions"]
                        ]
                        found[f"{name}/{version['version']}/{resource['resource']}"] = kept
    return found


if __name__ == "__main__":
    sys.exit(main())
