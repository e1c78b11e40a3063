"""CEL as Kubernetes uses it: compile-time checks, the Kubernetes function library, x-kubernetes-validations.

The evaluator is the `common-expression-language` package. What it lacks is bridged here: the optional
syntax (`a.?b`, `a[?k]`) and `size()` counting code points are rewritten to functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from typing import Any

import cel as evaluator
from cel import stdlib

from .errors import FieldError, forbidden_field, invalid_value
from .objects import Obj
from .schema import INT_OR_STRING, PRESERVE, child

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)
    |(?P<string>[bBrR]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<optional>\.\?)|(?P<index>\[\?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<space>\s+)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_TYPES = frozenset(
    [
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "timestamp",
        "duration",
        "dyn",
        "optional_type",
    ]
)
_NAMESPACES = frozenset({"math", "sets", "strings", "base64", "lists", "optional", "google"})
_NATIVE = frozenset(
    [
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "string",
        "double",
        "int",
        "uint",
        "bytes",
        "dyn",
        "type",
        "size",
        "timestamp",
        "duration",
        "has",
        "getFullYear",
        "getMonth",
        "getDayOfMonth",
        "getDate",
        "getDayOfYear",
        "getDayOfWeek",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
        "of",
        "none",
        "ofNonZeroValue",
        "hasValue",
        "value",
        "orValue",
        "or",
        "zero",
    ]
)


class CelError(Exception):
    """An expression that does not compile, or whose evaluation failed; the message says why."""


# --- the Kubernetes function library -----------------------------------------------------------

_QUANTITY = re.compile(r"^(?P<n>[-+]?(?:\d+\.?\d*|\.\d+))(?P<suffix>[eE][-+]?\d+|[numkMGTPE]|[KMGTPE]i)?$")
_SUFFIXES = dict(zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True))


def parse_quantity(text: str) -> Decimal:
    """Read a Kubernetes quantity (`100m`, `2Gi`); raises ValueError on anything else."""
    found = _QUANTITY.match(text)
    if not found:
        raise ValueError(f"quantities must match the regular expression {_QUANTITY.pattern!r}: {text}")
    number = Decimal(found["n"])
    suffix: str = found["suffix"] or ""
    if suffix.endswith("i"):
        return number * Decimal(1024 ** ("KMGTPE".index(suffix[0]) + 1))
    if suffix in _SUFFIXES:
        return number.scaleb(_SUFFIXES[suffix])
    return number * Decimal("1" + suffix) if suffix else number


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except (ValueError, InvalidOperation):
        return False
    return True


def _quantity(text: str) -> Obj:
    # the evaluator knows no opaque types: a quantity travels as a map that only the functions below read
    return {"@quantity": str(parse_quantity(text))}


def _decimal(value: object) -> Decimal:
    if isinstance(value, dict) and "@quantity" in value:
        return Decimal(value["@quantity"])
    return Decimal(str(value))


def _compare(a: object, b: object) -> int:
    left, right = _decimal(a), _decimal(b)
    return (left > right) - (left < right)


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group(0) if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    hits = [m.group(0) for m in re.finditer(pattern, text)]
    return hits if limit < 0 else hits[:limit]


def _is_sorted(items: Sequence[Any]) -> bool:
    return all(a <= b for a, b in pairwise(items))


def _index_of(where: Any, what: Any, start: int = 0) -> int:
    if isinstance(where, str):
        return where.find(what, start)
    return next((i for i, item in enumerate(where) if item == what), -1)


def _last_index_of(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return next((i for i in range(len(where) - 1, -1, -1) if where[i] == what), -1)


def _to_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, bytes):
        return value.decode()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _select(where: Any, name: Any) -> Any:
    """Do `a.?b` and `a[?b]`: an optional, empty when the field is absent."""
    if isinstance(where, evaluator.OptionalValue):
        if not where.has_value():
            return where
        where = where.value()
    if isinstance(where, dict) and name in where:
        return evaluator.OptionalValue.of(where[name])
    if isinstance(where, list) and isinstance(name, int) and 0 <= name < len(where):
        return evaluator.OptionalValue.of(where[name])
    return evaluator.OptionalValue.none()


_QUANTITY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "quantity": _quantity,
    "isQuantity": _is_quantity,
    "isGreaterThan": lambda a, b: _compare(a, b) > 0,
    "isLessThan": lambda a, b: _compare(a, b) < 0,
    "compareTo": _compare,
    "sign": lambda a: _compare(a, 0),
    "isInteger": lambda a: _decimal(a) == _decimal(a).to_integral_value(),
    "asInteger": lambda a: int(_decimal(a)),
    "asApproximateFloat": lambda a: float(_decimal(a)),
    "add": lambda a, b: {"@quantity": str(_decimal(a) + _decimal(b))},
    "sub": lambda a, b: {"@quantity": str(_decimal(a) - _decimal(b))},
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **stdlib.STDLIB_FUNCTIONS,
    **_QUANTITY_FUNCTIONS,
    "k8sSize": len,
    "optSelect": _select,
    "string": _to_string,
    "find": _find,
    "findAll": _find_all,
    "isSorted": _is_sorted,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
}
_BUILTIN_NAMES = frozenset(name.rpartition(".")[2] for name in FUNCTIONS) | _NATIVE


# --- expressions -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Token:
    kind: str
    text: str


def _tokens(source: str) -> list[_Token]:
    return [_Token(m.lastgroup or "other", m.group(0)) for m in _TOKEN.finditer(source)]


def _close(tokens: list[_Token], start: int) -> int:
    """Return the index of the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(tokens)):
        text = tokens[i].text
        if text in ("[?", "[", "(", "{"):
            depth += 1
        elif text in ("]", ")", "}") and tokens[i].kind == "other":
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def _rewrite(source: str) -> str:
    """Turn optional syntax and `size` into function calls that the evaluator knows."""
    tokens = [t for t in _tokens(source) if t.kind != "comment"]
    for i, token in enumerate(tokens):
        after = next((t.text for t in tokens[i + 1 :] if t.kind != "space"), "")
        if token.kind == "name" and token.text == "size" and after == "(":
            token.text = "k8sSize"
        elif token.kind == "index":
            tokens[_close(tokens, i)].text = ")"
            token.text = ".optSelect("
        elif token.kind == "optional":
            _rewrite_selection(tokens, i)
    return "".join(t.text for t in tokens)


def _rewrite_selection(tokens: list[_Token], i: int) -> None:
    """Rewrite `.?a` and the plain selections that follow it (`.?a.b` selects from the optional)."""
    while i + 1 < len(tokens) and tokens[i + 1].kind == "name":
        after = tokens[i + 2].text if i + 2 < len(tokens) else ""
        if tokens[i].kind != "optional" and after == "(":
            return
        tokens[i] = _Token("done", ".")
        tokens[i + 1] = _Token("done", f'optSelect("{tokens[i + 1].text}")')
        i += 2
        if i >= len(tokens) or tokens[i].text not in (".", ".?"):
            return


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `functions` is what it calls, so that evaluation hands over only that."""

    source: str
    program: Any
    variables: frozenset[str]
    functions: Mapping[str, Callable[..., Any]]

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Evaluate; raises CelError with the reason when it cannot be evaluated."""
        used = {name: variables[name] for name in self.variables if name in variables}
        try:
            if not self.functions:
                return self.program.execute(used)
            return self.program.execute(evaluator.Context(variables=used, functions=dict(self.functions)))
        except KeyError as exc:
            raise CelError(f"no such key: {exc.args[0] if exc.args else ''}") from exc
        except (TypeError, ValueError, RuntimeError, IndexError, ZeroDivisionError, AttributeError) as exc:
            raise CelError(str(exc).split(". CEL does not coerce", maxsplit=1)[0]) from exc


def _syntax(exc: Exception) -> str:
    lines = str(exc).splitlines()
    return lines[0].rpartition("ERROR: ")[2] if lines else "syntax error"


@lru_cache(maxsize=4096)
def compile_expression(source: str, known: frozenset[str]) -> Expression:
    """Compile an expression that may use the variables `known`; raises CelError when it does not compile."""
    if not source.strip():
        raise CelError("compilation failed: rule is not specified")
    try:
        program = evaluator.compile(_rewrite(source))
    except Exception as exc:  # the parser's own errors have no common class
        raise CelError(f"compilation failed: ERROR: {_syntax(exc)}") from exc
    bound = _bound_names(source)
    used = frozenset(program.variables())
    for name in sorted(used):
        if name not in known | bound | _TYPES | _NAMESPACES:
            raise CelError(
                f"compilation failed: ERROR: <input>: undeclared reference to '{name}' (in container '')"
            )
    names = [n for n in program.functions() if re.match(r"^[A-Za-z_]", n) and not n.startswith(("_", "@"))]
    for name in sorted(names):
        if name not in _BUILTIN_NAMES:
            raise CelError(
                f"compilation failed: ERROR: <input>: undeclared reference to '{name}' (in container '')"
            )
    wanted = {n: f for n, f in FUNCTIONS.items() if n.rpartition(".")[2] in names}
    return Expression(source, program, used & known, wanted)


_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})


def _bound_names(source: str) -> frozenset[str]:
    """Return the names that macros bind, such as x in `self.all(x, x > 0)`."""
    tokens = [t for t in _tokens(source) if t.kind not in ("space", "comment")]
    return frozenset(
        tokens[i + 2].text
        for i in range(len(tokens) - 3)
        if tokens[i].text in _MACROS and tokens[i + 1].text == "(" and tokens[i + 2].kind == "name"
    )


def undefined_field(source: str, node: Obj, names: frozenset[str]) -> str:
    """Return the first field that is selected from one of `names` though the schema has none such, or ""."""
    tokens = [t for t in _tokens(source) if t.kind not in ("space", "comment")]
    for i, token in enumerate(tokens):
        selected = i > 0 and tokens[i - 1].text in (".", ".?")
        if token.kind == "name" and token.text in names and not selected:
            missing = _missing_step(tokens, i + 1, node)
            if missing:
                return missing
    return ""


def _missing_step(tokens: list[_Token], i: int, node: Obj) -> str:
    """Follow `.a.b` down the schema until a call, an index or an open map ends what can be told."""
    while i + 1 < len(tokens) and tokens[i].text in (".", ".?") and tokens[i + 1].kind == "name":
        name = tokens[i + 1].text
        called = i + 2 < len(tokens) and tokens[i + 2].text == "("
        properties = {escape(k): v for k, v in (node.get("properties") or {}).items()}
        if called or isinstance(node.get("additionalProperties"), dict):
            return ""
        if name not in properties:
            return "" if node.get(PRESERVE) else name
        node = properties[name]
        if node.get(INT_OR_STRING) or not node.get("type"):
            return ""
        i += 2
    return ""


# --- values ------------------------------------------------------------------------------------


def escape(name: str) -> str:
    """Return a property name as CEL sees it (`a-b` is `a__dash__b`, `namespace` is `__namespace__`)."""
    if name in _RESERVED:
        return f"__{name}__"
    name = name.replace("__", "__underscores__")
    for char, word in ((".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(char, word)
    return name


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


# --- x-kubernetes-validations ------------------------------------------------------------------


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
        node = None if self.plain else self.node
        variables = {"self": to_cel(value, node)}
        old_self = None if old is None else to_cel(old, node)
        for rule in self.rules:
            scope = dict(variables)
            if rule.optional_old:
                some = (
                    evaluator.OptionalValue.of(old_self)
                    if old is not None
                    else evaluator.OptionalValue.none()
                )
                scope["oldSelf"] = some
            elif rule.transition:
                if not update or old is None:
                    continue
                scope["oldSelf"] = old_self
            elif old is not None and old == value:
                continue  # ratcheting: what was stored and is left alone stays
            error = self._check(rule, scope, path)
            if error:
                yield error

    def _check(self, rule: Rule, scope: dict[str, Any], path: str) -> FieldError | None:
        where = (path + rule.field_path).lstrip(".") or "<nil>"
        kind = str(self.node.get("type", "object"))
        try:
            verdict = rule.expression.evaluate(scope)
        except CelError as exc:
            return invalid_value(
                path or "<nil>", kind, f"{exc} evaluating rule: {rule.message or rule.expression.source}"
            )
        if verdict is True:
            return None
        message = self._message(rule, scope)
        if rule.reason == "FieldValueForbidden":
            return forbidden_field(where, message)
        show = rule.reason != "FieldValueRequired"
        detail = "" if rule.reason == "FieldValueDuplicate" else message
        return FieldError(where, _REASONS[rule.reason], detail, kind, show_value=show)

    def _message(self, rule: Rule, scope: dict[str, Any]) -> str:
        if rule.message_expression:
            try:
                text = rule.message_expression.evaluate(scope)
            except CelError:
                text = None  # upstream falls back to the fixed message as well
            if isinstance(text, str) and text.strip() and "\n" not in text:
                return text.strip()
        return rule.message or f"failed rule: {rule.expression.source.strip()}"


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
