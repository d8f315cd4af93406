"""Two outputs of one component with one identity become one object, by strategic merge (language.md section 10)."""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.language import patch
from appdelivery.model.problem import Problem
from appdelivery.render import labels, work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.model.problem import Path
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Object, Work


def objects(of: Work, facts: Facts) -> None:
    """Replaces of.objects; SpecError naming both origins and the path where two disagree."""
    if len(of.objects) == 1 or len({(made.body["kind"], made.body["metadata"]["name"]) for made in of.objects}) == len(
        of.objects
    ):
        return
    first: dict[tuple[str, str, str | None, str], Object] = {}
    for made in of.objects:
        body = made.body
        metadata = body["metadata"]
        identity = body["apiVersion"], body["kind"], metadata.get("namespace"), metadata["name"]
        earlier = first.setdefault(identity, made)
        if earlier is not made:
            _fold(of, earlier, made, facts)
    if len(first) < len(of.objects):
        of.objects = list(first.values())


def _fold(of: Work, earlier: Object, later: Object, facts: Facts) -> None:
    try:
        earlier.body = patch.fold(earlier.body, _anonymous(later.body))
    except patch.PatchError as error:
        name = earlier.body["metadata"]["name"]
        at = f" with different {error.path}" if error.path else ""
        message = f"{earlier.body['kind']} {name} is made twice{at}: by {_origin(of, earlier)} and {_origin(of, later)}"
        found = Problem(message, code="render.duplicate", hint=error.hint)
        raise SpecError([work.at(facts.app, found, _path(of, later))]) from error


def _path(of: Work, made: Object) -> Path:
    """The last trait of the type that made it, else the component."""
    parts = [part for part in of.parts[1:] if part.definition.name == made.trait]
    return parts[-1].path[:-1] if parts else of.component.path


def _anonymous(body: dict[str, object]) -> dict[str, object]:
    """Without the labels that say which output it is: those of the first stay."""
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    kept = {key: value for key, value in metadata["labels"].items() if key not in labels.CONTRACT}
    return {**body, "metadata": {**metadata, "labels": kept}}


def _origin(of: Work, made: Object) -> str:
    return f"trait {made.trait}" if made.trait else f"component {of.component.name}"
