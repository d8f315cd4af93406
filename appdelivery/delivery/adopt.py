"""Which managers of other tools lose our fields when we take an object over (delivery.md section 6.2).

The subtraction itself is one guarded patch that Fleet.apply makes after the apply (ApplyOptions.absorb): until then their
entries would keep a field alive that we drop later.  A manager joins the list only with a test on a real control plane.
"""

from __future__ import annotations

FIRST = ("kubectl*", "helm", "before-first-apply")


def managers(installation: tuple[str, ...] = ()) -> tuple[str, ...]:
    """installation: the operator's own list (setting legacyManagers), untested by us."""
    return (*FIRST, *installation)
