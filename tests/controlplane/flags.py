"""The command lines of a control plane's programs, with the reason beside every flag that is not obvious."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from controlplane import pki

if TYPE_CHECKING:
    from controlplane.plane import Plane

HERE = os.path.dirname(os.path.abspath(__file__))
LOG_LINES = ("starting", "listening on :8080", "warning: cache is cold", "ready")


def of(name: str, plane: Plane) -> list[str]:
    return {"kube-controller-manager": controller_manager, "kube-scheduler": scheduler, "kwok": kwok}[name](plane)


def etcd(plane: Plane) -> list[str]:
    # Unix sockets in the working folder, which the API server shares: no TCP port to lose.
    peer = f"unix://localhost:1{plane.port}"
    return [
        "--name=e",
        f"--data-dir={plane.folder}/etcd",
        f"--listen-client-urls={_etcd_url(plane)}",
        f"--advertise-client-urls={_etcd_url(plane)}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=e={peer}",
        "--log-level=warn",
        "--unsafe-no-fsync",
    ]


def api_server(plane: Plane) -> list[str]:
    keys = plane.pki
    return [
        f"--etcd-servers={_etcd_url(plane)}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={plane.port}",
        "--permit-port-sharing",  # the port is held by us until then
        "--endpoint-reconciler-type=none",  # a loopback address is refused for Endpoints
        f"--cert-dir={keys}",
        f"--tls-cert-file={keys}/apiserver.crt",
        f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/ca.crt",
        f"--token-auth-file={plane.folder}/tokens.csv",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={plane.url}",
        f"--service-account-key-file={keys}/service-accounts.pub",
        f"--service-account-signing-key-file={keys}/service-accounts.key",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        "--profiling=false",
        # An aggregated API (metrics) needs the front proxy.
        f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={keys}/front-proxy.crt",
        f"--proxy-client-key-file={keys}/front-proxy.key",
        # Pod logs are read from kwok as from a kubelet.
        f"--kubelet-client-certificate={keys}/kubelet-client.crt",
        f"--kubelet-client-key={keys}/kubelet-client.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def controller_manager(plane: Plane) -> list[str]:
    keys = plane.pki
    return [
        f"--kubeconfig={plane.part_kubeconfig('kube-controller-manager')}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=true",  # without them it is denied almost everything
        f"--service-account-private-key-file={keys}/service-accounts.key",
        f"--root-ca-file={keys}/ca.crt",
        f"--cluster-signing-cert-file={keys}/ca.crt",
        f"--cluster-signing-key-file={keys}/ca.key",
        "--enable-hostpath-provisioner=true",  # binds claims of the class `standard`
        "--kube-api-qps=300",
        "--kube-api-burst=600",
        "--profiling=false",
        # Autoscalers at the speed of tests.
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--horizontal-pod-autoscaler-downscale-stabilization=5s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=0s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=0s",
    ]


def scheduler(plane: Plane) -> list[str]:
    return [
        f"--kubeconfig={plane.part_kubeconfig('kube-scheduler')}",
        "--secure-port=0",
        "--leader-elect=false",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
        "--profiling=false",
    ]


def kwok(plane: Plane) -> list[str]:
    """Never configure its exec: it would run on this computer."""
    return [
        f"--kubeconfig={plane.part_kubeconfig('kwok')}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-ip=127.0.0.1",
        f"--node-port={plane.kubelet_port}",
        f"--server-address=127.0.0.1:{plane.kubelet_port}",
        f"--tls-cert-file={plane.pki}/kubelet.crt",
        f"--tls-private-key-file={plane.pki}/kubelet.key",
        "--cidr=10.244.0.1/24",
        "--node-lease-duration-seconds=40",
        f"--config={_kwok_configuration(plane)}",
    ]


def _kwok_configuration(plane: Plane) -> str:
    """The stages of this folder and one log for every pod."""
    log = f"{plane.folder}/pod.log"
    lines = [f"2026-01-01T00:00:0{i}.000000000Z stdout F {line}\n" for i, line in enumerate(LOG_LINES)]
    pki.write(log, "".join(lines).encode())
    documents = [
        (
            "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: ClusterLogs\nmetadata: {name: all}\n"
            f"spec:\n  selector: {{}}\n  logs:\n  - logsFile: {log}\n    follow: false\n"
        )
    ]
    for file in sorted(os.listdir(f"{HERE}/stages")):
        with open(f"{HERE}/stages/{file}") as text:
            documents.append(text.read())
    return pki.write(f"{plane.folder}/kwok.yaml", "---\n".join(documents).encode())


def _etcd_url(plane: Plane) -> str:
    return f"unix://localhost:{plane.port}"
