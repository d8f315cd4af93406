"""Where things are and how they are set: command line over environment over file.  Read by platform and cli.

One light module: it is on the path of `appctl render`, so the configuration file is only parsed when there is one.
"""

from __future__ import annotations

import os

from appdelivery import errors
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

KNOWN = {
    "store": "database: a file, or postgresql://... (default: the data folder)",
    "kubeconfig": "kubeconfig file (default: KUBECONFIG, else ~/.kube/config)",
    "cluster": "cluster to deliver to: a registered name or a kubeconfig context (default: the current context)",
    "namespace": "namespace of applications that name none (default: default)",
    "output": "table, json, yaml or name",
    "color": "never, auto or always",
    "progress": "tree, lines or none",
    "timeout": "longest wait, such as 15m",
    "definitions": "folder of definitions that comes before the shipped ones",
}


@record
class Folders:
    """By XDG: configuration, data (the store) and cache (compiled definitions)."""

    config: str
    data: str
    cache: str


@record
class Setting:
    value: str
    origin: str  # flag, environment APPCTL_X, the file, or default


def folders(environment: Mapping[str, str]) -> Folders:
    home = environment.get("HOME") or os.path.expanduser("~")
    pick = [
        environment.get(f"XDG_{n}_HOME") or f"{home}/{d}"
        for n, d in (("CONFIG", ".config"), ("DATA", ".local/share"), ("CACHE", ".cache"))
    ]
    return Folders(*[f"{place}/appctl" for place in pick])


def read(environment: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, Setting]:
    """Every known setting that has a value, with where it comes from."""
    filed = _file(f"{folders(environment).config}/config.yaml")
    found: dict[str, Setting] = {}
    for name in KNOWN:
        variable = f"APPCTL_{name.upper()}"
        if (value := given.get(name)) is not None:
            found[name] = Setting(value, "the command line")
        elif environment.get(variable):
            found[name] = Setting(environment[variable], f"the environment, {variable}")
        elif name in filed:
            found[name] = Setting(filed[name], f"{folders(environment).config}/config.yaml")
    return found


def _file(path: str) -> dict[str, str]:
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise errors.UsageError(f"read the configuration {path}: {error.strerror}") from error
    from appdelivery.language.text import yaml_in

    trees: list[Any] = yaml_in.load(data, path)
    given = trees[0] if trees and trees[0] is not None else {}
    defaults = given.get("defaults", {}) if isinstance(given, dict) else None
    if not isinstance(defaults, dict):
        raise errors.UsageError(f"read the configuration {path}: it must be a map with the key 'defaults'")
    unknown = [name for name in defaults if name not in KNOWN]
    if unknown:
        raise errors.UsageError(f"read the configuration {path}: unknown setting '{unknown[0]}'; known: {', '.join(KNOWN)}")
    return {name: str(value) for name, value in defaults.items()}
