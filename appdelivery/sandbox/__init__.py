"""Simulated clusters that speak the Kubernetes API: storage, true field ownership, controllers, scheduler, faults.

`cluster.Cluster` is one of them, without any network; `http.app` puts the protocol around it, `serve` a listener with TLS.
The rest of the product reaches a sandbox over HTTP only, as any other cluster.
"""
