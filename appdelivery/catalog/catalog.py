"""`Catalog`: what stands behind a type.  Resolves NAME and NAME@VERSION to a compiled definition, first source first.

Definitions are compiled when they are first used; compiled ones come from the user's private cache folder where one is
given.  Called by platform, and handed to render as a plain function (`catalog.resolve`).
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.catalog import layouts, shipped, sources
from appdelivery.language import cache, module
from appdelivery.model import suggest
from appdelivery.model.definition import Definition
from appdelivery.model.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from appdelivery.catalog.sources import Source
    from appdelivery.language.module import Compiled

NOUNS = {
    layouts.COMPONENT: "component type",
    layouts.TRAIT: "trait type",
    layouts.POLICY: "policy type",
    layouts.STEP: "step type",
}
STAGES = ("PreDispatch", "DefaultDispatch", "PostDispatch")


class Catalog:
    """extra: files and folders that come before the shipped definitions; actions: what `use` may name, None = anything."""

    def __init__(
        self, extra: Sequence[str] = (), *, cache_dir: str | None = None, actions: frozenset[str] | None = None
    ) -> None:
        self.sources: tuple[Source, ...] = (*sources.given(extra), sources.shipped(shipped.folder()))
        self._cache_dir = cache_dir
        self._actions = actions
        self._tag = "any" if actions is None else ",".join(sorted(actions))
        self._loaded: dict[str, Definition] = {}  # by path
        self._resolved: dict[tuple[str, str], Definition] = {}

    def resolve(self, kind: str, type: str) -> Definition:
        """The definition of `NAME` or `NAME@VERSION`; SpecError names what was meant and where it was searched."""
        found = self._resolved.get((kind, type))
        if found is None:
            name, _, version = type.partition("@")
            candidates = self._candidates(kind, name)
            if not candidates:
                raise self._unknown(kind, name)
            found = self._resolved[kind, type] = _of_version(candidates, name, version) if version else candidates[0]
        return found

    def names(self, kind: str) -> list[str]:
        return sorted({name for source in self.sources for name in source.names(kind)})

    def all(self) -> Iterator[Definition]:
        """Every definition that `resolve` can give, by kind and name."""
        for kind in layouts.KINDS:
            for name in self.names(kind):
                yield self.resolve(kind, name)

    def load(self, path: str, source: Source) -> Definition:
        """The definition of one file."""
        found = self._loaded.get(path)
        if found is None:
            compiled = self._compiled(path, source)
            found = self._loaded[path] = _definition(compiled, path, source)
        return found

    def _candidates(self, kind: str, name: str) -> list[Definition]:
        if not is_name(name):
            return []
        found = [(path, source) for source in self.sources if (path := source.find(kind, name))]
        if not found:
            found = [(path, source) for source in self.sources if (path := _aliased(kind, name, source))]
        return [self.load(path, source) for path, source in found]

    def _compiled(self, path: str, source: Source) -> Compiled:
        if self._cache_dir is not None and (kept := cache.load(path, folder=self._cache_dir, tag=self._tag)) is not None:
            return kept

        def shared(name: str) -> tuple[bytes, str] | None:
            part = source.shared(name) if is_name(name) else ""
            if not part:
                return None
            return sources.read(part), part

        compiled = module.compile(sources.read(path), path, shared=shared, layouts=layouts.LAYOUTS, actions=self._actions)
        if self._cache_dir is not None:
            cache.store(path, compiled, folder=self._cache_dir, tag=self._tag)
        return compiled

    def _unknown(self, kind: str, name: str) -> errors.SpecError:
        noun = NOUNS[kind]
        known = self.names(kind)
        searched = [source.root or ", ".join(source.files.values()) or "no files" for source in self.sources[:-1]]
        hint = f"searched: {', '.join([*searched, 'the shipped catalogue'])}"
        other = next((k for k in layouts.KINDS if k != kind and name in self.names(k)), "")
        if other:
            hint = f"there is a {NOUNS[other]} of that name; {hint}"
        message = f"unknown {noun} '{name}'{suggest.meant(name, known)}"
        return errors.SpecError([Problem(message, code="type.unknown", hint=hint)])


def is_name(text: str) -> bool:
    """Names become file names: nothing but a DNS label reaches the file system."""
    from appdelivery.model import names

    return names.is_dns_label(text)


def _of_version(candidates: list[Definition], name: str, version: str) -> Definition:
    """version is SemVer, or KubeVela's vN: the N-th published one."""
    known = sorted({d.version: d for d in candidates}.values(), key=lambda d: _order(d.version))
    for definition in known:
        if definition.version == version:
            return definition
    if version[:1] == "v" and version[1:].isdigit() and 1 <= int(version[1:]) <= len(known):
        return known[int(version[1:]) - 1]
    message = f"there is no version {version} of '{name}'"
    hint = f"versions that exist: {', '.join([d.version for d in known])}"
    raise errors.SpecError([Problem(message, code="type.version", hint=hint)])


def _order(version: str) -> tuple[tuple[int, ...], bool, str]:
    numbers, _, pre = version.partition("+")[0].partition("-")
    return tuple([int(n) if n.isdigit() else 0 for n in numbers.split(".")]), not pre, pre


def _aliased(kind: str, name: str, source: Source) -> str:
    """A definition that lists the name under metadata.aliases.  Reads files, so only after nothing else was found."""
    from appdelivery.language.text import yaml_in

    for other in source.names(kind):
        path = source.find(kind, other)
        data = sources.read(path)
        if b"aliases" in data:
            metadata = yaml_in.load(data, path)[0].get("metadata") or {}
            if name in (metadata.get("aliases") or ()):
                return path
    return ""


def _definition(compiled: Compiled, path: str, source: Source) -> Definition:
    head = compiled.head
    metadata: dict[str, Any] = head["metadata"]
    name, version = metadata["name"], metadata.get("version", "0.0.0")
    file = path.rpartition("/")[2].removesuffix(sources.ENDING)
    if name != file:
        raise _wrong(compiled, ("metadata", "name"), f"metadata.name is '{name}', the file is named '{file}'")
    if not is_semver(version):
        raise _wrong(compiled, ("metadata", "version"), f"metadata.version: '{version}' is not a version such as 1.2.0")
    return Definition(
        kind=head["kind"],
        name=name,
        version=version,
        hash=compiled.hash,
        parameters=compiled.parameters,
        code=module.bind(compiled),
        reads=compiled.reads,
        description=metadata.get("description", ""),
        deprecated=metadata.get("deprecated", ""),
        hidden=bool(metadata.get("hidden", False)),
        applies_to=_texts(compiled, head, ("appliesTo",)),
        owns=_texts(compiled, head, ("owns",)),
        stage=_stage(compiled),
        use=head.get("use", ""),
        requires=_texts(compiled, metadata, ("metadata", "requires")),
        labels=tuple((metadata.get("labels") or {}).items()),
        examples=tuple(metadata.get("examples") or ()),
        file=path,
        source=source.label,
        outputs=compiled.named,
    )


def _texts(compiled: Compiled, tree: dict[str, Any], path: tuple[str, ...]) -> tuple[str, ...]:
    given = tree.get(path[-1]) or ()
    if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
        raise _wrong(compiled, path, f"{'.'.join(path)} is a list of texts")
    return tuple(given)


def _stage(compiled: Compiled) -> str:
    stage = compiled.head.get("stage", STAGES[1])
    if stage not in STAGES:
        raise _wrong(compiled, ("stage",), f"unknown stage '{stage}'{suggest.meant(str(stage), STAGES)}")
    return str(stage)


def is_semver(version: Any) -> bool:
    if type(version) is not str:
        return False
    numbers = version.partition("+")[0].partition("-")[0].split(".")
    return len(numbers) == 3 and all(n.isdigit() and (n == "0" or n[0] != "0") for n in numbers)


def _wrong(compiled: Compiled, path: tuple[str, ...], message: str) -> errors.SpecError:
    from appdelivery.language.text import source

    name, text = compiled.files[0]
    found = Problem(message, code="definition.section", path=path, file=name)
    return errors.SpecError(source.locate([found], {name: text}))
