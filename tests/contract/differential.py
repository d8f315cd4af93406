"""The differential fuzzer: the same random writes by five managers to a real server and to the sandbox.

    python tests/contract/differential.py [KUBECONFIG CONTEXT] [--seconds 120] [--seed N] [--kinds ConfigMap,Deployment]

`make contract-diff` runs it, on a plane that is started for it when none is named.  After every write code, body and managedFields of both answers are compared.  A sequence ends
where they differ: what follows would only repeat it.  Classes that remain are named in known_divergence.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import copy
import json
import os
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, f"{TESTS}/contract", os.path.dirname(TESTS)] if __name__ == "__main__" else []

import comparing  # noqa: E402
import generated  # noqa: E402
import kube_api  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from generated import Step
    from kube_api import Api, Reply

KINDS = ("ConfigMap", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "Ingress")
SEQUENCES = 8  # at once: the real server waits for its disk
RACING = {"status"}  # what controllers write meanwhile
OF_CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok", "nginx-ingress-controller")
REVISION = "deployment.kubernetes.io/revision"
POD = "Volumes|metadata|volumes|containers|initContainers|nodeSelector|restartPolicy|securityContext|tolerations|termination"
DUMP = re.compile(rf'Invalid value: \{{"(?:{POD}).*?\}}: field is immutable', re.DOTALL)  # a pod as Go prints it, or as JSON


@dataclass
class Found:
    """operations: how many were compared, by kind; differing: by kind and class, with one example each."""

    seed: int
    operations: Counter[str] = field(default_factory=Counter)
    differing: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    shown: bool = False  # print every step

    def share(self, kinds: Iterable[str]) -> float:
        wanted = set(kinds)
        compared = sum(count for kind, count in self.operations.items() if kind in wanted)
        return sum(count for (kind, _), count in self.differing.items() if kind in wanted) / max(compared, 1)

    def report(self) -> str:
        lines = [f"seed {self.seed}: {self.operations.total()} operations, {self.differing.total()} differing"]
        for kind in KINDS:
            if self.operations[kind]:
                lines.append(f"  {kind:12} {self.operations[kind]:6}  {self.share([kind]):7.2%}")
        for (kind, name), count in self.differing.most_common():
            lines.append(f"{count:4}  {kind}: {name}\n      {self.examples[kind, name]}")
        return "\n".join(lines)


async def run(real: Api, sandbox: Api, *, seed: int, seconds: float, kinds: tuple[str, ...] = KINDS) -> Found:
    """Sequences until the time is over; each has its own seed, so any of them can be repeated alone."""
    found = Found(seed)
    end = time.monotonic() + seconds
    numbers = iter(range(10**9))

    async def worker() -> None:
        while time.monotonic() < end:
            number = next(numbers)
            await _sequence(real, sandbox, random.Random(f"{seed}/{number}"), f"o{number}", kinds, found)

    await asyncio.gather(*[worker() for _ in range(SEQUENCES)])
    return found


async def _sequence(real: Api, sandbox: Api, dice: random.Random, name: str, kinds: tuple[str, ...], found: Found) -> None:
    kind = dice.choice(kinds)
    for step in generated.sequence(dice, kind, name):
        replies = await asyncio.gather(_sent(real, step), _sent(sandbox, step))
        found.operations[kind] += 1
        if found.shown:
            print(step, *[f"\n    {json.dumps(reply.body)[:3000]}" for reply in replies])
        lines = list(comparing.differences(*[compared(reply) for reply in replies]))
        if lines:
            key = kind, f"{step.verb} {class_of(lines)}"
            found.differing[key] += 1
            example = f"{step}\n      " + "\n      ".join(line[:400] for line in lines[:6])
            found.examples.setdefault(key, example)
            break
    await asyncio.gather(*[api.delete(_path(api, kind, name)) for api in (real, sandbox)])


async def _sent(api: Api, step: Step) -> Reply:
    path = _path(api, step.kind, step.name, step.sub)
    body = copy.deepcopy(step.body)
    if isinstance(body, dict) and "apiVersion" in body:
        body["metadata"]["namespace"] = api.namespace
    for _ in range(5):
        if step.verb == "POST":
            reply = await api.post(_path(api, step.kind), body, **step.query)
        elif step.verb == "PUT":
            reply = await api.put(path, body, **step.query)
        elif step.verb == "DELETE":
            reply = await api.delete(path, **step.query)
        else:
            reply = await api.call("PATCH", path, body, content=step.verb, **step.query)
        # A controller wrote in between, on a real server: the write was not judged at all.
        if not (reply.code == 409 and "the object has been modified" in str(reply.body)):
            break
    return reply


def _path(api: Api, kind: str, name: str = "", sub: str = "") -> str:
    body = {"apiVersion": generated.API_VERSIONS[kind], "kind": kind}
    return api.path(kube_api.of(body), name, sub)


def compared(reply: Reply) -> Any:
    """Code and body without what controllers write at times of their own."""
    body = reply.body
    if isinstance(body, dict) and "metadata" in body and body.get("kind") != "Status":
        body = {key: value for key, value in body.items() if key not in RACING}
        metadata = dict(body["metadata"])
        entries = metadata.get("managedFields", ())
        metadata["managedFields"] = [one for one in entries if one["manager"] not in OF_CONTROLLERS]
        if body["kind"] == "Deployment":
            metadata["managedFields"] = [_without_map_mark(one) for one in metadata["managedFields"]]
        annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != REVISION}
        metadata.pop("annotations", None)
        body["metadata"] = metadata | ({"annotations": annotations} if annotations else {})
    elif isinstance(body, dict) and body.get("kind") == "Status" and "causes" in body.get("details", {}):
        # Managers are told in no particular order.
        causes = [cause | {"message": _without_dump(cause["message"])} for cause in body["details"]["causes"]]
        causes = sorted(causes, key=lambda cause: json.dumps(cause, sort_keys=True))
        body = body | {"details": body["details"] | {"causes": causes}, "message": _without_dump(body["message"])}
    return comparing.plain({"code": reply.code, "body": body})


def _without_dump(message: str) -> str:
    return DUMP.sub("Invalid value: DUMP: field is immutable", message)


def _without_map_mark(entry: dict[str, Any]) -> dict[str, Any]:
    """Who owns the map of annotations depends on whether the controller had set its revision by then."""
    fields = copy.deepcopy(entry["fieldsV1"])
    metadata = fields.get("f:metadata", {})
    metadata.get("f:annotations", {}).pop(".", None)
    if not metadata.get("f:annotations", {"f:": {}}):
        del metadata["f:annotations"]
    if not fields.get("f:metadata", {"f:": {}}):
        del fields["f:metadata"]
    return entry | {"fieldsV1": fields}


def class_of(lines: list[str]) -> str:
    """The places that differ, without names and numbers: what belongs together is counted together."""
    places = [line.split(": really", 1)[0] for line in lines]
    shown = list(dict.fromkeys(_general(place) for place in places))
    return ", ".join(shown[:3]) + (" ..." if len(shown) > 3 else "")


def _general(place: str) -> str:
    return re.sub(r"\[\d+\]", "[]", re.sub(r"k:\{[^}]*\}", "k", place))


@contextlib.asynccontextmanager
async def both(kubeconfig: str, context: str) -> AsyncIterator[tuple[Api, Api]]:
    """A place on each."""
    import plane_fixtures
    import sandbox_fixtures
    import yaml

    with open(kubeconfig) as file:  # noqa: ASYNC230 - once, before anything runs
        planes = plane_fixtures.Planes(kubeconfig, (context,), True, yaml.safe_load(file))
    async with sandbox_fixtures.on_plane(planes) as real, sandbox_fixtures.in_process() as sandbox:
        yield real, sandbox


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kubeconfig", nargs="?", default="")
    parser.add_argument("context", nargs="?", default="east")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--only", type=int, help="one sequence of that seed, step by step (its objects are named o<NUMBER>)")
    given = parser.parse_args(argv)
    if given.kubeconfig:
        return report(given, given.kubeconfig)
    from tools import borrowed

    with borrowed.kubeconfig(given.context) as kubeconfig:
        return report(given, kubeconfig)


def report(given: argparse.Namespace, kubeconfig: str) -> int:
    print(f"seed {given.seed}", flush=True)

    async def compare() -> Found:
        async with both(kubeconfig, given.context) as (real, sandbox):
            kinds = tuple(given.kinds.split(","))
            if given.only is not None:
                found = Found(given.seed, shown=True)
                dice = random.Random(f"{given.seed}/{given.only}")
                await _sequence(real, sandbox, dice, f"o{given.only}", kinds, found)
                return found
            return await run(real, sandbox, seed=given.seed, seconds=given.seconds, kinds=kinds)

    found = asyncio.run(compare())
    print(found.report())
    return 1 if too_many(found) else 0


def too_many(found: Found) -> bool:
    return found.share(["ConfigMap"]) > 0 or found.share(set(KINDS) - {"ConfigMap"}) > 0.01


if __name__ == "__main__":
    sys.exit(main())
