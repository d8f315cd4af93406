"""`kind: Cluster` documents: everything placement.md section 2 shows is read, everything else is refused with its place."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from appdelivery import errors
from appdelivery.clusters import documents

PEM = "-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n"
WHOLE = f"""
apiVersion: appdelivery.dev/v1
kind: Cluster
metadata: {{name: eu-1, labels: {{env: prod, example.com/tier: gold}}}}
spec:
  server: https://10.1.0.1:6443/
  caData: {base64.b64encode(PEM.encode()).decode()}
  auth: {{exec: {{command: aws, args: [eks, get-token, --cluster-name, eu-1]}}}}
  region: eu-west-1
  zone: null
  provider: aws
  taints: [{{key: team, value: ml, effect: NoPlace}}, {{key: old, effect: Evict}}]
  prices: {{gpu: {{A100: 2.10, H100: 4.20}}, vcpu: 0.041, memoryGiB: 0.0046, currency: USD}}
  capacity: {{source: watch, reserve: {{cpu: 5%, memory: 4Gi}}}}
  limits: {{inFlight: 10}}
"""


def read(*trees: Any) -> list[documents.Declared]:
    return documents.read([("clusters.yaml", index, tree) for index, tree in enumerate(trees)])


def whole(**spec: Any) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(WHOLE)
    tree["spec"] |= spec
    return tree


def test_the_whole_document_is_read() -> None:
    (found,) = read(whole())
    assert (found.name, found.server, found.ca) == ("eu-1", "https://10.1.0.1:6443", PEM)
    assert found.description == {
        "labels": {"env": "prod", "example.com/tier": "gold"},
        "taints": [{"key": "team", "value": "ml", "effect": "NoPlace"}, {"key": "old", "effect": "Evict", "value": ""}],
        "prices": {"gpu": {"A100": 2.10, "H100": 4.20}, "vcpu": 0.041, "memoryGiB": 0.0046, "currency": "USD"},
        "capacity": {"source": "watch", "reserve": {"cpu": "5%", "memory": "4Gi"}},
        "limits": {"inFlight": 10},
        "region": "eu-west-1",
        "zone": None,
        "provider": "aws",
    }
    parts = found.parts()
    assert parts.plugin is not None
    assert (parts.plugin["command"], parts.plugin["apiVersion"]) == ("aws", "client.authentication.k8s.io/v1")


def test_files_are_meant_from_the_folder_of_the_document(tmp_path: Any) -> None:
    tree = whole(auth={"clientCertificate": {"certificateFile": "a.crt", "keyFile": "keys/a.key"}})
    (found,) = documents.read([(f"{tmp_path}/clusters.yaml", 0, tree)])
    assert (found.parts().certificate_file, found.parts().key_file) == (f"{tmp_path}/a.crt", f"{tmp_path}/keys/a.key")


CASES: list[tuple[str, Any, tuple[Any, ...], str]] = [
    ("unknown field", whole(regoin="x"), ("spec", "regoin"), "did you mean 'region'"),
    ("no address", whole(server="10.0.0.1"), ("spec", "server"), "is not an address"),
    ("plain text", whole(server="http://10.0.0.1"), ("spec", "server"), "is not an address"),
    ("user in the address", whole(server="https://a:b@10.0.0.1"), ("spec", "server"), "is not an address"),
    ("a CA that is none", whole(caData="%%%"), ("spec", "caData"), "base64"),
    ("two logins", whole(auth={"tokenFile": "a", "inCluster": {}}), ("spec", "auth"), "here are 2"),
    ("no login", whole(auth={}), ("spec", "auth"), "here are 0"),
    ("an inline token", whole(auth={"token": "s3cret-canary"}), ("spec", "auth", "token"), "does not stand in a document"),
    ("oidc", whole(auth={"oidc": {}}), ("spec", "auth", "oidc"), "not carried out"),
    ("exec without a command", whole(auth={"exec": {"args": []}}), ("spec", "auth", "exec"), "missing 'command'"),
    ("an effect of nodes", whole(taints=[{"key": "a", "effect": "NoSchedule"}]), ("spec", "taints", 0, "effect"), "NoPlace"),
    ("a taint without key", whole(taints=[{"effect": "Evict"}]), ("spec", "taints", 0), "missing 'key'"),
    ("a negative price", whole(prices={"vcpu": -1, "currency": "USD"}), ("spec", "prices", "vcpu"), "not a price"),
    ("prices without currency", whole(prices={"vcpu": 1}), ("spec", "prices"), "missing 'currency'"),
    ("a source", whole(capacity={"source": "wacth"}), ("spec", "capacity", "source"), "did you mean 'watch'"),
    ("a share", whole(capacity={"reserve": {"cpu": "105%"}}), ("spec", "capacity", "reserve", "cpu"), "percentage"),
    ("an amount", whole(capacity={"reserve": {"cpu": "lots"}}), ("spec", "capacity", "reserve", "cpu"), "share such as 5%"),
    ("in flight", whole(limits={"inFlight": 0}), ("spec", "limits", "inFlight"), "not between 1 and 64"),
    ("a number as region", whole(region=1), ("spec", "region"), "expected text"),
    ("its own address", whole(auth={"inCluster": {}}, caData=None), ("spec", "server"), "brings its own server"),
    ("a map as document", ["x"], (), "expected a map"),
    ("another kind", whole() | {"kind": "Application"}, ("kind",), "expected one of Cluster"),
    ("another version", whole() | {"apiVersion": "v1"}, ("apiVersion",), "expected one of appdelivery.dev/v1"),
    ("no name", whole() | {"metadata": {}}, ("metadata",), "missing 'name'"),
    ("not a DNS label", whole() | {"metadata": {"name": "EU_1"}}, ("metadata", "name"), "is not a name"),
    ("a label", whole() | {"metadata": {"name": "a", "labels": {"k": "b c"}}}, ("metadata", "labels", "k"), "not the value"),
    ("a key", whole() | {"metadata": {"name": "a", "labels": {"k k": "b"}}}, ("metadata", "labels", "k k"), "not the key"),
]


@pytest.mark.parametrize(("tree", "path", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_wrong_is_refused_where_it_stands(tree: Any, path: tuple[Any, ...], says: str) -> None:
    with pytest.raises(errors.SpecError) as caught:
        read(tree)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert says in problem.message
    assert problem.code == "cluster.document"
    assert "s3cret" not in f"{problem.message}{problem.hint}"


def test_credentials_without_an_address_are_refused() -> None:
    tree = whole(auth={"tokenFile": "token"})
    del tree["spec"]["server"]
    with pytest.raises(errors.SpecError, match="missing 'server'"):
        read(tree)


def test_the_same_name_twice_is_refused_and_problems_of_all_documents_come_together() -> None:
    with pytest.raises(errors.SpecError) as caught:
        read(whole(), whole(region=1), whole())
    assert [(problem.document, problem.path) for problem in caught.value.problems] == [
        (1, ("spec", "region")),
        (2, ("metadata", "name")),
    ]
