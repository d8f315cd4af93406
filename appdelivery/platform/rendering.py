"""The pure use cases: render, validate, lint, test, schema, explain.  No store, no cluster, no asyncio: the light path."""

from __future__ import annotations

import os

from appdelivery import settings
from appdelivery.catalog import catalog
from appdelivery.model.record import record
from appdelivery.platform import documents
from appdelivery.render import render as rendering

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.application import Application
    from appdelivery.model.definition import Definition
    from appdelivery.model.manifest import Rendered
    from appdelivery.model.problem import Problem

KINDS = ("ComponentDefinition", "TraitDefinition", "PolicyDefinition", "WorkflowStepDefinition")


@record
class Work:
    """What a pure use case works on: the documents and the catalogue that gives meaning to them."""

    loaded: documents.Loaded
    catalog: catalog.Catalog


def open_catalog(definitions: Sequence[str] = ()) -> catalog.Catalog:
    """Given definitions first, then the shipped ones; compiled ones come from the user's private cache."""
    return catalog.Catalog(tuple(definitions), cache_dir=f"{settings.folders(os.environ).cache}/definitions")


def load(request: documents.Request, definitions: Sequence[str] = ()) -> Work:
    known = open_catalog(definitions)
    return Work(documents.load(request, lambda type_: known.resolve("ComponentDefinition", type_).parameters), known)


def render(work: Work, context: rendering.RenderContext) -> tuple[tuple[Application, Rendered], ...]:
    """Every application of the documents, rendered; the problems of all come together."""
    applications = work.loaded.applications

    def of(app: Application) -> Rendered:
        return rendering.render(app, work.catalog.resolve, context)

    made = documents.collecting(work.loaded.texts, of, applications)
    return tuple(zip(applications, made, strict=True))


def cluster_version(text: str) -> rendering.ClusterVersion:
    """1.36, v1.36.3 as definitions see it in context.clusterVersion."""
    from appdelivery import errors

    parts = text.removeprefix("v").split(".")
    if len(parts) < 2 or not all(p.isdigit() for p in parts[:2]):
        raise errors.UsageError(f"--kube-version {text}: write 1.36 or v1.36.3")
    git = f"v{text.removeprefix('v')}" if len(parts) > 2 else f"v{parts[0]}.{parts[1]}.0"
    return rendering.ClusterVersion(int(parts[0]), int(parts[1]), git, "linux/amd64")


def located(work: Work, problems: Sequence[Problem]) -> list[Problem]:
    from appdelivery.language.text import source

    return source.locate(problems, work.loaded.texts)


def find(known: catalog.Catalog, type_: str) -> Definition:
    """A component or trait of that name; UsageError with the nearest names of both."""
    from appdelivery import errors
    from appdelivery.model import suggest

    name = type_.partition("@")[0]
    for kind in KINDS:
        if name in known.names(kind):
            return known.resolve(kind, type_)
    every = [name for kind in KINDS for name in known.names(kind)]
    raise errors.NotFound(
        f"there is no component or trait type '{name}'{suggest.meant(name, every)}", hint=f"known: {', '.join(every)}"
    )
