"""Policies as an Application writes them: the parameters of every type of oam.md section 4, and which act already.

Called by `reading`.  A type that this version does not carry out is checked like any other and then refused with a
sentence that says so: a policy that is silently ignored is worse than none.
"""

from __future__ import annotations

from appdelivery.model import marks, suggest
from appdelivery.model import reading_fields as shape
from appdelivery.model.application import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.model.problem import Path
    from appdelivery.model.reading_fields import Check

# What delivery and deploy steps carry out.
CARRIED_OUT = (
    "apply-once", "conflict", "debug", "drift", "garbage-collect", "health", "labels", "override", "read-only",
    "replication", "resource-update", "shared-resource", "take-over", "topology",
)  # fmt: skip
ONCE = ("window", "drift", "conflict", "rollback", "garbage-collect", "apply-once")
DIVIDING = ("replicas", "rollout")  # several only when they concern different components

# Labels by which objects are found; a policy that changed them would lose its own objects.
ENGINES = frozenset(
    (
        marks.NAME, marks.NAMESPACE, marks.COMPONENT, marks.APP_REVISION, marks.RESOURCE_TYPE, marks.REPLICA_KEY,
        "workload.oam.dev/type", "trait.oam.dev/type", "trait.oam.dev/resource",
    )
)  # fmt: skip

texts = shape.list_of(shape.text)
labels = shape.map_of(shape.any_text)
tree = shape.map_of(shape.anything)
_selection = shape.fields(
    {
        "componentNames": texts,
        "componentTypes": texts,
        "oamTypes": shape.list_of(shape.choice("WORKLOAD", "TRAIT")),
        "traitTypes": texts,
        "resourceTypes": texts,
        "resourceNames": texts,
    },
    drop=True,
)


def selector(reader: shape.Reader, path: Path, value: Any) -> None:
    """Which rendered objects a rule concerns; an empty one would select nothing, silently."""
    if reader.holds(_selection, path, value) and not any(value.values()):
        message = "an empty selector selects nothing"
        hint = "name components, types or kinds: componentNames, componentTypes, oamTypes, traitTypes, resourceTypes, resourceNames"
        reader.soften(path, message, hint, code="application.selector")


def field_path(reader: shape.Reader, path: Path, value: Any) -> None:
    """A field of an object: /spec/replicas, or .spec.replicas as the API server writes it."""
    if reader.holds(shape.text, path, value) and not value.startswith(("/", ".", "**")):
        reader.refuse(
            path, f"'{value[:80]}' is not a path of a field", "for example /spec/template/spec/containers/*/resources"
        )


def component_pattern(reader: shape.Reader, path: Path, value: Any) -> None:
    """The name of a component, or one with * in it."""
    (shape.text if isinstance(value, str) and "*" in value else shape.component_name)(reader, path, value)


def kubevela_path(reader: shape.Reader, path: Path, value: Any) -> None:
    """A field of an object as KubeVela writes it: spec.replicas, spec.containers[0].image or *; or as field_path."""
    if not reader.holds(shape.text, path, value) or value == "*" or value.startswith(("/", "**")):
        return
    from appdelivery.model import fieldpath

    try:
        fieldpath.parse(value if value.startswith(".") else f".{value}")
    except ValueError:
        reader.refuse(path, f"'{value[:80]}' is not a path of a field", "for example spec.replicas, or * for all")


def _free_labels(reader: shape.Reader, path: Path, value: Any) -> None:
    """Labels that are not the engine's own."""
    if not reader.holds(labels, path, value):
        return
    for key in value:
        if key in ENGINES or key.startswith("appdelivery.dev/"):
            reader.refuse((*path, key), f"the label {key} is the engine's and cannot be set", at_key=True)


def _shape(required: tuple[str, ...] = (), /, **known: Check) -> Check:
    return shape.fields(known, required=required, drop=True)


def _rules(required: tuple[str, ...] = ("selector",), least: int = 0, /, **known: Check) -> Check:
    return shape.list_of(_shape(required, selector=selector, **known), least=least, noun="rule")


def _on_trigger(reader: shape.Reader, path: Path, value: Any) -> None:
    events = {
        "cron": _shape(("schedule",), schedule=shape.text, timezone=shape.text),
        "webhook": _shape(("name",), name=shape.text, secretRef=shape.text),
        "object": _shape(
            ("apiVersion", "kind", "name"),
            apiVersion=shape.text,
            kind=shape.text,
            name=shape.text,
            namespace=shape.text,
            change=shape.text,
        ),
        "application": _shape(("name",), name=shape.text, namespace=shape.text, state=shape.text),
    }
    if reader.holds(shape.fields(events), path, value) and len(value) != 1:
        reader.refuse(path, f"expected one of {', '.join(events)}")


expressions_on_objects = {
    "healthy": shape.expression,
    "failed": shape.expression,
    "suspended": shape.expression,
    "message": shape.expression,
}
_clusters = {
    "clusters": texts,
    "clusterLabelSelector": labels,
    "clusterSelector": labels,
    "allowEmpty": shape.flag,
    "namespace": shape.label,
}
_wave_clusters = shape.either(_shape(names=texts, labels=labels, all=shape.flag), texts, first=dict)
_override_trait = _shape(("type",), type=shape.definition_type, name=shape.text, properties=tree, disable=shape.flag)
_override_component = _shape(
    name=component_pattern,
    type=shape.definition_type,
    properties=tree,
    traits=shape.list_of(_override_trait),
    optional=shape.flag,
)
_chosen = _shape(name=shape.text, labels=labels)
_by_name = shape.fields(
    {"name": shape.label}, refused={"labels": "namespaces are chosen by name; one that does not exist is not created"}
)
_environment = _shape(
    ("name",),
    name=shape.label,
    placement=_shape(clusterSelector=_chosen, namespaceSelector=_by_name),
    selector=_shape(components=texts),
    patch=_shape(components=shape.list_of(_override_component)),
)
_window = _shape(
    ("kind", "schedule", "duration"),
    kind=shape.choice("allow", "deny"),
    schedule=shape.text,
    duration=shape.time,
    timezone=shape.text,
    applies=shape.list_of(shape.choice("release", "drift", "scale")),
)
_wave = _shape(
    ("name", "clusters"),
    name=shape.text,
    clusters=_wave_clusters,
    maxConcurrency=shape.share,
    soak=shape.time,
    approval=shape.either(shape.flag, tree, first=bool),
    mandatory=shape.flag,
)

SHAPES: Mapping[str, Check] = {
    "topology": _shape(**_clusters),
    "override": _shape(components=shape.list_of(_override_component), selector=texts),
    "replication": _shape(
        ("keys", "selector"),
        keys=shape.list_of(shape.label, least=1, noun="key"),
        selector=shape.list_of(shape.text, least=1, noun="component"),
    ),
    "garbage-collect": _shape(
        applicationRevisionLimit=shape.whole(),
        keepLegacyResource=shape.flag,
        continueOnFailure=shape.flag,
        order=shape.choice("dependency"),
        rules=_rules(
            strategy=shape.choice("onAppUpdate", "onAppDelete", "never"), propagation=shape.choice("orphan", "cascading")
        ),
    ),
    "apply-once": _shape(
        enable=shape.flag,
        rules=_rules(
            ("strategy",),
            strategy=_shape(affect=shape.choice("onUpdate", "onStateKeep", "always", ""), path=shape.list_of(kubevela_path)),
        ),
    ),
    "read-only": _shape(("rules",), rules=_rules(("selector",), 1)),
    "take-over": _shape(("rules",), rules=_rules(("selector",), 1)),
    "shared-resource": _shape(("rules",), rules=_rules(("selector",), 1)),
    "resource-update": _shape(
        ("rules",),
        rules=_rules(
            ("selector", "strategy"),
            1,
            strategy=_shape(op=shape.choice("patch", "replace"), recreateFields=shape.list_of(kubevela_path)),
        ),
    ),
    "env-binding": _shape(("envs",), envs=shape.list_of(_environment, least=1, noun="environment"), created=shape.flag),
    "debug": tree,
    "placement": _shape(
        **_clusters,
        mode=shape.choice("spread", "binpack", "cheapest", "nearest", "duplicate", "weighted"),
        minClusters=shape.whole(1),
        maxClusters=shape.whole(1),
        spread=shape.list_of(_shape(("key",), key=shape.text, maxSkew=shape.whole(1))),
        regions=_shape(allowed=texts, preferred=texts),
        tolerations=shape.list_of(shape.map_of(shape.scalar)),
        gpu=_shape(models=texts, minMemory=shape.text, avoidScarce=shape.flag),
        collocateWith=texts,
        exclusive=shape.flag,
        weights=shape.map_of(shape.number),
        overflow=texts,
        priority=shape.scalar,
        sticky=shape.either(shape.flag, shape.choice("hard"), first=bool),
        datasets=texts,
        headroom=shape.scalar,
        failover=shape.flag,
        rebalance=shape.flag,
        onReturn=shape.choice("prune", "keep"),
        components=texts,
    ),
    "replicas": _shape(
        total=shape.whole(),
        split=shape.either(
            _shape(weights=shape.map_of(shape.number), byCapacity=shape.flag), shape.choice("byCapacity"), first=dict
        ),
        minPerCluster=shape.whole(),
        overflow=texts,
        components=texts,
    ),
    "rollout": _shape(
        ("waves",),
        waves=shape.list_of(_wave, least=1, noun="wave"),
        maxFailures=shape.share,
        progressDeadline=shape.time,
        onFailure=shape.choice("halt", "rollbackCluster", "rollbackAll"),
        pool=shape.flag,
        components=texts,
    ),
    "window": _shape(
        ("windows",), windows=shape.list_of(_window, least=1, noun="window"), overrun=shape.choice("finish", "suspend")
    ),
    "health": _shape(
        deadline=shape.time,
        noActivity=shape.time,
        errorBudget=shape.whole(),
        rules=_rules(wait=shape.choice("required", "optional", "none"), **expressions_on_objects),
    ),
    "drift": _shape(
        mode=shape.choice("off", "observe", "heal"),
        rules=_rules(("mode",), paths=shape.list_of(field_path), mode=shape.choice("off", "observe", "heal")),
    ),
    "conflict": _shape(
        ("rules",),
        rules=_rules(("do",), 1, paths=shape.list_of(field_path), managers=texts, do=shape.choice("yield", "force", "fail")),
    ),
    "analysis": _shape(
        args=shape.list_of(_shape(("name",), name=shape.text, value=shape.scalar)),
        provider=tree,
        query=shape.expression,
        compare=tree,
        interval=shape.time,
        initialDelay=shape.time,
        window=shape.time,
        settle=shape.time,
        count=shape.whole(1),
        successCondition=shape.expression,
        failureCondition=shape.expression,
        failureLimit=shape.whole(-1),
        inconclusiveLimit=shape.whole(),
        consecutiveErrorLimit=shape.whole(),
        consecutiveSuccessLimit=shape.whole(),
        maxExtensions=shape.whole(),
        noData=shape.choice("hold", "pass", "fail"),
        minRequests=shape.whole(),
        requests=shape.expression,
        dryRun=shape.flag,
        onFail=shape.choice("abort", "pause"),
    ),
    "labels": _shape(labels=_free_labels, annotations=labels, selector=selector),
    "rollback": _shape(
        on=shape.list_of(shape.choice("healthFailed", "analysisFailed", "deadline")), to=shape.text, limit=shape.whole()
    ),
    "trigger": _shape(
        ("on",),
        on=shape.list_of(_on_trigger, least=1, noun="event"),
        do=shape.either(_shape(run=tree), shape.choice("restart-workflow"), first=dict),
        overlap=shape.choice("skip", "queue", "replace"),
        missed=shape.choice("last", "none", "all"),
        debounce=shape.time,
    ),
}
ALIASES = {"envbinding": "env-binding"}


def read(reader: shape.Reader, path: Path, name: str, type_: str, properties: dict[str, Any]) -> Policy | None:
    """One policy; None when its type is unknown or its parameters are wrong."""
    kind = type_.partition("@")[0]
    kind = ALIASES.get(kind, kind)
    parameters = SHAPES.get(kind)
    if parameters is None:
        message = f"unknown policy type '{kind}'{suggest.meant(kind, SHAPES)}"
        reader.refuse((*path, "type"), message, suggest.listed(SHAPES), code="application.policy")
        return None
    if not reader.holds(parameters, (*path, "properties"), properties):
        return None
    _together(reader, path, kind, properties)
    return Policy(name, type_, _kept(properties, (*path, "properties"), reader.left_out), path)


def _together(reader: shape.Reader, path: Path, kind: str, properties: dict[str, Any]) -> None:
    """Parameters that exclude or need each other."""
    inside = (*path, "properties")
    if kind in ("topology", "placement"):
        given = [name for name in ("clusters", "clusterLabelSelector", "clusterSelector") if properties.get(name)]
        if len(given) > 1:
            reader.refuse((*inside, given[1]), f"give {given[0]} or {given[1]}, not both", at_key=True)
    if kind == "env-binding":
        hint = "write one topology and one override policy for each env, and deploy steps that name them"
        reader.warn((*path, "type"), "env-binding is deprecated", hint, code="application.deprecated")
    if kind == "analysis" and bool(properties.get("query")) == bool(properties.get("compare")):
        reader.refuse(inside, "give one of query and compare")


def _kept(value: Any, path: Path, left_out: list[Path]) -> Any:
    """A copy without what lenient reading dropped and without fields that have no value.  The properties of a component or
    trait stay as written: there a null is a word, and removes something."""
    if isinstance(value, dict):
        return {
            name: item if name == "properties" else _kept(item, (*path, name), left_out)
            for name, item in value.items()
            if item is not None and (*path, name) not in left_out
        }
    if isinstance(value, list):
        return [_kept(item, (*path, index), left_out) for index, item in enumerate(value)]
    return value


def refuse_unknown_effects(reader: shape.Reader, policy: Policy) -> None:
    """Says which policies this version does not carry out."""
    kind = policy.type.partition("@")[0]
    kind = ALIASES.get(kind, kind)
    if kind not in CARRIED_OUT:
        message = f"policy type '{kind}' is not carried out yet by this version"
        hint = f"remove the policy; carried out are {', '.join(CARRIED_OUT)}"
        reader.refuse((*policy.path, "type"), message, hint, code="application.not-yet")
    if kind == "drift":
        _refuse_healing(reader, policy)


def _refuse_healing(reader: shape.Reader, policy: Policy) -> None:
    inside = (*policy.path, "properties")
    hint = "write mode: observe, or mode: off"
    if "mode" not in policy.properties:
        message = "drift mode 'heal', the default, is not carried out yet by this version"
        reader.refuse(inside, message, hint, code="application.not-yet")
    places = [((*inside, "mode"), policy.properties.get("mode"))]
    rules = policy.properties.get("rules", [])
    places += [((*inside, "rules", index, "mode"), rule["mode"]) for index, rule in enumerate(rules)]
    for path, mode in places:
        if mode == "heal":
            message = "drift mode 'heal' is not carried out yet by this version"
            reader.refuse(path, message, hint, code="application.not-yet")


def once_each(reader: shape.Reader, policies: list[Policy]) -> None:
    """One steering policy of a type; several dividing ones only over different components."""
    first: dict[str, Policy] = {}
    for policy in policies:
        kind = policy.type.partition("@")[0]
        earlier = first.setdefault(kind, policy)
        if earlier is policy:
            continue
        if kind in ONCE:
            message = f"'{earlier.name}' is a {kind} policy already; an application has at most one"
            reader.refuse((*policy.path, "type"), message, "put the rules of both into one", code="application.policy")
        elif kind in DIVIDING and not _apart(earlier, policy):
            message = f"'{earlier.name}' and '{policy.name}' are both {kind} policies of the same components"
            reader.refuse((*policy.path, "type"), message, "list different components in each", code="application.policy")


def _apart(one: Policy, two: Policy) -> bool:
    both = [set(policy.properties.get("components", ())) for policy in (one, two)]
    return bool(both[0] and both[1]) and not both[0] & both[1]
