"""Rules that only say that something stays as it was: comparing tells whether they hold, where the evaluator
would have to be handed all of it, and what it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Path = tuple[str, ...]
_ABSENT = object()


def _same(value: Any, old: Any, path: Path) -> bool:
    now = _at(value, path)
    return now is not _ABSENT and bool(now == _at(old, path))


def _same_where_given(value: Any, old: Any, path: Path) -> bool:
    return _objects(value, old) and bool(_at(value, path) == _at(old, path))


def _same_once_given(value: Any, old: Any, path: Path) -> bool:
    return _objects(value, old) and _at(old, path) in (_ABSENT, _at(value, path))


def _only_longer(value: Any, old: Any, path: Path) -> bool:
    now, before = _at(value, path), _at(old, path)
    return isinstance(now, list) and isinstance(before, list) and all(item in now for item in before)


Holds = Callable[[Any, Any, Path], bool]
_FORMS: tuple[tuple[re.Pattern[str], Holds], ...] = (
    (re.compile(r"self((?:\.\w+)*) == oldSelf\1"), _same),
    (re.compile(r"has\(self(\.\w+)\) == has\(oldSelf\1\)"), _same_where_given),
    (re.compile(r"\(!has\(self(\.\w+)\) \|\| self\1 == oldSelf\1\)"), _same_where_given),
    (re.compile(r"oldSelf((?:\.\w+)*)\.all\((?!self,)(\w+), \2 in self\1\)"), _only_longer),
)
_ONCE_GIVEN = re.compile(r"!has\(oldSelf(\.\w+)\) \|\| \(has\(self\1\) && self\1 == oldSelf\1\)")


class Staying:
    """What a rule says that speaks only of what stays."""

    def __init__(self, *terms: tuple[Holds, Path]) -> None:
        self._terms = terms

    def holds(self, value: Any, old: Any) -> bool:
        """Whether all of it stays. Where not, the rule may hold all the same: the evaluator tells."""
        return all(term(value, old, path) for term, path in self._terms)


def staying(source: str) -> Staying | None:
    """Of a rule like `self.a == oldSelf.a && self.b == oldSelf.b`: what stays; None: it says more."""
    if "__" in source:
        return None  # some names are written otherwise in an expression than in the object
    if (once := _ONCE_GIVEN.fullmatch(source)) is not None:
        return Staying((_same_once_given, _path(once)))
    terms = [_term(term) for term in source.split(" && ")]
    known = [term for term in terms if term is not None]
    return Staying(*known) if len(known) == len(terms) else None


def _term(source: str) -> tuple[Holds, Path] | None:
    for form, holds in _FORMS:
        if (found := form.fullmatch(source)) is not None:
            return holds, _path(found)
    return None


def _path(found: re.Match[str]) -> Path:
    return tuple(found[1].split(".")[1:])


def _at(value: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _objects(value: Any, old: Any) -> bool:
    return isinstance(value, dict) and isinstance(old, dict)
