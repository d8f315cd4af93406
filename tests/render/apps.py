"""Small applications and definitions for the tests of render: written as text, read and located like a user's files."""

from __future__ import annotations

import functools
import textwrap
from typing import TYPE_CHECKING

from appdelivery.catalog import catalog
from appdelivery.language.text import source, yaml_in
from appdelivery.model import reading
from appdelivery.render import render

if TYPE_CHECKING:
    import pathlib
    from typing import Any

    from appdelivery.model.application import Application
    from appdelivery.model.manifest import Rendered
    from appdelivery.model.problem import Problem

FILE = "app.yaml"
HEAD = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop, namespace: prod}\n"


@functools.cache
def shipped() -> catalog.Catalog:
    return catalog.Catalog()


def with_definitions(folder: pathlib.Path, **texts: str) -> catalog.Catalog:
    """A catalogue with some definitions before the shipped ones; names by keyword, dashes as underscores."""
    for name, text in texts.items():
        whole = "apiVersion: appdelivery.dev/v1\n" + textwrap.dedent(text)
        (folder / f"{name.replace('_', '-')}.yaml").write_text(whole)
    return catalog.Catalog((str(folder),))


def trait(name: str, body: str, **head: str) -> str:
    return _definition("TraitDefinition", name, body, head)


def component(name: str, body: str, **head: str) -> str:
    return _definition("ComponentDefinition", name, body, head)


def _definition(kind: str, name: str, body: str, head: dict[str, str]) -> str:
    more = "".join(f", {key}: {value}" for key, value in head.items())
    return f"kind: {kind}\nmetadata: {{name: {name}, description: For a test.{more}}}\n" + textwrap.dedent(body)


def text(components: str, head: str = HEAD) -> str:
    return f"{head}spec:\n  components:\n" + textwrap.indent(textwrap.dedent(components), "    ")


def application(whole: str, *, lenient: bool = False) -> Application:
    return reading.application(yaml_in.load(whole.encode(), FILE)[0], FILE, 0, lenient=lenient)


def rendered(components: str, known: catalog.Catalog | None = None, *, head: str = HEAD, **context: Any) -> Rendered:
    app = application(text(components, head), lenient=context.get("lenient", False))
    return render.render(app, (known or shipped()).resolve, render.RenderContext(**context))


def refused(components: str, known: catalog.Catalog | None = None, *, head: str = HEAD, **context: Any) -> list[Problem]:
    """The problems of a render that must fail, located in the text."""
    from appdelivery import errors

    whole = text(components, head)
    try:
        app = application(whole, lenient=context.get("lenient", False))
        render.render(app, (known or shipped()).resolve, render.RenderContext(**context))
    except errors.SpecError as error:
        return source.locate(error.problems, {FILE: whole.encode()})
    raise AssertionError("it was accepted")


def body(made: Rendered, kind: str, name: str = "") -> dict[str, Any]:
    """The one object of that kind (and name)."""
    found = [m.body for m in made.manifests if m.ref.kind == kind and name in ("", m.ref.name)]
    assert len(found) == 1, [str(m.ref) for m in made.manifests]
    return found[0]


def line(whole: str, wanted: str) -> int:
    """Number of the line that holds a text."""
    return next(number for number, row in enumerate(whole.splitlines(), 1) if wanted in row)
