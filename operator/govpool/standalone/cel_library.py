"""The functions that Kubernetes adds to CEL, as far as the evaluator can carry them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

import cel as evaluator
from cel import stdlib

from .objects import Obj

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
"""Name -> implementation, the evaluator's own extras included."""
