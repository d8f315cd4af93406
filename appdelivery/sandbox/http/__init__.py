"""The Kubernetes API protocol around one `Cluster`, as a pure ASGI application: `app.App`.

A request goes through identity, access, route, negotiation and body; then a reader (`lists`, `watches`, `subresources`)
or a writer (`sandbox.writes`) does the work, and `views` puts the outcome into the representation that was asked for.
"""
