"""`x-kubernetes-validations`: CEL rules that hang on the nodes of a schema (apiextensions `schema/cel`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import cel as evaluator

from .cel_expressions import CelError, Expression, Scope, compile_expression, escape
from .cel_reach import reach
from .errors import FieldError, forbidden_field, invalid_value
from .objects import Obj
from .schema import child

_TO_TIME: dict[str, Callable[[str], Any]] = {
    "date-time": datetime.fromisoformat,
    "date": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
}


def to_cel(value: Any, node: Obj | None) -> Any:
    """Convert a JSON value to what CEL works on, guided by its schema."""
    if node is None:
        return value
    if isinstance(value, dict):
        properties = node.get("properties") or {}
        extra = node.get("additionalProperties")
        if not properties and not isinstance(extra, dict):
            return value
        return {
            escape(k) if k in properties else k: to_cel(
                v, properties.get(k, extra if isinstance(extra, dict) else None)
            )
            for k, v in value.items()
        }
    if isinstance(value, list):
        items = node.get("items")
        return [to_cel(v, items) for v in value] if isinstance(items, dict) else value
    return _scalar(value, node)


def _scalar(value: Any, node: Obj) -> Any:
    if node.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    convert = _TO_TIME.get(str(node.get("format"))) if isinstance(value, str) else None
    if convert is None:
        return value
    try:
        return convert(value)
    except ValueError:
        return value


@dataclass(frozen=True)
class Rule:
    """One compiled validation rule."""

    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str
    field_path: str
    optional_old: bool
    transition: bool

    @property
    def expressions(self) -> list[Expression]:
        """The rule itself, and what its message is made by."""
        return [e for e in (self.expression, self.message_expression) if e is not None]

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """What the rule and its message call."""
        more = self.message_expression.functions if self.message_expression else {}
        return {**self.expression.functions, **more}

    def asks(self, *, update: bool, known: bool, kept: bool) -> bool:
        """Whether the rule is evaluated; `known`: there is an old value, `kept`: and it is the same."""
        if self.optional_old:
            return True
        if self.transition:
            return update and known
        return not kept  # ratcheting: what was stored and is left alone stays


_REMEMBERED, _REMEMBERED_LENGTH = 512, 4096
"""How many values, and how long ones as text, are remembered to have passed a node's rules."""
_SELVES = frozenset({"self", "oldSelf"})
_REASONS = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


def compile_rule(raw: Obj) -> Rule:
    """Compile one `x-kubernetes-validations` entry; raises CelError."""
    expression = compile_expression(str(raw.get("rule", "")), _SELVES)
    message_source = raw.get("messageExpression")
    message_expression = compile_expression(message_source, _SELVES) if message_source else None
    return Rule(
        expression=expression,
        message=str(raw.get("message", "")).strip(),
        message_expression=message_expression,
        reason=str(raw.get("reason") or "FieldValueInvalid"),
        field_path=str(raw.get("fieldPath", "")),
        optional_old=bool(raw.get("optionalOldSelf")),
        transition="oldSelf" in expression.variables,
    )


def _plain(node: Obj) -> bool:
    """Tell whether values under a schema are the same to CEL as in JSON."""
    if node.get("type") == "number" or node.get("format") in _TO_TIME:
        return False
    properties = node.get("properties") or {}
    below = [v for v in (node.get("items"), node.get("additionalProperties")) if isinstance(v, dict)]
    return all(escape(k) == k for k in properties) and all(map(_plain, [*properties.values(), *below]))


class RuleNode:
    """The rules of one schema node and, below it, those nodes that lead to more rules."""

    def __init__(self, node: Obj, *, root: bool = False) -> None:
        self.node = node
        self.plain = _plain(node)
        self.rules = [compile_rule(r) for r in node.get("x-kubernetes-validations") or ()]
        for nested in node.get("allOf") or ():
            self.rules += [compile_rule(r) for r in nested.get("x-kubernetes-validations") or ()]
        self._passed: set[str] = set()
        self.functions = {name: call for rule in self.rules for name, call in rule.functions.items()}
        expressions = [expression for rule in self.rules for expression in rule.expressions]
        self.looked_at = {name: reach(expressions, name).named(node) for name in _SELVES}
        properties = {
            k: RuleNode(v) for k, v in (node.get("properties") or {}).items() if k != "metadata" or not root
        }
        self.properties = {k: v for k, v in properties.items() if v}
        self.items = _branch(node.get("items"))
        self.extra = _branch(node.get("additionalProperties"))

    def __bool__(self) -> bool:
        return bool(self.rules or self.properties or self.items or self.extra)

    def errors(self, value: Any, old: Any, *, update: bool, path: str = "") -> Iterator[FieldError]:
        """Evaluate all rules at and below this node; `old` is None where there is nothing to compare with."""
        if value is None:
            return
        if self.rules:
            yield from self._own_errors(value, old, update=update, path=path)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for name, item in value.items():
                branch = self.properties.get(name) or self.extra
                if branch:
                    yield from branch.errors(item, before.get(name), update=update, path=child(path, name))
        elif isinstance(value, list) and self.items:
            olds = self._correlate(value, old)
            for index, item in enumerate(value):
                yield from self.items.errors(item, olds[index], update=update, path=child(path, index))

    def _correlate(self, value: list[Any], old: Any) -> list[Any]:
        """Find each item's old self: only lists of type map can tell (upstream correlates no others)."""
        keys = self.node.get("x-kubernetes-list-map-keys")
        if not keys or not isinstance(old, list):
            return [None] * len(value)
        table = {tuple(str(o.get(k)) for k in keys): o for o in old if isinstance(o, dict)}
        return [table.get(tuple(str(v.get(k)) for k in keys)) if isinstance(v, dict) else None for v in value]

    def _own_errors(self, value: Any, old: Any, *, update: bool, path: str) -> Iterator[FieldError]:
        kept = old is not None and old == value
        rules = [rule for rule in self.rules if rule.asks(update=update, known=old is not None, kept=kept)]
        if not rules:
            return
        parts = self.looked_at["self"].of(value), None if old is None else self.looked_at["oldSelf"].of(old)
        # A rule sees nothing else, no clock either: what has passed once passes again.
        seen = repr((update, old is not None, kept, *parts))
        if seen in self._passed:
            return
        found = list(self._verdicts(rules, *parts, path=path, known=old is not None))
        if not found and len(seen) <= _REMEMBERED_LENGTH:
            if len(self._passed) >= _REMEMBERED:
                self._passed.clear()
            self._passed.add(seen)
        yield from found

    def _verdicts(
        self, rules: list[Rule], value: Any, old: Any, *, path: str, known: bool
    ) -> Iterator[FieldError]:
        node = None if self.plain else self.node
        own = to_cel(value, node)
        before = to_cel(old, node) if known else None
        scopes: dict[bool, Scope] = {}
        for rule in rules:
            scope = scopes.get(rule.optional_old)
            if scope is None:
                variables = {"self": own, "oldSelf": _optional(before) if rule.optional_old else before}
                scope = scopes[rule.optional_old] = Scope(variables, self.functions)
            error = self._check(rule, scope, path)
            if error:
                yield error

    def _check(self, rule: Rule, scope: Scope, path: str) -> FieldError | None:
        where = (path + rule.field_path).lstrip(".") or "<nil>"
        kind = str(self.node.get("type", "object"))
        try:
            verdict = rule.expression.evaluate_in(scope)
        except CelError as exc:
            return invalid_value(
                path or "<nil>", kind, f"{exc} evaluating rule: {rule.message or rule.expression.source}"
            )
        if verdict is True:
            return None
        message = self._message(rule, scope)
        if rule.reason == "FieldValueForbidden":
            return forbidden_field(where, message)
        if rule.reason == "FieldValueDuplicate":
            return FieldError(where, _REASONS[rule.reason], "", kind, show_value=True)
        # Newer API servers leave the value out: of an object they would only tell that it is one.
        return FieldError(where, _REASONS[rule.reason], message)

    def _message(self, rule: Rule, scope: Scope) -> str:
        if rule.message_expression:
            try:
                text = rule.message_expression.evaluate_in(scope)
            except CelError:
                text = None  # upstream falls back to the fixed message as well
            if isinstance(text, str) and text.strip() and "\n" not in text:
                return text.strip()
        return rule.message or f"failed rule: {rule.expression.source.strip()}"


def _optional(old: Any) -> Any:
    return evaluator.OptionalValue.none() if old is None else evaluator.OptionalValue.of(old)


def _branch(node: object) -> RuleNode | None:
    if not isinstance(node, dict):
        return None
    found = RuleNode(node)
    return found or None


def visible_root(obj: Obj) -> Obj:
    """Return the object as rules at the root see it: of the metadata only name and generateName."""
    metadata = obj.get("metadata") or {}
    visible = {k: metadata[k] for k in ("name", "generateName") if k in metadata}
    return obj | {"metadata": visible}


def rule_errors(rules: RuleNode | None, obj: Obj, old: Obj | None) -> list[FieldError]:
    """Evaluate a resource's rules on `obj`, with `old` on an update."""
    if not rules:
        return []
    before = None if old is None else visible_root(old)
    return list(rules.errors(visible_root(obj), before, update=old is not None))
