"""Which sections each kind of definition has, and which names each section sees: the tables of language.md 2.1 and 6.1.

Handed to the definition compiler, which knows no kinds.
"""

from __future__ import annotations

from appdelivery.language.module import Layout, Section

COMPONENT, TRAIT = "ComponentDefinition", "TraitDefinition"
POLICY, STEP = "PolicyDefinition", "WorkflowStepDefinition"
KINDS = (COMPONENT, TRAIT, POLICY, STEP)

EVERYWHERE = frozenset(
    (
        "name", "appName", "namespace", "appRevision", "appRevisionNum", "appLabels", "appAnnotations", "replicaKey",
        "workflowName", "publishVersion", "cluster", "clusterVersion", "placement",
    )
)  # fmt: skip
OF_COMPONENT = EVERYWHERE | {"componentType", "revision", "selector", "labels", "traits", "owned"}
OF_TRAIT = OF_COMPONENT | {"output", "outputs"}
OF_POLICY = EVERYWHERE | {"output", "outputs"}
OF_STEP = EVERYWHERE | {"stepName", "stepGroupName", "stepSessionID", "spanID", "*"}
LIVE = ("output", "outputs")


def _common(context: frozenset[str]) -> dict[str, Section]:
    return {
        "include": Section("include"),
        "types": Section("types"),
        "parameters": Section("schema"),
        "let": Section("let"),
        "checks": Section("checks", context=context),
    }


def _patches(context: frozenset[str]) -> dict[str, Section]:
    return {
        "patch": Section("patch", context=context),
        "patches": Section("patches", context=context),
        "patchOutputs": Section("map", context=context),
    }


def _judging(context: frozenset[str]) -> dict[str, Section]:
    """Live sections of components and traits: what was rendered, and what the cluster made of it."""
    return {
        "placement": Section("tree", context=context),
        "health": Section("health", "live", LIVE, context),
        "status": Section("text", "live", LIVE, context),
        "details": Section("texts", "live", LIVE, context),
    }


def _action(context: frozenset[str]) -> dict[str, Section]:
    return {"use": Section(), "with": Section("tree", context=context)}


LAYOUTS = {
    COMPONENT: Layout(
        _common(OF_COMPONENT) | {"outputs": Section("map", context=OF_COMPONENT)} | _judging(OF_COMPONENT),
        required=(("outputs",),),
    ),
    TRAIT: Layout(
        _common(OF_TRAIT)
        | {"outputs": Section("map", context=OF_TRAIT), "appliesTo": Section(), "owns": Section(), "stage": Section()}
        | _patches(OF_TRAIT)
        | _action(OF_TRAIT)
        | _judging(OF_TRAIT),
        required=(("outputs", "patch", "patches", "patchOutputs", "use"),),
    ),
    POLICY: Layout(
        _common(OF_POLICY)
        | {"outputs": Section("map", context=OF_POLICY), "selector": Section("tree", context=OF_POLICY)}
        | _patches(OF_POLICY)
        | _action(OF_POLICY),
        required=(("outputs", "patch", "patches", "patchOutputs", "use"),),
    ),
    STEP: Layout(
        _common(OF_STEP) | _action(OF_STEP) | {"outputs": Section("map", "live", ("result",), OF_STEP)},
        required=(("use",),),
    ),
}
