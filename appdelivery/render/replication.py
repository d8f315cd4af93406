"""Policy `replication`: every selected component once for each key (oam.md 4.2).

`replicate` makes the copies, an Application in, an Application out, before it is rendered.  The rest is what render does
for a copy: which names it sees, its labels, and names of its objects that no other copy has.  A copy of `web` with the key
`eu` is called `web@eu`; its component label stays `web`, and the key is a label of its own.
"""

from __future__ import annotations

from appdelivery.model import marks, names, suggest
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed
from appdelivery.render import work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from appdelivery.model.application import Application, Component, Policy
    from appdelivery.model.problem import Path
    from appdelivery.render.work import Work

    T = TypeVar("T")
    Keys = dict[str, dict[str, Path]]  # component to its keys, with the place of each
    Names = Mapping[tuple[str, str], str]  # (kind, name) to the name that the object has now

TYPE = "replication"
# Their names mean something to the API server: a copy under another name would be another thing.
FIXED = frozenset(("CustomResourceDefinition", "APIService", "Namespace"))
# How objects name others: a map, or the maps of a list, under these fields has the name under `name`; a text is the name.
MAPS = {
    "configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap", "secret": "Secret",
    "secretRef": "Secret", "secretKeyRef": "Secret", "service": "Service",
}  # fmt: skip
LISTS = {"backendRefs": "Service", "imagePullSecrets": "Secret"}
TEXTS = {
    "secretName": "Secret", "claimName": "PersistentVolumeClaim", "serviceAccountName": "ServiceAccount",
    "serviceName": "Service", "resourceClaimTemplateName": "ResourceClaimTemplate",
}  # fmt: skip
CONTENT = frozenset(("apiVersion", "kind", "metadata", "data", "stringData", "binaryData", "status"))
LABELS = frozenset(("labels", "matchLabels", "annotations", "nodeSelector"))  # texts in them name nothing


# --- copies ---


def replicate(app: Application, policies: Iterable[Policy]) -> Application:
    """The application with the copies in the place of their components; policies of other types are passed over."""
    problems: list[Problem] = []
    keys = _keys(app, policies, problems)
    problems += _alike(app, keys)
    work.stop([work.at(app, problem) for problem in problems])
    if not keys:
        return app
    return changed(app, components=tuple([copy for one in app.components for copy in _copies(one, keys)]))


def _keys(app: Application, policies: Iterable[Policy], problems: list[Problem]) -> Keys:
    known = [component.name for component in app.components]
    keys: Keys = {}
    for policy in policies:
        if policy.type.partition("@")[0] != TYPE:
            continue
        inside, given = (*policy.path, "properties"), policy.properties.get("keys") or []
        for index, name in enumerate(policy.properties.get("selector") or ()):
            if name not in known:
                message = f"there is no component '{name}' to replicate{suggest.meant(name, known)}"
                path: Path = (*inside, "selector", index)
                problems.append(Problem(message, code="replication.selector", path=path, hint=suggest.listed(known)))
            for place, key in enumerate(given):
                keys.setdefault(name, {}).setdefault(key, (*inside, "keys", place))
        for index, key in enumerate(given):
            if key in given[:index]:
                problems.append(
                    Problem(f"key '{key}' is given twice", code="replication.key", path=(*inside, "keys", index))
                )
    return keys


def _alike(app: Application, keys: Keys) -> Iterator[Problem]:
    """Copies whose objects would have the names of another component's, or of another copy's."""
    taken = {component.name: f"component '{component.name}'" for component in app.components if component.name not in keys}
    for name, places in keys.items():
        for key, path in places.items():
            other = taken.setdefault(suffixed(name, key), f"copy '{key}' of component '{name}'")
            if other != f"copy '{key}' of component '{name}'":
                message = f"copy '{key}' of component '{name}' would be called {suffixed(name, key)}, as is {other}"
                yield Problem(message, code="replication.name", path=path, hint="give the key another name")


def _copies(component: Component, keys: Keys) -> Iterator[Component]:
    mine = keys.get(component.name)
    if mine is None:
        yield changed(component, depends_on=_waits_for(component.depends_on, "", keys))
        return
    for key in mine:
        waits = _waits_for(component.depends_on, key, keys)
        yield changed(component, name=f"{component.name}@{key}", replica_key=key, depends_on=waits)


def _waits_for(given: Sequence[str], key: str, keys: Keys) -> tuple[str, ...]:
    """A copy waits for the copy with its own key where there is one; anybody else waits for all copies."""
    out: list[str] = []
    for name in given:
        theirs = keys.get(name)
        if theirs is None:
            out.append(name)
        else:
            out += [f"{name}@{one}" for one in ([key] if key in theirs else theirs)]
    return tuple(out)


def suffixed(name: str, key: str) -> str:
    """web-eu; a name that was a label stays short enough for one."""
    whole = f"{name}-{key}"
    return whole if len(whole) <= 63 or len(name) > 63 else names.dnsname(whole)


# --- what a copy sees ---


def base(component: Component) -> str:
    """The name that a component has in the document."""
    return component.name.removesuffix(f"@{component.replica_key}") if component.replica_key else component.name


def label(component: Component) -> str:
    """A component's name as names of objects, revisions and hosts are made of it."""
    return suffixed(base(component), component.replica_key) if component.replica_key else component.name


def seen_from(component: Component, named: dict[str, T]) -> dict[str, T]:
    """What components or outputs mean to a component: to a copy, the copies with its own key under their plain names."""
    if not component.replica_key:
        return named
    ending = f"@{component.replica_key}"
    own = {name.removesuffix(ending): value for name, value in named.items() if name.endswith(ending)}
    return {**named, **own}


def labels(component: Component) -> dict[str, str]:
    """The labels by which a component's pods are found."""
    found = {marks.COMPONENT: base(component)}
    return {**found, marks.REPLICA_KEY: component.replica_key} if component.replica_key else found


# --- what becomes of its objects ---


def settle(of: Work) -> None:
    """Gives the objects of a copy names of its own where the definition does not, and its key to selectors and pods."""
    key = of.component.replica_key
    if not key or not of.objects:
        return
    by_key = {part.definition.name for part in of.parts[1:] if "replicaKey" in part.definition.reads}
    if "replicaKey" in of.parts[0].definition.reads:
        by_key.add("")
    own = base(of.component)
    for made in of.objects:
        body = made.body
        name, kind = body["metadata"]["name"], body["kind"]
        if (made.trait not in by_key or made.unnamed) and kind not in FIXED:
            of.renamed[kind, name] = suffixed(name, key)
            made.body = {**body, "metadata": {**body["metadata"], "name": suffixed(name, key)}}
    kind, name = of.objects[0].body["kind"], of.objects[0].body["metadata"]["name"]
    if name != own:
        of.renamed.setdefault((kind, own), name)  # a trait that ignores the key names its workload by the component
    for made in of.objects:
        made.body = _pointed(made.body, of.renamed, (own, key))


def join(works: Sequence[Work]) -> None:
    """Copies with one key belong together: what one of them names of another is found under its new name."""
    copies = [of for of in works if of.component.replica_key]
    for of in copies:
        others = [w for w in copies if w is not of and w.component.replica_key == of.component.replica_key]
        renamed = {place: name for other in others for place, name in other.renamed.items() if place not in of.renamed}
        if renamed:
            for made in of.objects:
                made.body = _pointed(made.body, renamed, ("", ""))


def _pointed(body: dict[str, Any], renamed: Names, mark: tuple[str, str]) -> dict[str, Any]:
    """A copy of an object that names others as they are called now.  mark: (component, key) to join in label maps."""
    return {key: value if key in CONTENT else _field(key, value, renamed, mark) for key, value in body.items()}


def _field(field: str, value: Any, renamed: Names, mark: tuple[str, str]) -> Any:
    """The value of a field of any map in an object."""
    if type(value) is dict:
        return _map(value, MAPS.get(field, ""), {} if field in LABELS else renamed, mark)
    if type(value) is list:
        kind = LISTS.get(field, "")
        return [_map(item, kind, renamed, mark) if type(item) is dict else item for item in value]
    return renamed.get((TEXTS.get(field, ""), value), value) if type(value) is str else value


def _map(node: dict[str, Any], kind: str, renamed: Names, mark: tuple[str, str]) -> dict[str, Any]:
    """kind: of what its `name` means where it does not say."""
    out = {key: _field(key, value, renamed, mark) for key, value in node.items()}
    name, said = node.get("name"), node.get("kind") or kind
    if type(name) is str and type(said) is str and (said, name) in renamed:
        out["name"] = renamed[said, name]
    if mark[0] and node.get(marks.COMPONENT) == mark[0]:
        out[marks.REPLICA_KEY] = mark[1]
    return out
