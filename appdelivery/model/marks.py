"""What we write on every object beside its content, and how to read it back (delivery.md section 2.4).

Labels find our objects, the owner mark says whose an object is, the fence says which write was last.  The mark names
the object that carries it: a copied object has another name or namespace and so is not mistaken for ours.
"""

from __future__ import annotations

from appdelivery.model import sha256
from appdelivery.model.refs import AppKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.model.refs import Ref

NAME = "app.oam.dev/name"
NAMESPACE = "app.oam.dev/namespace"
COMPONENT = "app.oam.dev/component"
RESOURCE_TYPE = "app.oam.dev/resourceType"
REPLICA_KEY = "app.oam.dev/replicaKey"
APP_REVISION = "app.oam.dev/appRevision"
LAST_APPLIED = ("app.oam.dev/last-applied-configuration", "app.oam.dev/last-applied-time")
SHARED_BY = "app.oam.dev/shared-by"

INSTANCE = "appdelivery.dev/instance"  # label: the one selector of our lists and watches
OWNER = "appdelivery.dev/owner"  # annotation
FENCE = "appdelivery.dev/fence"  # annotation: RELEASE.FENCE of the last write

# They change without the object's content changing, so no digest of a desired object includes them.
BOOKKEEPING = frozenset((APP_REVISION, FENCE, *LAST_APPLIED))

MANAGER = "appctl"
HANDOVER = "appctl-handover"
REPAIR = "appctl-repair"
_MANAGER_LIMIT = 128  # characters, set by the API server


def manager_of(app: AppKey) -> str:
    """The field manager that writes as this application: neither component nor revision, so that it never changes."""
    name = f"{MANAGER}:{app}"
    if len(name) <= _MANAGER_LIMIT:
        return name
    return f"{name[: _MANAGER_LIMIT - 9]}-{sha256.hexdigest(name.encode())[:8]}"


def owner_mark(instance: str, app: AppKey, ref: Ref) -> str:
    """`0a1b2c3d:shop/web:apps/Deployment:shop/web`."""
    return f"{instance}:{app}:{_address(ref)}"


def owner_app(mark: str) -> tuple[str, AppKey] | None:
    """The installation's label and the application that a mark names; None when the text is not such a mark."""
    parts = mark.split(":", 2)
    if len(parts) != 3:
        return None
    namespace, slash, name = parts[1].partition("/")
    return (parts[0], AppKey(namespace, name)) if slash and parts[0] and name else None


def is_self(mark: str, ref: Ref) -> bool:
    """Whether the mark was written for this very object and not copied from another one."""
    return owner_app(mark) is not None and mark.split(":", 2)[2] == _address(ref)


def _address(ref: Ref) -> str:
    return f"{ref.group}/{ref.kind}:{ref.namespace}/{ref.name}"
