"""Makes `appdelivery/sandbox/data/protobuf-MINOR.json.gz` from the Go sources of the Kubernetes API types.

    python tests/tools/record_protobuf.py FOLDER_OF_k8s.io_api FOLDER_OF_k8s.io_apimachinery MINOR

The tags of Go's structs name number and JSON name of every field; pointers tell "absent" from "zero".  Only what the kinds of
the recorded server reach is kept.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "appdelivery", "sandbox", "data")
META = "k8s.io/apimachinery/pkg/apis/meta/v1"
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
ALIAS = re.compile(r"^type (\w+) (\[\]string|string|int32|\[\]\w+|map\[\S+)\s*$", re.MULTILINE)
FIELD = re.compile(r"^\t(?:(\w+)\s+)?([\w.*\[\]]+)\s+`(.*)`", re.MULTILINE)
IMPORT = re.compile(r'^\s*(?:import )?(?:(\w+) )?"(k8s\.io/[\w./-]+)"', re.MULTILINE)
SCALARS = {
    "string": "s", "bool": "b", "int32": "i", "int64": "i", "uint32": "i", "uint8": "i", "uint64": "i", "int": "i",
    "float64": "d", "[]byte": "B",
}  # fmt: skip
WELL_KNOWN = {
    "Time": "time", "MicroTime": "micro", "Quantity": "quantity", "IntOrString": "intstr", "FieldsV1": "json",
    "RawExtension": "json", "Duration": "duration",
}  # fmt: skip


class Package:
    def __init__(self, path: str, folder: str) -> None:
        self.path = path
        self.structs: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".go") and not name.endswith(("_test.go", ".pb.go")) and not name.startswith("zz_"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    self._read(file.read())

    def _read(self, text: str) -> None:
        text = re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)
        self.structs |= dict(STRUCT.findall(text))
        self.aliases |= dict(ALIAS.findall(text))
        for alias, path in IMPORT.findall(text):
            parts = path.split("/")
            self.imports[alias or parts[-1]] = path


class Recorder:
    def __init__(self, api: str, machinery: str) -> None:
        self._roots = {"k8s.io/api": api, "k8s.io/apimachinery": machinery}
        self._packages: dict[str, Package | None] = {}
        self.messages: dict[str, dict[str, list[object]]] = {}

    def package(self, path: str) -> Package | None:
        if path not in self._packages:
            root = next((root for root in self._roots if path.startswith(root + "/")), "")
            folder = self._roots[root] + path.removeprefix(root) if root else ""
            self._packages[path] = Package(path, folder) if folder and os.path.isdir(folder) else None
        return self._packages[path]

    def message(self, path: str, name: str) -> str:
        key = f"{path.removeprefix('k8s.io/').replace('apimachinery/pkg/apis/', '').removeprefix('api/')}.{name}"
        if key in self.messages:
            return key
        fields = self.messages[key] = {}
        package = self.package(path)
        if package is None:
            raise KeyError(path)
        for _, type, tags in FIELD.findall(package.structs[name]):
            number = re.search(r'protobuf:"\w+,(\d+)', tags)
            said = re.search(r'json:"([^"]*)"', tags)
            if number and said:
                json_name, *options = said[1].split(",")
                described = self.type(package, type)
                fields[number[1]] = [json_name, *described, mark(type, described[1], options)]
        return key

    def type(self, package: Package, type: str) -> list[object]:
        """[shape, element]: shape "" one, "l" list, "m" map."""
        bare = type.lstrip("*")
        if bare in SCALARS:
            return ["", SCALARS[bare]]
        if bare.startswith("map["):
            value = re.sub(r"^map\[[\w.]+\]", "", bare)
            return ["m", self.element(package, value)]
        if bare.startswith("[]"):
            return ["l", self.element(package, bare[2:])]
        alias = self.alias(package, bare)
        if alias is not None:
            found = self.type(*alias)
            # a list type of its own is a message {items = 1}, a map type of its own is not
            return ["", "items"] if found[0] == "l" and bare != "ResourceList" else found
        return ["", self.element(package, bare)]

    def element(self, package: Package, type: str) -> object:
        bare = type.lstrip("*")
        if bare in SCALARS:
            return SCALARS[bare]
        if bare.startswith("[]"):
            return "items"
        alias = self.alias(package, bare)
        if alias is not None:
            shape, inner = self.type(*alias)
            return "items" if shape == "l" else ["m", inner] if shape == "m" else inner
        name = bare.rpartition(".")[2]
        if name in WELL_KNOWN:
            return WELL_KNOWN[name]
        return self.message(self.where(package, bare), name)

    def where(self, package: Package, type: str) -> str:
        prefix = type.rpartition(".")[0]
        return package.imports[prefix] if prefix else package.path

    def alias(self, package: Package, type: str) -> tuple[Package, str] | None:
        name = type.rpartition(".")[2]
        if name in WELL_KNOWN:
            return None
        try:
            found = self.package(self.where(package, type))
        except KeyError:
            found = None
        if found is None:
            return (package, "string")  # types.UID and the like
        return (found, found.aliases[name]) if name in found.aliases else None


def mark(type: str, element: object, options: list[str]) -> str:
    """What a zero value means to Go's JSON: p set, k always written, z and "" left out (z: also when it is a struct)."""
    if type.startswith("*"):
        return "p"
    if "omitzero" in options:
        return "z"
    return "k" if "omitempty" not in options or element in {"time", "micro"} else ""


def main(api: str, machinery: str, minor: str) -> None:
    with gzip.open(os.path.join(DATA, f"kubernetes-{minor}.json.gz")) as file:
        groups = json.load(file)["groups"]
    recorder = Recorder(api, machinery)
    kinds = {"v1 DeleteOptions": recorder.message(META, "DeleteOptions")}
    wanted = {
        (sub["responseKind"].get("group") or group["metadata"].get("name", ""),
         sub["responseKind"].get("version") or version["version"], sub["responseKind"]["kind"])
        for group in groups for version in group["versions"] for entry in version["resources"]
        for sub in (entry, *entry.get("subresources", ())) if sub["responseKind"].get("kind")
    }  # fmt: skip
    for group, version, kind in sorted(wanted):
        path = f"k8s.io/api/{(group or 'core').partition('.')[0]}/{version}"
        package = recorder.package(path)
        if package is not None and kind in package.structs:
            kinds[f"{group}/{version} {kind}".lstrip("/")] = recorder.message(path, kind)
    document = {"kinds": kinds, "messages": dict(sorted(recorder.messages.items()))}
    target = os.path.join(DATA, f"protobuf-{minor}.json.gz")
    with open(target, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(json.dumps(document, separators=(",", ":")).encode())
    print(f"{len(kinds)} kinds, {len(recorder.messages)} messages, {os.path.getsize(target)} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
