"""Where the shipped definitions are: inside the package when installed, beside it in a checkout."""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folder() -> str:
    """The folder that holds components/, traits/ and workflows/."""
    packaged = f"{PACKAGE}/_shipped"
    return packaged if os.path.isdir(packaged) else os.path.dirname(PACKAGE)
