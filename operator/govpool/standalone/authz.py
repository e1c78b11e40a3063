"""Who may do what: one table of roles, read top to bottom (the shape follows RBAC's PolicyRule)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .authn import User
from .errors import ApiError, forbidden, qualified
from .objects import Obj

GROUP = "govpool.dev"
READ = frozenset({"get", "list", "watch"})
ALL = frozenset({"*"})
_EDIT = frozenset({"update", "patch"})
_WRITE = _EDIT | {"create", "delete"}


@dataclass(frozen=True)
class Grant:
    """One row: verbs on resources of groups. A subresource is written `plural/subresource`, `*/*` means any.

    `own` limits the row to the namespace that the user is bound to.
    """

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    own: bool = False

    def covers(self, verb: str, group: str, resource: str, *, in_own: bool) -> bool:
        """Tell whether this row allows the request."""
        sub = "/" in resource
        return (
            (not self.own or in_own)
            and (verb in self.verbs or "*" in self.verbs)
            and (group in self.groups or "*" in self.groups)
            and (resource in self.resources or "*/*" in self.resources or (not sub and "*" in self.resources))
        )


def _grant(groups: str, resources: str, verbs: frozenset[str], *, own: bool = False) -> Grant:
    named = frozenset("" if g == "core" else g for g in groups.split())
    return Grant(named, frozenset(resources.split()), verbs, own)


_SUPPLY = "cloudpolicies servicecatalogs cloudpools"
_EVENTS = "core events.k8s.io"
_EVERYONE = (
    _grant("authorization.k8s.io authentication.k8s.io",
           "selfsubjectaccessreviews selfsubjectrulesreviews selfsubjectreviews", frozenset({"create"})),
)  # fmt: skip
_DECIDER = (
    _grant(GROUP, "*", READ),
    _grant(GROUP, "approvals rectificationnotices", _EDIT),
    _grant("core", "namespaces", READ),
    _grant(_EVENTS, "events", READ),
)

ROLES: Mapping[str, tuple[Grant, ...]] = {
    # runs the control plane
    "govpool:admin": (_grant("*", "*/*", ALL),),
    # the govpool operator process
    "govpool:operator": (
        _grant(GROUP, "*/*", ALL),
        _grant("core", "secrets configmaps", ALL),
        _grant(_EVENTS, "events", ALL),
        _grant("coordination.k8s.io", "leases", ALL),
        _grant("batch", "jobs", ALL),
        _grant("core", "pods", frozenset({"list"})),
        _grant("core", "serviceaccounts", frozenset({"create"})),
        _grant("core", "namespaces", READ),
        _grant("apiextensions.k8s.io", "customresourcedefinitions", READ),
    ),
    # the Job of a work order: reports, reads nothing; only into its own report, by crds/admission/runs.yaml
    "system:serviceaccounts:govpool-runs": (_grant("core", "configmaps", frozenset({"patch"})),),
    # takes applications in
    "govpool:acceptor": _DECIDER,
    # reviews and approves them
    "govpool:reviewer": (*_DECIDER, _grant(GROUP, "rectificationnotices", frozenset({"create"}))),
    # assesses complex or large applications, and plans
    "govpool:expert": _DECIDER,
    # reports what it did of the work orders given to it
    "govpool:provider": (
        _grant(GROUP, "*", READ),
        _grant(GROUP, "workorders cloudservers/status", _EDIT),
        _grant("core", "namespaces", READ),
        _grant(_EVENTS, "events", READ),
    ),
    # reads everything but secrets
    "govpool:viewer": (
        _grant(GROUP, "*", READ),
        _grant("core", "namespaces configmaps serviceaccounts", READ),
        _grant(_EVENTS, "events", READ),
        _grant("coordination.k8s.io", "leases", READ),
        _grant("apiextensions.k8s.io", "customresourcedefinitions", READ),
        _grant("admissionregistration.k8s.io", "*", READ),
    ),
    # a using unit (云使用单位), bound to its namespace
    "govpool:unit": (
        _grant(GROUP, _SUPPLY, READ),
        _grant(GROUP, "*", READ, own=True),
        _grant(GROUP, "cloudresourcerequests", _WRITE, own=True),
        _grant(GROUP, "rectificationnotices", _EDIT, own=True),
        _grant(_EVENTS, "events", READ, own=True),
        _grant("core", "namespaces", frozenset({"get"}), own=True),
    ),
}
"""Group of a user -> what it may do. Only govpool's group and resource names are known here, not its
kinds."""

DEFAULT_USERS: Mapping[str, tuple[str, ...]] = {
    "admin": ("govpool:admin", "system:masters"),
    "operator": ("govpool:operator",),
    "acceptor": ("govpool:acceptor",),
    "reviewer": ("govpool:reviewer",),
    "expert": ("govpool:expert",),
    "provider": ("govpool:provider",),
    "viewer": ("govpool:viewer",),
    "unit": ("govpool:unit",),
}
"""The users that are made at first start, with their groups."""


@dataclass(frozen=True)
class Attributes:
    """What a request wants, as authorization.k8s.io ResourceAttributes."""

    verb: str
    group: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def allowed(user: User, want: Attributes) -> bool:
    """Tell whether one of the user's groups grants the request."""
    resource = f"{want.plural}/{want.subresource}" if want.subresource else want.plural
    own = bool(user.namespace) and want.namespace == user.namespace
    if want.plural == "namespaces" and not want.group:
        own = bool(user.namespace) and want.name == user.namespace
    grants = [*_EVERYONE, *(g for group in user.groups for g in ROLES.get(group, ()))]
    return any(g.covers(want.verb, want.group, resource, in_own=own) for g in grants)


def refusal(user: User, want: Attributes) -> ApiError:
    """Return the 403 in upstream wording."""
    resource = f"{want.plural}/{want.subresource}" if want.subresource else want.plural
    scope = f' in the namespace "{want.namespace}"' if want.namespace else " at the cluster scope"
    why = f'User "{user.name}" cannot {want.verb} resource "{resource}" in API group "{want.group}"{scope}'
    error = forbidden(want.plural, want.group, want.name, why)
    shown = (
        qualified(resource, "")
        if not want.group
        else f"{want.plural}.{want.group}" + (f"/{want.subresource}" if want.subresource else "")
    )
    named = f' "{want.name}"' if want.name else ""
    error.message = f"{shown}{named} is forbidden: {why}"
    return error


def rules(user: User, namespace: str) -> list[Obj]:
    """Return what the user may do in a namespace, as SelfSubjectRulesReview resourceRules."""
    found: list[Obj] = []
    for grant in [*_EVERYONE, *(g for group in user.groups for g in ROLES.get(group, ()))]:
        if grant.own and namespace != user.namespace:
            continue
        found.append(
            {
                "verbs": sorted(grant.verbs),
                "apiGroups": sorted(grant.groups),
                "resources": sorted(grant.resources),
            }
        )
    return found
