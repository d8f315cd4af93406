"""Who may do what: bearer tokens name identities, identities carry allow and deny rules, deny wins.

Roles and bindings are objects like any other and are not evaluated: the rules of a sandbox are set by whoever starts it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from appdelivery.sandbox import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from appdelivery.sandbox.http.requests import Request

ANY = "*"
EVERY = (ANY,)
ANONYMOUS = "system:anonymous"
SERVICE_ACCOUNT = "system:serviceaccount:"
PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
DISCOVERY = ("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/")  # fmt: skip
OF_ONESELF = (
    ("authorization.k8s.io", ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
    ("authentication.k8s.io", ("selfsubjectreviews",)),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """kinds: plurals as in a Role's `resources`: pods, pods/log, */scale.  Empty namespaces or names = any.

    urls: paths that are no resource, with * at the end; such a rule has no groups and kinds.
    """

    verbs: tuple[str, ...] = EVERY
    groups: tuple[str, ...] = EVERY
    kinds: tuple[str, ...] = EVERY
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    user: str
    groups: tuple[str, ...] = ("system:authenticated",)
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody wants to do.  url: of what is no resource."""

    verb: str
    group: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    url: str = ""


ALL = (Rule(), Rule(urls=EVERY))
NOBODY = Identity(ANONYMOUS, ("system:unauthenticated",))
OWN = (
    *[Rule(verbs=("create",), groups=(group,), kinds=kinds) for group, kinds in OF_ONESELF],
    Rule(verbs=("get",), urls=DISCOVERY),
    Rule(verbs=("get",), urls=PUBLIC),
)


def administrator(user: str = "admin") -> Identity:
    return Identity(user, ("system:masters", "system:authenticated"), allow=ALL)


class Access:
    """tokens: to identities.  users: what somebody may do whom others impersonate.  anonymous: who comes without a token;
    where tokens are no matter (None) that is an administrator, for tests in process.
    """

    def __init__(
        self,
        tokens: Mapping[str, Identity] | None = None,
        *,
        users: Iterable[Identity] = (),
        anonymous: Identity | None = None,
    ) -> None:
        self.tokens = dict(tokens or {})
        self.users = {identity.user: identity for identity in (*self.tokens.values(), *users)}
        self.anonymous = anonymous or (administrator() if tokens is None else NOBODY)

    def of(self, token: str) -> Identity | None:
        """None: the token is not known."""
        return self.tokens.get(token)

    def allows(self, identity: Identity, action: Action) -> bool:
        if any(matches(rule, action) for rule in identity.deny):
            return False
        return any(matches(rule, action) for rule in rules(identity))

    def identify(self, request: Request) -> Identity:
        """Who asks, after impersonation; 401, or 403 when the impersonation is not allowed."""
        identity = self.of(request.token) if request.token else self.anonymous
        if identity is None:
            raise status.unauthorized()
        return self._impersonate(identity, request) if request.impersonated else identity

    def admit(self, identity: Identity, request: Request, name: str) -> None:
        """403 unless allowed.  name: of the object, where the path or a selector gives one."""
        place = request.place
        if place.plural:
            action = Action(place.verb, place.group, place.plural, place.subresource, place.namespace, name)
        else:
            action = Action(request.method.lower(), url=request.path)
        if not self.allows(identity, action):
            raise forbidden(identity.user, action)

    def _impersonate(self, identity: Identity, request: Request) -> Identity:
        given = [(header.removeprefix("impersonate-"), value) for header, value in request.impersonated]
        user = next((value for header, value in given if header == "user"), "")
        groups = tuple([value for header, value in given if header == "group"])
        if not user:
            listed = ", ".join([f'"{group}"' for group in groups])
            raise status.bad_request(
                f'requested &user.DefaultInfo{{Name:"", UID:"", Groups:[]string{{{listed}}}, Extra:map[string][]string(nil)}} '
                "without impersonating a user name"
            )
        wanted = [_of_user(user), *[Action("impersonate", plural="groups", name=group) for group in groups]]
        if not all(self.allows(identity, action) for action in wanted):
            place = request.place
            kind = "serviceaccount" if user.startswith(SERVICE_ACCOUNT) else "user-info"
            verb = f"impersonate-on:{kind}:{place.verb}"
            raise forbidden(
                identity.user,
                Action(verb, place.group, place.plural, place.subresource, place.namespace, place.name, request.path),
            )
        known = self.users.get(user, Identity(user))
        return replace(known, groups=(*groups, "system:authenticated")) if groups else known


def rules(identity: Identity) -> tuple[Rule, ...]:
    """With what everybody may do."""
    return (*identity.allow, *OWN) if identity.user != ANONYMOUS else (*identity.allow, Rule(verbs=("get",), urls=PUBLIC))


def matches(rule: Rule, action: Action) -> bool:
    if not _has(rule.verbs, action.verb):
        return False
    if not action.plural:
        return any(url in (ANY, action.url) or (url[-1:] == ANY and action.url.startswith(url[:-1])) for url in rule.urls)
    full = f"{action.plural}/{action.subresource}" if action.subresource else action.plural
    return (
        not rule.urls
        and _has(rule.groups, action.group)
        and (_has(rule.kinds, full) or (bool(action.subresource) and f"*/{action.subresource}" in rule.kinds))
        and (not rule.namespaces or _has(rule.namespaces, action.namespace))
        and (not rule.names or _has(rule.names, action.name))
    )


def forbidden(user: str, action: Action) -> status.Refusal:
    """403 as the server words it."""
    if not action.plural:
        message = f'forbidden: User "{user}" cannot {action.verb} path "{action.url}"'
        return status.Refusal(403, "Forbidden", message, details={})
    full = f"{action.plural}/{action.subresource}" if action.subresource else action.plural
    qualified = f"{action.plural}.{action.group}" if action.group else action.plural
    where = f'in the namespace "{action.namespace}"' if action.namespace else "at the cluster scope"
    message = (
        f"{qualified}{f' {chr(34)}{action.name}{chr(34)}' if action.name else ''} is forbidden: "
        f'User "{user}" cannot {action.verb} resource "{full}" in API group "{action.group}" {where}'
    )
    found = {"name": action.name, "group": action.group, "kind": action.plural}
    return status.Refusal(403, "Forbidden", message, details={key: value for key, value in found.items() if value})


def _has(wanted: tuple[str, ...], value: str) -> bool:
    return ANY in wanted or value in wanted


def _of_user(user: str) -> Action:
    if user.startswith(SERVICE_ACCOUNT):
        namespace, _, name = user.removeprefix(SERVICE_ACCOUNT).partition(":")
        return Action("impersonate", plural="serviceaccounts", namespace=namespace, name=name)
    return Action("impersonate", plural="users", name=user)
