"""The member clusters over HTTP: credentials, discovery, server-side apply, lists and watches, logs, events.

`fleet.ClusterFleet` implements the Protocol `delivery.ports.Fleet`.  Every get, list, watch, apply and delete passes
`transport`; kr8s is used for exec plugins and auth providers only and imported where it is needed.
"""
