"""Records how the real server's Go types write their JSON: `make record` writes appdelivery/sandbox/data/shapes-*.json.gz.

OpenAPI does not say which empty values a typed object loses on its way through the server and which it gains.  The
types in Go do, by pointer, `omitempty` and `omitzero`; this reads them from the modules of Kubernetes.

    python tests/tools/record_shapes.py MODULES VERSION        (the folder k8s.io of a Go module cache, and 1.36)
"""

from __future__ import annotations

import glob
import gzip
import json
import os
import re
import sys
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = f"{ROOT}/appdelivery/sandbox/data"
SOURCES = (  # (pattern of folders below the modules, prefix of definition names)
    ("api@v0.{minor}*/*/v*", "io.k8s.api"),
    ("apimachinery@v0.{minor}*/pkg/apis/meta/v1", "io.k8s.apimachinery.pkg.apis"),
    ("apiextensions-apiserver@v0.{minor}*/pkg/apis/apiextensions/v1", "io.k8s.apiextensions-apiserver.pkg.apis"),
    ("kube-aggregator@v0.{minor}*/pkg/apis/apiregistration/v1", "io.k8s.kube-aggregator.pkg.apis"),
)
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
ALIAS = re.compile(r"^type (\w+) ([\w\[\]\.]+)$", re.MULTILINE)
FIELD = re.compile(r'^\s*(?:(\w+)\s+)?([\w\.\*\[\]]+)\s+`[^`]*json:"([^"]*)"[^`]*`', re.MULTILINE)
STAMPS = ("Time", "MicroTime", "metav1.Time", "metav1.MicroTime")
PLAIN = {"string": "", "bool": False, "int": 0, "int32": 0, "int64": 0, "uint32": 0, "float64": 0}
ODD = {"intstr.IntOrString": 0, "resource.Quantity": "0", "metav1.Duration": "0s", "Duration": "0s"}


def main() -> int:
    modules, version = sys.argv[1:]
    shapes: dict[str, Any] = {}
    for pattern, prefix in SOURCES:
        for folder in sorted(glob.glob(os.path.join(modules, pattern.format(minor=version.split(".")[1])))):
            group, name = folder.split(os.sep)[-2:]
            shapes.update({f"{prefix}.{group}.{name}.{type}": shape for type, shape in package(folder).items()})
    with gzip.open(f"{FOLDER}/kubernetes-{version}.json.gz") as recorded:
        known = json.load(recorded)["definitions"]
    shapes = {name: shape for name, shape in shapes.items() if shape and name in known}
    path = f"{FOLDER}/shapes-{version}.json.gz"
    text = json.dumps(shapes, separators=(",", ":"), sort_keys=True).encode()
    with open(path, "wb") as file:
        file.write(gzip.compress(text, 9, mtime=0))
    print(f"{path}: {len(text):,} bytes, {os.path.getsize(path):,} packed, {len(shapes)} types")
    return 0


def package(folder: str) -> dict[str, dict[str, Any]]:
    """By type: `always` = property to what is written when it is not set, `kept` = written even when empty."""
    text = ""
    for file in sorted(glob.glob(f"{folder}/*types*.go")):
        with open(file, encoding="utf-8") as opened:
            text += opened.read()
    text = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    aliases = dict(ALIAS.findall(text))
    structs = {name: FIELD.findall(body) for name, body in STRUCT.findall(text)}
    found = {}
    for name in structs:
        always: dict[str, Any] = {}
        kept: list[str] = []
        for type, tag in flat(name, structs):
            place(type, tag, aliases, structs, always, kept)
        found[name] = {key: value for key, value in (("always", always), ("kept", sorted(kept))) if value}
    return found


def flat(name: str, structs: dict[str, Any]) -> list[tuple[str, str]]:
    """The fields of a struct and of those it embeds."""
    fields = []
    for _, type, tag in structs[name]:
        if tag.startswith(",inline"):
            if type in structs:
                fields += flat(type, structs)
        elif tag != "-":
            fields.append((type, tag))
    return fields


def place(
    type: str, tag: str, aliases: dict[str, str], structs: dict[str, Any], always: dict[str, Any], kept: list[str]
) -> None:
    key, *options = tag.split(",")
    if type.startswith("*"):
        if "omitempty" in options or "omitzero" in options:
            kept.append(key)
        else:
            always[key] = None
        return
    type = aliases.get(type, type)
    omitted = "omitempty" in options
    if "omitzero" in options:
        return
    if type.startswith(("[", "map[")):
        if not omitted:
            always[key] = None
    elif type in PLAIN or ("." in type and type.rpartition(".")[2] in ("UID", "ConditionStatus")):
        if not omitted:
            always[key] = PLAIN.get(type, "")
    elif type in STAMPS:
        always[key] = None
    elif type in ODD:
        always[key] = ODD[type]
    elif type in structs or "." in type:
        known = type.rpartition(".")[2]
        if known in (
            "Protocol",
            "ResourceName",
            "PodFailurePolicyAction",
            "Scope",
            "NodeSelectorOperator",
            "PodConditionType",
        ):
            if not omitted:
                always[key] = ""
        else:
            always[key] = {}
    elif not omitted:
        always[key] = ""


if __name__ == "__main__":
    sys.exit(main())
