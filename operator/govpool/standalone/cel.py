"""`x-kubernetes-validations`: CEL rules that hang on the nodes of a schema (apiextensions `schema/cel`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import cel as evaluator

from .cel_expressions import CelError, Expression, compile_expression, escape
from .cel_reach import Reach, reach
from .cel_staying import Staying, staying
from .errors import FieldError, forbidden_field, invalid_value
from .objects import Obj
from .schema import child

_TO_TIME: dict[str, Callable[[str], Any]] = {
    "date-time": datetime.fromisoformat,
    "date": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
}


Conversion = Callable[[Any], Any]


def conversion(node: object) -> Conversion | None:
    """How values under a schema are converted to what CEL works on; None: they are the same to CEL."""
    if not isinstance(node, dict) or _plain(node):
        return None
    properties = node.get("properties") or {}
    extra = conversion(node.get("additionalProperties"))
    known = {name: (escape(name), conversion(below)) for name, below in properties.items()}
    items = conversion(node.get("items"))

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            found = {}
            for name, item in value.items():
                told, below = known.get(name) or (name, extra)
                found[told] = item if below is None else below(item)
            return found
        if isinstance(value, list):
            return value if items is None else [items(item) for item in value]
        return _scalar(value, node)

    return convert


def to_cel(value: Any, node: Obj | None) -> Any:
    """Convert a JSON value to what CEL works on, guided by its schema."""
    convert = conversion(node)
    return value if convert is None else convert(value)


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
    looked_at: Mapping[str, Reach]
    """What it and its message look at of ``self`` and of ``oldSelf``."""
    staying: Staying | None
    """Of a rule that only says what stays as it was."""

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

    def parts(self, value: Any, old: Any) -> tuple[Any, Any]:
        """What it sees of a value and of the old one."""
        return self.looked_at["self"].of(value), None if old is None else self.looked_at["oldSelf"].of(old)

    def keeps(self, value: Any, old: Any) -> bool:
        """Whether all that the rule says is that something stays, and it does."""
        return self.staying is not None and old is not None and self.staying.holds(value, old)

    def left_alone(self, part: Any, old: Any) -> bool:
        """Whether all that it sees of a value is what it saw of the old one."""
        if self.transition or self.optional_old or old is None:
            return False
        return bool(part == self.looked_at["self"].of(old))


_REMEMBERED, _REMEMBERED_LENGTH = 4096, 4096
"""How many values, and how long ones as text, are remembered to have passed a node's rules."""
_SELVES = frozenset({"self", "oldSelf"})
_REASONS = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


def compile_rule(raw: Obj, node: Obj | None = None) -> Rule:
    """Compile one `x-kubernetes-validations` entry of a node; raises CelError."""
    expression = compile_expression(str(raw.get("rule", "")), _SELVES)
    message_source = raw.get("messageExpression")
    message_expression = compile_expression(message_source, _SELVES) if message_source else None
    expressions = [each for each in (expression, message_expression) if each is not None]
    return Rule(
        expression=expression,
        message=str(raw.get("message", "")).strip(),
        message_expression=message_expression,
        reason=str(raw.get("reason") or "FieldValueInvalid"),
        field_path=str(raw.get("fieldPath", "")),
        optional_old=bool(raw.get("optionalOldSelf")),
        transition="oldSelf" in expression.variables,
        looked_at={name: reach(expressions, name).named(node) for name in _SELVES},
        staying=staying(expression.source),
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
        raw = [*(node.get("x-kubernetes-validations") or ())]
        raw += [r for nested in node.get("allOf") or () for r in nested.get("x-kubernetes-validations") or ()]
        self.rules = [compile_rule(each, node) for each in raw]
        self._passed: set[str] = set()
        self._joined: dict[tuple[int, ...], tuple[Reach, Reach, dict[str, Callable[..., Any]]]] = {}
        properties = {
            k: RuleNode(v) for k, v in (node.get("properties") or {}).items() if k != "metadata" or not root
        }
        self.properties = {k: v for k, v in properties.items() if v}
        self.items = _branch(node.get("items"))
        self.extra = _branch(node.get("additionalProperties"))
        below = [*self.properties.values(), *(n for n in (self.items, self.extra) if n)]
        self._compares: bool = any(rule.transition or rule.optional_old for rule in self.rules) or any(
            node._compares for node in below
        )
        """Whether a rule at or below it speaks of the old value: it may say something of what stays, too."""

    @cached_property
    def convert(self) -> Conversion | None:
        """How its values are converted; asked for only where a rule is evaluated."""
        return conversion(self.node)

    def sees(self, name: str) -> Reach:
        """What is looked at of a property that stays as it was: by the rules here, and by those in it that
        compare.
        """
        found = Reach()
        for looked_at in (each for rule in self.rules for each in rule.looked_at.values()):
            found.join(looked_at if looked_at.whole else looked_at.below.get(name, Reach()))
        branch = self.properties.get(name) or self.extra
        if branch and branch._compares:
            found.add(())
        return found

    def __bool__(self) -> bool:
        return bool(self.rules or self.properties or self.items or self.extra)

    def errors(
        self, value: Any, old: Any, *, update: bool, path: str = "", old_passed: bool = False
    ) -> Iterator[FieldError]:
        """Evaluate all rules at and below this node; `old` is None where there is nothing to compare with.

        `old_passed`: what is old has passed these very rules, so that one whose part of it is left alone is
        not asked again. An API server can't know that: its rules may be newer than what it has stored.
        """
        if value is None or (old_passed and value is old and not self._compares):
            return
        if self.rules:
            yield from self._own_errors(value, old, update=update, path=path, old_passed=old_passed)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for name, item in value.items():
                branch = self.properties.get(name) or self.extra
                if branch:
                    yield from branch.errors(
                        item, before.get(name), update=update, path=child(path, name), old_passed=old_passed
                    )
        elif isinstance(value, list) and self.items:
            olds = self._correlate(value, old)
            for index, item in enumerate(value):
                yield from self.items.errors(
                    item, olds[index], update=update, path=child(path, index), old_passed=old_passed
                )

    def _correlate(self, value: list[Any], old: Any) -> list[Any]:
        """Find each item's old self: only lists of type map can tell (upstream correlates no others)."""
        keys = self.node.get("x-kubernetes-list-map-keys")
        if not keys or not isinstance(old, list):
            return [None] * len(value)
        table = {tuple(str(o.get(k)) for k in keys): o for o in old if isinstance(o, dict)}
        return [table.get(tuple(str(v.get(k)) for k in keys)) if isinstance(v, dict) else None for v in value]

    def _own_errors(
        self, value: Any, old: Any, *, update: bool, path: str, old_passed: bool
    ) -> Iterator[FieldError]:
        known = old is not None
        kept = known and old == value
        asked: dict[int, str] = {}
        for number, rule in enumerate(self.rules):
            if not rule.asks(update=update, known=known, kept=kept) or rule.keeps(value, old):
                continue
            parts = rule.parts(value, old)
            if old_passed and rule.left_alone(parts[0], old):
                continue
            # A rule sees nothing else, no clock either: what has passed once passes again.
            seen = repr((number, known, *parts))
            if seen not in self._passed:
                asked[number] = seen
        if not asked:
            return
        verdicts = self._verdicts(tuple(asked), value, old, path=path, known=known)
        for seen, error in zip(asked.values(), verdicts, strict=True):
            if error is not None:
                yield error
            elif len(seen) <= _REMEMBERED_LENGTH:
                if len(self._passed) >= _REMEMBERED:
                    self._passed.clear()
                self._passed.add(seen)

    def _join(self, numbers: tuple[int, ...]) -> tuple[Reach, Reach, dict[str, Callable[..., Any]]]:
        """What some of the rules look at, of the value and of the old one, and what they call."""
        found = self._joined.get(numbers)
        if found is None:
            own, before, functions = Reach(), Reach(), dict[str, Callable[..., Any]]()
            for number in numbers:
                rule = self.rules[number]
                own.join(rule.looked_at["self"])
                before.join(rule.looked_at["oldSelf"])
                functions.update(rule.functions)
            found = self._joined[numbers] = own, before, functions
        return found

    def _verdicts(
        self, numbers: tuple[int, ...], value: Any, old: Any, *, path: str, known: bool
    ) -> Iterator[FieldError | None]:
        """What each of the rules, by their numbers, has to say."""
        reach_of, reach_before, functions = self._join(numbers)
        own, before = reach_of.of(value), reach_before.of(old) if known else None
        if self.convert is not None:
            own, before = self.convert(own), self.convert(before) if known else None
        contexts: dict[bool, evaluator.Context] = {}
        for number in numbers:
            rule = self.rules[number]
            context = contexts.get(rule.optional_old)
            if context is None:
                variables = {"self": own, "oldSelf": _optional(before) if rule.optional_old else before}
                context = evaluator.Context(variables=variables, functions=functions)
                contexts[rule.optional_old] = context
            yield self._check(rule, context, path)

    def _check(self, rule: Rule, context: evaluator.Context, path: str) -> FieldError | None:
        where = (path + rule.field_path).lstrip(".") or "<nil>"
        kind = str(self.node.get("type", "object"))
        try:
            verdict = rule.expression.evaluate_in(context)
        except CelError as exc:
            return invalid_value(
                path or "<nil>", kind, f"{exc} evaluating rule: {rule.message or rule.expression.source}"
            )
        if verdict is True:
            return None
        message = self._message(rule, context)
        if rule.reason == "FieldValueForbidden":
            return forbidden_field(where, message)
        if rule.reason == "FieldValueDuplicate":
            return FieldError(where, _REASONS[rule.reason], "", kind, show_value=True)
        # Newer API servers leave the value out: of an object they would only tell that it is one.
        return FieldError(where, _REASONS[rule.reason], message)

    def _message(self, rule: Rule, context: evaluator.Context) -> str:
        if rule.message_expression:
            try:
                text = rule.message_expression.evaluate_in(context)
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


def rule_errors(
    rules: RuleNode | None, obj: Obj, old: Obj | None, *, old_passed: bool = False
) -> list[FieldError]:
    """Evaluate a resource's rules on `obj`, with `old` on an update; `old_passed`: see RuleNode.errors."""
    if not rules:
        return []
    before = None if old is None else visible_root(old)
    return list(rules.errors(visible_root(obj), before, update=old is not None, old_passed=old_passed))
