"""Everything that changes objects of a sandbox, true to a real API server: create, replace, patch, apply, delete."""

from __future__ import annotations

from appdelivery.sandbox.writes.deleting import delete, delete_all
from appdelivery.sandbox.writes.options import Deletion, Options, Written
from appdelivery.sandbox.writes.scaling import of as scale_of
from appdelivery.sandbox.writes.writing import apply, create, patch, read, replace

__all__ = [
    "Deletion",
    "Options",
    "Written",
    "apply",
    "create",
    "delete",
    "delete_all",
    "patch",
    "read",
    "replace",
    "scale_of",
]
