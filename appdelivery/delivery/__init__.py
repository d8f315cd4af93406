"""Brings one target state and the live state together: plan, order, apply, wait, prune, judge, explain.

Pure: desired, plan, graph, conflict, diff, health, policies.  Drivers (async, over the Protocols of ports.py): look,
apply, handover, prune, wait, drift, why, release.  Called by platform; prints nothing.
"""
