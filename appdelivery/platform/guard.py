"""The authorisation gate: the first line of every use case that reads or changes more than the caller's own text.

In local mode the operating-system user works with a store and a kubeconfig that are theirs, so every verb is allowed to
them and to nobody else; the rights of tokens, people and sources are rows of a server's store.
"""

from __future__ import annotations

from appdelivery import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.model.history import Actor

VERBS = ("get", "create", "update", "delete", "rollback", "override", "approve", "register", "forget", "logs", "migrate")


def guard(actor: Actor, verb: str, subject: str) -> None:
    """Raises Denied unless the actor may do this; an unknown verb is our own mistake."""
    if verb not in VERBS:
        raise errors.Bug(f"the gate knows no verb '{verb}'")
    if (actor.kind, actor.via) != ("user", "cli"):
        raise errors.Denied(f"{actor} may not {verb} {subject}: this installation has no roles, only its own user may act")
