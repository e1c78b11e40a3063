"""ValidatingAdmissionPolicy: CEL decisions over whole requests (admissionregistration.k8s.io/v1)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .authn import User
from .cel_expressions import CelError, compile_expression
from .errors import ApiError, FieldError, forbidden, invalid_value, required
from .objects import Key, Obj, lookup
from .resources import Resource
from .selectors import Requirement, Selector
from .storage import Store

POLICIES = "validatingadmissionpolicies.admissionregistration.k8s.io"
BINDINGS = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
_VARIABLES = frozenset({"object", "oldObject", "request", "params", "namespaceObject", "variables"})
_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}


@dataclass(frozen=True)
class Attempt:
    """One write about to happen."""

    user: User
    resource: Resource
    operation: str
    namespace: str
    name: str
    subresource: str
    obj: Obj | None
    old: Obj | None
    dry_run: bool

    def request(self) -> Obj:
        """Return the AdmissionRequest that CEL sees as `request`."""
        r = self.resource
        kind = {"group": r.group, "version": r.version, "kind": r.kind}
        resource = {"group": r.group, "version": r.version, "resource": r.plural}
        return {
            "uid": str(uuid.uuid4()),
            "kind": kind,
            "resource": resource,
            "subResource": self.subresource,
            "requestKind": kind,
            "requestResource": resource,
            "requestSubResource": self.subresource,
            "name": self.name,
            "namespace": self.namespace,
            "operation": self.operation,
            "userInfo": self.user.info(),
            "dryRun": self.dry_run,
        }


@dataclass
class _Policy:
    name: str
    spec: Obj
    bindings: list[Obj] = field(default_factory=list)


def policy_errors(policy: Obj) -> list[FieldError]:
    """Validate a policy: every expression must compile."""
    spec = policy.get("spec") or {}
    found = []
    if not lookup(spec, "matchConstraints", "resourceRules"):
        found.append(required("spec.matchConstraints.resourceRules"))
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        found.append(
            required("spec.validations", "validations or auditAnnotations must contain at least one item")
        )
    for where, source in _expressions(spec):
        if not source:
            found.append(required(where, "expression is not specified"))
            continue
        try:
            compile_expression(source, _VARIABLES)
        except CelError as exc:
            found.append(invalid_value(where, source, str(exc)))
    return found


def _expressions(spec: Obj) -> Iterator[tuple[str, str]]:
    for group in ("matchConditions", "variables", "validations"):
        for index, item in enumerate(spec.get(group) or ()):
            yield f"spec.{group}[{index}].expression", str(item.get("expression", "")).strip()
            if item.get("messageExpression"):
                yield f"spec.{group}[{index}].messageExpression", item["messageExpression"]


def binding_errors(binding: Obj) -> list[FieldError]:
    """Validate a binding."""
    spec = binding.get("spec") or {}
    found = []
    if not spec.get("policyName"):
        found.append(required("spec.policyName"))
    actions = spec.get("validationActions")
    if not actions:
        found.append(required("spec.validationActions", "at least one validation action is required"))
    for index, action in enumerate(actions or ()):
        if action not in ("Deny", "Warn", "Audit"):
            detail = 'supported values: "Audit", "Deny", "Warn"'
            where = f"spec.validationActions[{index}]"
            found.append(FieldError(where, "Unsupported value", detail, action, show_value=True))
    return found


def _rule_matches(rule: Obj, attempt: Attempt) -> bool:
    r = attempt.resource
    wanted = f"{r.plural}/{attempt.subresource}" if attempt.subresource else r.plural
    resources = rule.get("resources") or ()
    fits = wanted in resources or "*/*" in resources
    if not attempt.subresource:
        fits = fits or "*" in resources
    else:
        fits = fits or f"{r.plural}/*" in resources or f"*/{attempt.subresource}" in resources
    scope = rule.get("scope") or "*"
    return (
        fits
        and bool({"*", attempt.operation} & set(rule.get("operations") or ()))
        and bool({"*", r.group} & set(rule.get("apiGroups") or ()))
        and bool({"*", r.version} & set(rule.get("apiVersions") or ()))
        and (not rule.get("resourceNames") or attempt.name in rule["resourceNames"])
        and (scope == "*" or (scope == "Namespaced") is r.namespaced)
    )


def selector_of(raw: Obj | None) -> Selector:
    """Read a metav1.LabelSelector."""
    raw = raw or {}
    terms = [Requirement(k, "in", (v,)) for k, v in (raw.get("matchLabels") or {}).items()]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    terms.extend(
        Requirement(e["key"], operators[e["operator"]], tuple(e.get("values") or ()))
        for e in raw.get("matchExpressions") or ()
    )
    return Selector(labels=tuple(terms))


def _labels(obj: Obj | None) -> dict[str, str]:
    return lookup(obj, "metadata", "labels") or {}


class Policies:
    """The policies in force, read from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bound: list[_Policy] | None = None
        store.subscribe(lambda change: self._forget(change.new.key.storage))

    def _forget(self, storage: str) -> None:
        if storage in (POLICIES, BINDINGS):
            self._bound = None

    def _policies(self) -> list[_Policy]:
        if self._bound is None:
            found = {
                s.key.name: _Policy(s.key.name, s.load().get("spec") or {})
                for s in self._store.items(POLICIES)
            }
            for stored in self._store.items(BINDINGS):
                binding = stored.load()
                policy = found.get(binding["spec"].get("policyName"))
                if policy:
                    policy.bindings.append(binding)
            self._bound = [p for p in found.values() if p.bindings]
        return self._bound

    def check(self, attempt: Attempt) -> list[str]:
        """Raise the refusal of the first policy that denies the request; returns warnings of the others."""
        warnings: list[str] = []
        if attempt.resource.group == "admissionregistration.k8s.io":
            return warnings  # as upstream: a policy must not be able to lock itself in
        for policy in self._policies():
            if not self._matches(policy.spec.get("matchConstraints") or {}, attempt):
                continue
            for binding in policy.bindings:
                limits = binding["spec"].get("matchResources")
                if limits and not self._matches(limits, attempt, narrowing=True):
                    continue
                self._enforce(policy, binding, attempt, warnings)
        return warnings

    def _namespace(self, name: str) -> Obj | None:
        stored = self._store.head(Key("namespaces", "", name)) if name else None
        return stored.load() if stored else None

    def _matches(self, match: Obj, attempt: Attempt, *, narrowing: bool = False) -> bool:
        rules = match.get("resourceRules") or ()
        if not any(_rule_matches(r, attempt) for r in rules) and not (narrowing and not rules):
            return False
        if any(_rule_matches(r, attempt) for r in match.get("excludeResourceRules") or ()):
            return False
        chosen = selector_of(match.get("objectSelector"))
        if chosen and not any(
            o is not None and chosen.matches(_labels(o), lambda _: "") for o in (attempt.obj, attempt.old)
        ):
            return False
        spaces = selector_of(match.get("namespaceSelector"))
        if not spaces or (not attempt.namespace and attempt.resource.plural != "namespaces"):
            return True
        holder = self._namespace(attempt.namespace) if attempt.namespace else attempt.obj or attempt.old
        return spaces.matches(_labels(holder), lambda _: "")

    def _params(self, policy: _Policy, binding: Obj, attempt: Attempt) -> Obj | None:
        ref = binding["spec"].get("paramRef")
        kind = policy.spec.get("paramKind")
        if not ref or not kind:
            return None
        for storage in self._store.storages():
            for namespace in (ref.get("namespace") or attempt.namespace, ""):
                stored = self._store.head(Key(storage, namespace, ref.get("name", "")))
                if stored:
                    obj = stored.load()
                    if (obj.get("apiVersion"), obj.get("kind")) == (kind["apiVersion"], kind["kind"]):
                        return obj
        return None

    def _enforce(self, policy: _Policy, binding: Obj, attempt: Attempt, warnings: list[str]) -> None:
        scope: dict[str, Any] = {
            "object": attempt.obj,
            "oldObject": attempt.old,
            "request": attempt.request(),
            "namespaceObject": self._namespace(attempt.namespace),
            "params": self._params(policy, binding, attempt),
            "variables": {},
        }
        ignore = policy.spec.get("failurePolicy") == "Ignore"
        try:
            conditions = [_evaluate(c["expression"], scope) for c in policy.spec.get("matchConditions") or ()]
        except CelError as exc:
            if not ignore:
                self._deny(policy, binding, attempt, Denial(f"match condition error: {exc}"), warnings)
            return
        if not all(c is True for c in conditions):
            return
        for variable in policy.spec.get("variables") or ():
            try:
                scope["variables"][variable["name"]] = _evaluate(variable["expression"], scope)
            except CelError:
                continue  # the error shows where the variable is used, as its absence
        for validation in policy.spec.get("validations") or ():
            denial = _judge(validation, scope, ignore=ignore)
            if denial:
                self._deny(policy, binding, attempt, denial, warnings)

    @staticmethod
    def _deny(policy: _Policy, binding: Obj, attempt: Attempt, denial: Denial, warnings: list[str]) -> None:
        names = f"ValidatingAdmissionPolicy '{policy.name}' with binding '{binding['metadata']['name']}'"
        actions = binding["spec"].get("validationActions") or ()
        if "Warn" in actions:
            warnings.append(f"Validation failed for {names}: {denial.message}")
        if "Deny" not in actions:
            return
        text = f"{names} denied request: {denial.message}"
        r = attempt.resource
        error: ApiError = forbidden(r.plural, r.group, attempt.name, text, [{"message": text}])
        error.reason, error.code = denial.reason, _CODES.get(denial.reason, 422)
        raise error


@dataclass(frozen=True)
class Denial:
    """Why a policy says no."""

    message: str
    reason: str = "Invalid"


def _evaluate(source: str, scope: dict[str, Any]) -> Any:
    return compile_expression(source.strip(), _VARIABLES).evaluate(scope)


def _judge(validation: Obj, scope: dict[str, Any], *, ignore: bool) -> Denial | None:
    source = validation["expression"].strip()
    reason = validation.get("reason") or "Invalid"
    try:
        verdict = _evaluate(source, scope)
    except CelError as exc:
        return None if ignore else Denial(f"expression '{source}' resulted in error: {exc}")
    if verdict is True:
        return None
    return Denial(_message(validation, scope, source), reason)


def _message(validation: Obj, scope: dict[str, Any], source: str) -> str:
    made: Callable[[], Any] = lambda: _evaluate(validation["messageExpression"], scope)  # noqa: E731
    if validation.get("messageExpression"):
        try:
            text = made()
        except CelError:
            text = None  # upstream falls back to the fixed message as well
        if isinstance(text, str) and text.strip():
            return text.strip()
    return str(validation.get("message") or f"failed expression: {source}").strip()
