"""What is to happen to every object: the table of delivery.md section 4.  Pure; called by platform and by release.

`plan` never raises for the state of a cluster: what must not happen becomes a `skip` with its reason, what is not known an
`unknown`.  `blocked` says whether something that is wanted cannot be had, before anything is applied.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import conflict, crds, graph, guards, paths, policies, references, replace, sharing
from appdelivery.delivery.consent import Consent
from appdelivery.delivery.policies import Policies
from appdelivery.model import fieldpath, marks
from appdelivery.model.change import Base, Change, Plan, Subject, Why
from appdelivery.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.ports import Identity, Installation
    from appdelivery.model.history import Managed
    from appdelivery.model.live import LiveFact
    from appdelivery.model.refs import AppKey

TOOLS = {
    "helm": "Helm",
    "vela-core": "KubeVela",
    "argocd": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan is made in, beside the objects themselves."""

    installation: Installation
    release: int  # newest release number, 0 = none
    request: str = "apply"  # or delete
    depends_on: Mapping[str, Sequence[str]] = field(default_factory=dict)  # component to components
    trusted: bool = True  # every component rendered, the source neither failed nor came back empty (G2)
    warnings: tuple[str, ...] = ()


def plan(
    app: AppKey,
    desired: Sequence[Desired],
    inventory: Sequence[Managed],
    known: Known,
    *,
    situation: Situation,
    given: Policies = Policies(),  # noqa: B008 - frozen
    consent: Consent = Consent(),  # noqa: B008 - frozen
) -> Plan:
    table = _Table(
        app, {i.identity: i for i in desired}, {r.identity: r for r in inventory}, known, situation, given, consent
    )
    changes = [table.wanted(item) for item in desired]
    going = [change for row in inventory if (change := table.unwanted(row)) is not None]
    changes += guards.within_budget(going, inventory, consent=consent, request=situation.request)
    live = [i for i in desired if known.error(i.identity) is None]
    gone = {
        c.subject.identity: (c.subject.component, known.bodies.get(c.subject.identity))
        for c in changes
        if c.action == "delete"
    }
    _explicit_exist(live, table)
    edges, warnings = graph.build(live, gone, situation.depends_on)
    return Plan(
        app,
        tuple(changes),
        edges,
        _base(changes, known, situation.release),
        (*situation.warnings, *policies.unmatched(given, desired), *_absent(known), *warnings),
    )


def blocked(made: Plan) -> errors.Refused | None:
    """The error of a plan in which a wanted object cannot be had; every reason at once, and nothing is half applied."""
    problems = [
        Problem(
            c.why.text
            if str(c.subject.ref) in c.why.text
            else f"{c.subject.ref} on cluster {c.subject.cluster}: {c.why.text}",
            code=c.why.code,
            hint=c.why.detail.get("hint", ""),
        )
        for c in made.changes
        if c.after and (c.why.detail.get("blocks") or c.why.code in ("forbidden", "kind-not-served"))
    ]
    if not problems:
        return None
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    code = f"delivery.{problems[0].code}"
    return errors.Refused(
        f"deliver {made.app}: {problems[0].message}{more}", code=code, hint=problems[0].hint, problems=problems
    )


def autoscaled(
    desired: Iterable[Desired], known: Known, going: frozenset[Identity] = frozenset()
) -> dict[tuple[str, str, str, str], Identity]:
    """Workloads (cluster, namespace, kind, name) whose replicas an autoscaler owns, ours or found live, and which one."""
    found: dict[tuple[str, str, str, str], Identity] = {}
    for identity, fact in known.facts.items():
        if fact.scales and identity not in going and not fact.deleting:
            found[identity[0], fact.ref.namespace, *fact.scales] = identity
    for item in desired:
        if target := references.scale_target(item.body):
            found[item.subject.cluster, item.subject.ref.namespace, *target] = item.identity
    return found


def targeted(scaled: Mapping[tuple[str, str, str, str], Identity], subject: Subject) -> Identity | None:
    return scaled.get((subject.cluster, subject.ref.namespace, subject.ref.kind, subject.ref.name))


def unchanged(item: Desired, row: Managed, fact: LiveFact) -> bool:
    """Our fields are as we left them, and what is wanted is what we left (delivery.md section 3)."""
    return row.desired_digest == item.digest and untouched(row, fact)


def untouched(row: Managed, fact: LiveFact) -> bool:
    if not row.applied_digest or not fact.entry_version:
        return False
    if fact.version == row.resource_version or fact.own_digest == row.applied_digest:
        return True
    return bool(fact.generation) and (fact.tree_digest, fact.generation) == (row.tree_digest, row.generation)


def retaken(item: Desired, row: Managed) -> tuple[str, ...]:
    """Yielded fields that return to their author: he has written another value since, or their autoscaler is gone."""
    out = []
    for path, manager, value in row.yielded:
        now = fieldpath.get(item.body, fieldpath.parse(path))
        if now is None:
            continue
        if manager == conflict.AUTOSCALER or (value and json.dumps(now, sort_keys=True) != value):
            out.append(path)
    return tuple(out)


@dataclass(slots=True)
class _Table:
    app: AppKey
    desired: Mapping[Identity, Desired]
    rows: Mapping[Identity, Managed]
    known: Known
    situation: Situation
    policies: Policies
    consent: Consent
    _elsewhere: frozenset[tuple[str, str, str, str]] | None = None
    _scaled: dict[tuple[str, str, str, str], Identity] | None = None

    def wanted(self, item: Desired) -> Change:
        identity = item.identity
        if (error := self.known.error(identity)) is not None:
            if isinstance(error, errors.NotServed) and self._brings_kind(item):
                return _change(item, "create", "new", "")
            return _change(item, "unknown", _unknown(error), str(error), hint=getattr(error, "hint", ""))
        row, fact = self.rows.get(identity), self.known.facts.get(identity)
        if item.mode == "read-only":
            text = "read only: it is observed, never written"
            missing = {"blocks": True, "hint": "create it, or take it out of the policy read-only"} if fact is None else {}
            return _change(item, "skip", "read-only", f"{text}, and it does not exist" if missing else text, fact, **missing)
        if fact is None:
            return self._absent(item, row)
        if fact.deleting:
            return _change(item, "create", "missing", "it is being deleted; created again when it is gone", fact)
        ours = row is not None and row.uid == fact.uid != "" and row.mode != "read-only"
        if row is None or not ours or self._taken(item, fact):
            return self._present(item, row, fact)
        return self._managed(item, row, fact)

    def _absent(self, item: Desired, row: Managed | None) -> Change:
        ref = item.subject.ref
        nowhere = (item.subject.cluster, ref.namespace) in self.known.no_namespace and not self._makes_namespace(item)
        if nowhere and not self.consent.create_namespace:
            hint = (
                f"create it, or let it be created: --create-namespace; or add a Namespace {ref.namespace} to the application"
            )
            return _change(
                item, "skip", "needs-consent", f"namespace {ref.namespace} does not exist", blocks=True, hint=hint
            )
        if row is not None and row.uid:
            return _change(item, "create", "missing", "it was there and is gone")
        return _change(item, "create", "new", "")

    def _taken(self, item: Desired, fact: LiveFact) -> bool:
        """Whether another application, or another installation, has put its mark on what was ours."""
        if not marks.is_self(fact.owner, item.subject.ref):
            return False
        return marks.owner_app(fact.owner) != (self.situation.installation.label, self.app)

    def _present(self, item: Desired, row: Managed | None, fact: LiveFact) -> Change:
        ref = item.subject.ref
        mark = marks.owner_app(fact.owner) if marks.is_self(fact.owner, ref) else None
        if mark == (self.situation.installation.label, self.app):
            text = (
                "it carries our mark"
                if row is None
                else "it was created again"
                if row.uid
                else "going on where a run stopped"
            )
            return _change(item, "update", "adopted", text, fact)
        if mark is not None and mark[0] == self.situation.installation.label and item.shared:
            return self._shared(item, fact, mark[1])
        if mark is not None and mark[0] == self.situation.installation.label:
            hint = "remove it from one of the two applications, or let them share it: policy shared-resource in both"
            return _change(item, "skip", "not-ours", f"it belongs to application {mark[1]}", fact, blocks=True, hint=hint)
        if item.take_over or self.consent.take_ownership:
            return _change(item, "update", "adopted", f"taken over from {_maker(fact)}", fact, take_over=True)
        hint = (
            "to take it over as it is: --take-ownership, or the policy "
            f"{{type: take-over, properties: {{rules: [{{selector: {{resourceTypes: [{ref.kind}], resourceNames: [{ref.name}]}}}}]}}}}"
        )
        whose = f"application {mark[1]} of installation {mark[0]}" if mark else _maker(fact)
        text = f"it exists and belongs to {whose}"
        return _change(item, "skip", "not-ours", text, fact, blocks=True, hint=hint, uid=fact.uid)

    def _shared(self, item: Desired, fact: LiveFact, writer: AppKey) -> Change:
        """Another application writes it; it has to know that this one needs it too."""
        text = f"application {writer} writes it; it is shared"
        if self.app in sharing.sharers(self.known.bodies.get(item.identity)):
            return _change(item, "skip", "shared-not-owner", text, fact)
        return _change(item, "update", "shared-not-owner", f"{text}, which is noted on it", fact)

    def _managed(self, item: Desired, row: Managed, fact: LiveFact) -> Change:
        if paths.whole(item.once):
            text = "policy apply-once: it is not sent again after its creation"
            return _change(item, "skip", "ignored-path", text, fact)
        served = self.known.clusters.get(item.subject.cluster)
        moved = fact.entry_version and served is not None and not _serves(served.served, item, fact.entry_version)
        again = retaken(item, row) if row.yielded and not self._is_scaled(item.subject) else ()
        if unchanged(item, row, fact) and not moved and not again:
            return _change(item, "unchanged", "digest-equal", "", fact)
        if row.desired_digest != item.digest and (change := self._beyond_update(item, fact)) is not None:
            return change
        if again:
            return _change(item, "update", "field-retaken", f"{', '.join(again)} has a new value", fact, paths=list(again))
        if row.desired_digest != item.digest:
            return _change(item, "update", "desired-changed", "", fact)
        if moved:
            return _change(item, "update", "version-moved", f"{fact.entry_version} is no longer served", fact)
        if not fact.entry_version:
            return _change(item, "update", "ownership-repaired", "somebody removed who owns what", fact)
        if not fact.owns_replicas and any(path == ".spec.replicas" for path, _, _ in row.yielded):
            return _change(item, "update", "ownership-repaired", "the autoscaler has taken over replicas", fact)
        return _change(item, "update", "drifted", f"changed by {_owner(fact)}", fact)

    def _beyond_update(self, item: Desired, fact: LiveFact) -> Change | None:
        body, former = self.known.bodies.get(item.identity), self.known.former.get(item.identity)
        if body is None and former is None:
            return None
        if body is not None and item.subject.ref.kind == "CustomResourceDefinition" and (harm := crds.harm(body, item.body)):
            if not self.consent.by_name(item.subject):
                count = self.known.instances.get(item.identity, 0)
                text = f"{'; '.join(harm[:5])}; {count} live objects"
                hint = f"if that is meant: --delete {item.subject.ref.kind}/{item.subject.ref.name}"
                return _change(item, "skip", "needs-consent", text, fact, blocks=True, hint=hint)
            return None
        rule = replace.rule(item, consent=self.consent)
        asked = replace.recreated_fields(item, body or former or {})
        if asked and (rule.allowed or item.subject.ref.kind not in replace.BY_NAME):
            return _change(item, "replace", "recreate-field", replace.asked_for(asked), fact, fields=list(asked))
        fields = {**replace.changed_fields(item.body, body or former or {}, whole=body is not None), **asked}
        if not fields:
            return None
        text, detail = replace.explained(fields), {"fields": list(fields)}
        if rule.allowed:
            return _change(item, "replace", "immutable-field", text, fact, **detail)
        return _change(item, "skip", "needs-consent", text, fact, blocks=True, hint=rule.hint, **detail)

    def unwanted(self, row: Managed) -> Change | None:
        """None: the row is closed without a change."""
        if row.identity in self.desired:
            return None
        subject = Subject(row.cluster, row.ref, row.component)
        if (error := self.known.error(row.identity)) is not None:
            if isinstance(error, errors.NotServed):
                return None  # the kind is gone, and with it every object of it
            return Change(subject, "unknown", Why(_unknown(error), str(error), {"delete": True}))
        fact = self.known.facts.get(row.identity)
        if fact is None or guards.released(row, fact, self.situation.installation, self.app):
            return None
        code = self._why_gone(row)
        refusal = guards.refusal(
            row, fact, self.known.bodies.get(row.identity), subject=subject, consent=self.consent, given=self.policies,
            request=self.situation.request, trusted=self.situation.trusted,
        )  # fmt: skip
        if refusal is not None:
            return Change(subject, "skip", refusal, fact.own_digest)
        return Change(subject, "delete", Why(code, "", {"uid": fact.uid}), fact.own_digest)

    def _why_gone(self, row: Managed) -> str:
        if self.situation.request == "delete":
            return "app-deleted"
        if self._elsewhere is None:
            self._elsewhere = frozenset([identity[1] for identity in self.desired])
        return "placement-removed" if row.identity[1] in self._elsewhere else "not-desired"

    def _is_scaled(self, subject: Subject) -> bool:
        if self._scaled is None:
            going = frozenset(identity for identity in self.rows if identity not in self.desired)
            self._scaled = autoscaled(self.desired.values(), self.known, going)
        return targeted(self._scaled, subject) is not None

    def _makes_namespace(self, item: Desired) -> bool:
        return (item.subject.cluster, ("", "Namespace", "", item.subject.ref.namespace)) in self.desired

    def _brings_kind(self, item: Desired) -> bool:
        kind = item.subject.ref.group, item.subject.ref.kind
        return any(graph.defines(other.body) == kind for other in self.desired.values())


def _explicit_exist(desired: Iterable[Desired], table: _Table) -> None:
    problems = []
    for item in desired:
        for other, _, _ in graph.explicit(item):
            if other not in table.desired and other not in table.known.facts and table.known.error(other) is None:
                text = f"{item.origin}: {item.subject.ref} waits for {graph.show(other)}, which nobody creates"
                problems.append(
                    Problem(text, code="delivery.waits-for-nothing", hint=f"see its annotation {graph.DEPENDS_ON}")
                )
    if problems:
        raise errors.SpecError(problems)


def _absent(known: Known) -> list[str]:
    return [
        f"{graph.show(identity)} names {other}, which neither the application nor the cluster has"
        for identity, other in known.absent
    ]


def _base(changes: Iterable[Change], known: Known, release: int) -> Base:
    """Only what is to be written: what is left alone may move."""
    objects = []
    for change in changes:
        if change.action in ("create", "update", "replace", "delete"):
            fact = known.facts.get(change.subject.identity)
            objects.append((*change.subject.identity, fact.uid if fact else "", fact.own_digest if fact else "absent"))
    return Base(release, tuple(sorted(objects)))


def _change(item: Desired, action: str, code: str, text: str, fact: LiveFact | None = None, **detail: Any) -> Change:
    before = fact.own_digest if fact else ""
    return Change(item.subject, action, Why(code, text, detail), before, item.digest)


def _serves(served: Mapping[Any, Any], item: Desired, api_version: str) -> bool:
    group, _, version = api_version.rpartition("/")
    return any((k.group, k.version, k.kind) == (group, version, item.subject.ref.kind) for k in served)


def _maker(fact: LiveFact) -> str:
    return f'the Helm release "{fact.helm}"' if fact.helm else _owner(fact)


def _owner(fact: LiveFact) -> str:
    others = [name for name in fact.managers if not name.startswith(marks.MANAGER)]
    for name in reversed(others):
        for prefix, tool in TOOLS.items():
            if name.startswith(prefix):
                return f"{tool} (manager {name})"
    return others[-1] if others else "somebody"


def _unknown(error: Exception) -> str:
    if isinstance(error, errors.Forbidden):
        return "forbidden"
    return "kind-not-served" if isinstance(error, errors.NotServed) else "unreachable"
