"""One thing that is wrong with a policy, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from govpool.messages import Message, message

Path = tuple[str | int, ...]
"""Where in the manifest: field names and indexes of lists, from the top."""


class Sort(StrEnum):
    """What kind of thing it is."""

    WRONG = "wrong"
    """An API server would refuse it."""
    MISSING = "missing"
    """Something else needs it."""
    CONTRADICTORY = "contradictory"
    """Two values can't both hold, or one makes the other idle."""
    BEYOND = "beyond the engine"
    """It says what can't be done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, where, and what to do."""

    sort: Sort
    path: Path
    message: Message

    @property
    def where(self) -> str:
        """The path as an API server writes it: ``spec.procedures[0].stages[2].clock``."""
        return shown(self.path)


def shown(path: Path) -> str:
    """A path as text; ``<root>`` for the manifest itself."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "<root>"


def found(sort: Sort, path: Path, key: str, **values: object) -> Finding:
    """A finding with a text of the catalogue's section ``policy``."""
    return Finding(sort, path, message(f"policy.{key}", **values))
