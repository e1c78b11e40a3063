"""Rules that only say that something stays as it was: comparing tells whether they hold, where the evaluator
would have to be handed all of it, and what it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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


def _each_once(value: Any, old: Any, path: Path) -> bool:
    *to_list, key = path
    now, before = _at(value, tuple(to_list)), _at(old, tuple(to_list))
    if not isinstance(now, list) or not isinstance(before, list) or len(now) < len(before):
        return False
    # The evaluator asks for the key of each item.
    asked = all(_at(item, (key,)) is not _ABSENT for item in now)
    return asked and all(now.count(item) == 1 for item in before)


Holds = Callable[[Any, Any, Path], bool]
_FORMS: tuple[tuple[re.Pattern[str], Holds], ...] = (
    (re.compile(r"self((?:\.\w+)*) == oldSelf\1"), _same),
    (re.compile(r"has\(self(\.\w+)\) == has\(oldSelf\1\)"), _same_where_given),
    (re.compile(r"\(!has\(self(\.\w+)\) \|\| self\1 == oldSelf\1\)"), _same_where_given),
    (re.compile(r"oldSelf((?:\.\w+)*)\.all\((?!self,)(\w+), \2 in self\1\)"), _only_longer),
)
_WHOLE_FORMS: tuple[tuple[re.Pattern[str], Holds], ...] = (
    (re.compile(r"!has\(oldSelf(\.\w+)\) \|\| \(has\(self\1\) && self\1 == oldSelf\1\)"), _same_once_given),
    (
        re.compile(
            r"size\(self(\.\w+)\) >= size\(oldSelf\1\) && oldSelf\1\.all\((?!self,)(\w+),"
            r" self\1\.exists_one\((?!self,|\2,)(\w+), \3(\.\w+) == \2\4 && \3 == \2\)\)"
        ),
        _each_once,
    ),
)
"""Rules that are not made of terms of which each says so."""


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
    if (whole := _term(source, _WHOLE_FORMS)) is not None:
        return Staying(whole)
    terms = [_term(term, _FORMS) for term in source.split(" && ")]
    known = [term for term in terms if term is not None]
    return Staying(*known) if len(known) == len(terms) else None


def _term(source: str, forms: Iterable[tuple[re.Pattern[str], Holds]]) -> tuple[Holds, Path] | None:
    for form, holds in forms:
        if (found := form.fullmatch(source)) is not None:
            return holds, _path(found)
    return None


def _path(found: re.Match[str]) -> Path:
    """Where it is said of: names selected one after the other."""
    selections = [group for group in found.groups() if group.startswith(".")]
    return tuple("".join(selections).split(".")[1:])


def _at(value: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _objects(value: Any, old: Any) -> bool:
    return isinstance(value, dict) and isinstance(old, dict)
