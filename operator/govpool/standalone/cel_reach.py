"""What of its values a CEL expression can see: all that it selects of them by name.

Most rules of an object look at a few fields of it. Handing the evaluator those alone costs a part of what the
whole object does, and gives the same verdict: what is not selected can't be told from what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .cel_expressions import Expression, Token, closing, escape, tokens_of
from .objects import Obj

_TELLING = frozenset({"all", "exists", "exists_one", "existsOne"})
"""Macros that only tell something of the items."""


@dataclass(slots=True)
class Reach:
    """What is looked at of one value."""

    whole: bool = False
    below: dict[str, Reach] = field(default_factory=dict)
    """By the name in the expression, or in the object once it was :meth:`named`; empty where `whole`."""
    items: Reach | None = None
    """Of a list: what is looked at of each item; None where `whole`, or where only the list itself is."""
    counted: bool = False
    """Whether its size is asked for."""

    def add(self, path: Iterable[str]) -> None:
        """Add a selection; all of what it ends at is looked at."""
        at = self.touch(path)
        at.whole, at.below, at.items = True, {}, None

    def touch(self, path: Iterable[str]) -> Reach:
        """Add a selection of which only that it is there is looked at; what is looked at where it ends."""
        at = self
        for name in path:
            if at.whole:
                break
            at = at.below.setdefault(name, Reach())
        return at

    def each(self) -> Reach:
        """What is looked at of each item."""
        if self.whole:
            return self
        self.items = self.items or Reach()
        return self.items

    def join(self, other: Reach) -> None:
        """Add all that the other looks at."""
        if other.whole:
            self.add(())
        for name, below in other.below.items():
            if self.whole:
                return
            self.below.setdefault(name, Reach()).join(below)
        if other.items is not None:
            self.each().join(other.items)
        self.counted |= other.counted

    def named(self, node: Obj | None) -> Reach:
        """The same by the names that objects have: an expression writes some otherwise (`__namespace__`)."""
        properties: Mapping[str, Any] = (node or {}).get("properties") or {}
        extra = (node or {}).get("additionalProperties")
        raw = {escape(name): name for name in properties}
        found = Reach(self.whole, counted=self.counted)
        for name, below in self.below.items():
            found.below[raw.get(name, name)] = below.named(_node(properties.get(raw.get(name, name), extra)))
        if self.items is not None:
            found.items = self.items.named(_node((node or {}).get("items")))
        return found

    def of(self, value: Any) -> Any:
        """The part of the value that is looked at."""
        if self.whole:
            return value
        if isinstance(value, dict):
            # Going through a map asks for its keys, and its size is how many there are.
            return value if self.counted or self.items is not None else self._fields(value)
        if not isinstance(value, list) or self.below:
            return value
        return [None] * len(value) if self.items is None else [self.items.of(item) for item in value]

    def _fields(self, value: Obj) -> Obj:
        return {name: below.of(value[name]) for name, below in self.below.items() if name in value}


def _node(node: object) -> Obj | None:
    return node if isinstance(node, dict) else None


def reach(expressions: Iterable[Expression], variable: str) -> Reach:
    """What the expressions, all of them together, look at of a variable's value."""
    found = Reach()
    for expression in expressions:
        _look(tokens_of(expression.source), variable, found)
    return found


def _look(tokens: Sequence[Token], variable: str, found: Reach) -> None:
    """Add what the tokens of an expression look at of the variable's value."""
    texts = [token.text for token in tokens]
    for i, token in enumerate(tokens):
        selected = i > 0 and texts[i - 1] in (".", ".?")
        if token.kind != "name" or token.text != variable or selected:
            continue
        path = list(_path(texts[i + 1 :]))
        end = i + 1 + 2 * len(path)
        if path and _only_asked("has", texts, i, end):
            found.touch(path)
        elif path and _only_asked("size", texts, i, end):
            found.touch(path).counted = True
        elif _through(texts, end):
            _look(tokens[end + 5 : closing(tokens, end + 2)], texts[end + 3], found.touch(path).each())
        else:
            found.add(path)


def _only_asked(function: str, texts: list[str], i: int, end: int) -> bool:
    """Whether a selection, which begins at the i-th text, is all that a `has()` or `size()` asks for."""
    return texts[max(0, i - 2) : i] == [function, "("] and texts[end : end + 1] == [")"]


def _through(texts: list[str], end: int) -> bool:
    """Whether `.all(x, ...)` or the like goes through what was selected."""
    calls = texts[end : end + 1] == ["."] and texts[end + 2 : end + 3] == ["("]
    return calls and texts[end + 1] in _TELLING and texts[end + 4 : end + 5] == [","]


def _path(texts: list[str]) -> Iterable[str]:
    """The names selected one after the other, up to a call, an index or anything else."""
    i = 0
    while i + 1 < len(texts) and texts[i] in (".", ".?") and texts[i + 2 : i + 3] != ["("]:
        yield texts[i + 1]
        i += 2
