"""What of its values a CEL expression can see: all that it selects of them by name.

Most rules of an object look at a few fields of it. Handing the evaluator those alone costs a part of what the
whole object does, and gives the same verdict: what is not selected can't be told from what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .cel_expressions import Expression, escape, tokens_of
from .objects import Obj


@dataclass(slots=True)
class Reach:
    """What is looked at of one value."""

    whole: bool = False
    below: dict[str, Reach] = field(default_factory=dict)
    """By the name in the expression, or in the object once it was :meth:`named`; empty where `whole`."""

    def add(self, path: Iterable[str]) -> None:
        """Add a selection; all of what it ends at is looked at."""
        at = self
        for name in path:
            if at.whole:
                return
            at = at.below.setdefault(name, Reach())
        at.whole, at.below = True, {}

    def touch(self, path: Iterable[str]) -> None:
        """Add a selection of which only that it is there is looked at."""
        at = self
        for name in path:
            if at.whole:
                return
            at = at.below.setdefault(name, Reach())

    def join(self, other: Reach) -> None:
        """Add all that the other looks at."""
        if other.whole:
            self.add(())
        for name, below in other.below.items():
            if self.whole:
                return
            self.below.setdefault(name, Reach()).join(below)

    def named(self, node: Obj | None) -> Reach:
        """The same by the names that objects have: an expression writes some otherwise (`__namespace__`)."""
        properties: Mapping[str, Any] = (node or {}).get("properties") or {}
        extra = (node or {}).get("additionalProperties")
        raw = {escape(name): name for name in properties}
        found = Reach(self.whole)
        for name, below in self.below.items():
            node_below = properties.get(raw.get(name, name), extra)
            found.below[raw.get(name, name)] = below.named(
                node_below if isinstance(node_below, dict) else None
            )
        return found

    def of(self, value: Any) -> Any:
        """The part of the value that is looked at."""
        if self.whole or not isinstance(value, dict):
            return value
        return {name: below.of(value[name]) for name, below in self.below.items() if name in value}


def reach(expressions: Iterable[Expression], variable: str) -> Reach:
    """What the expressions, all of them together, look at of a variable's value."""
    found = Reach()
    for expression in expressions:
        tokens = tokens_of(expression.source)
        texts = [token.text for token in tokens]
        for i, token in enumerate(tokens):
            selected = i > 0 and texts[i - 1] in (".", ".?")
            if token.kind == "name" and token.text == variable and not selected:
                path = list(_path(texts[i + 1 :]))
                (found.touch if _only_had(texts, i, len(path)) else found.add)(path)
    return found


def _only_had(texts: list[str], i: int, length: int) -> bool:
    """Whether a selection of that length, which begins at the i-th text, is all that a `has()` asks for."""
    end = i + 1 + 2 * length
    return length > 0 and texts[max(0, i - 2) : i] == ["has", "("] and texts[end : end + 1] == [")"]


def _path(texts: list[str]) -> Iterable[str]:
    """The names selected one after the other, up to a call, an index or anything else."""
    i = 0
    while i + 1 < len(texts) and texts[i] in (".", ".?") and texts[i + 2 : i + 3] != ["("]:
        yield texts[i + 1]
        i += 2
