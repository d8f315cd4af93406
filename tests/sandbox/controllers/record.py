"""Records what a real control plane makes of the stories: `python record.py KUBECONFIG CONTEXT` writes recorded.json.

The context needs a token, and nodes and stages as tests/controlplane has them.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import sys
import threading
import time

import yaml
from scenarios import KINDS, OWN, STORIES, told

HERE = os.path.dirname(os.path.abspath(__file__))
STRATEGIC = "application/strategic-merge-patch+json"


class Plane:
    def __init__(self, path, context):
        with open(path) as file:
            document = yaml.safe_load(file)
        entry = next(one["context"] for one in document["contexts"] if one["name"] == context)
        cluster = next(one["cluster"] for one in document["clusters"] if one["name"] == entry["cluster"])
        self.token = next(one["user"]["token"] for one in document["users"] if one["name"] == entry["user"])
        self.host = cluster["server"].partition("//")[2]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.context = ssl.create_default_context(cadata=authority)

    def open(self, verb, path, body=None, form="application/json"):
        connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": form}
        connection.request(verb, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()

    def send(self, verb, path, body=None, form="application/json"):
        answer = self.open(verb, path, body, form)
        found = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{verb} {path}: {answer.status} {found.get('message')}")
        return found


def tell(plane, name, steps):
    namespace = f"appctl-story-{name}"
    plane.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    time.sleep(0.5)
    seen = {}
    length = sum(step for step in steps if isinstance(step, int)) + 2
    watches = [threading.Thread(target=_watch, args=(plane, kind, namespace, length, seen), daemon=True) for kind in OWN]
    for one in watches:
        one.start()
    time.sleep(0.3)
    for step in steps:
        if isinstance(step, int):
            time.sleep(step)
        elif isinstance(step, dict):
            plane.send("POST", KINDS[step["kind"]].format(namespace), {key: step[key] for key in step if key != "kind"})
        else:
            kind, about, change = step
            plane.send("PATCH", f"{KINDS[kind].format(namespace)}/{about}", change, STRATEGIC)
    for one in watches:
        one.join()
    bodies = []
    for kind, path in {**KINDS, "ControllerRevision": "/apis/apps/v1/namespaces/{}/controllerrevisions"}.items():
        bodies += [{**one, "kind": kind} for one in plane.send("GET", path.format(namespace))["items"]]
    plane.send("DELETE", f"/api/v1/namespaces/{namespace}")
    return told(bodies, seen)


def _watch(plane, kind, namespace, seconds, seen):
    answer = plane.open("GET", f"{KINDS[kind].format(namespace)}?watch=1&timeoutSeconds={seconds}")
    for line in answer:
        body = json.loads(line)["object"]
        if body.get("kind") == kind:
            seen.setdefault(f"{kind}/{body['metadata']['name']}", []).append(body)


def main():
    plane = Plane(sys.argv[1], sys.argv[2])
    version = plane.send("GET", "/version")["gitVersion"]
    wanted = sys.argv[3:] or list(STORIES)
    path = os.path.join(HERE, "recorded.json")
    known = {}
    if sys.argv[3:]:
        with open(path) as file:
            known = json.load(file)["stories"]
    stories = {**known, **{name: tell(plane, name, STORIES[name]) for name in wanted}}
    with open(path, "w") as file:
        json.dump({"version": version, "stories": stories}, file, indent=1, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    main()
