"""The message catalogue: everything that officials read, in English and in Chinese, in one place.

The core never writes prose: it makes a :class:`Message`, a key with its values, which is rendered where
it is shown. Each section of the catalogue is a module of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from govpool.messages import (
    audit,
    cli,
    demo,
    disaster,
    drift,
    findings,
    lifecycle,
    notifications,
    otherwise,
    policy,
    pools,
    rules,
    simulation,
    terms,
    timeline,
    top,
)
from govpool.messages.words import counted, minutes, set_in_chinese

Language = Literal["en", "zh"]

CATALOGUE: Mapping[str, tuple[str, str]] = {
    **rules.TEXTS,
    **audit.TEXTS,
    **otherwise.TEXTS,
    **policy.TEXTS,
    **lifecycle.TEXTS,
    **cli.TEXTS,
    **demo.TEXTS,
    **disaster.TEXTS,
    **timeline.TEXTS,
    **simulation.TEXTS,
    **findings.TEXTS,
    **notifications.TEXTS,
    **top.TEXTS,
    **terms.TEXTS,
    **pools.TEXTS,
    **drift.TEXTS,
}
"""Key to (English, Chinese) templates of :meth:`str.format`.

In English ``{count:server|servers}`` is the word for one, or that for any other number.
"""

OF_WORDS = frozenset(
    {"actions", "application", "material", "papers", "phase", "reports", "role", "stage", "stages", "state"}
    | {"step", "steps", "verdict", "who", "work"}
)
"""Names of values that are words of programs: a Chinese text tells them in Chinese."""
RENDERED = 4096
"""How many rendered texts are kept: an object at rest says the same at every look."""
FOR_AUTHORS = ("policy.", "cli.", "simulate.")
"""Sections whose readers type these words themselves, and so want them as they are."""


@dataclass(frozen=True, slots=True)
class Message:
    """A text of the catalogue with its values; values are names, numbers and dates, never prose."""

    key: str
    values: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a key that nobody could render."""
        if self.key not in CATALOGUE:
            raise KeyError(f"no text for message {self.key!r}: add it to govpool.messages in both languages")

    def render(self, language: Language = "en") -> str:
        """The text in one language."""
        return _rendered(self.key, self.values, language)


@lru_cache(maxsize=RENDERED)
def _rendered(key: str, said: tuple[tuple[str, str], ...], language: Language) -> str:
    english, chinese = CATALOGUE[key]
    values = {name: minutes(text) for name, text in said}
    if language == "en":
        return english.format(**(counted(values) if "|" in english else values))
    return set_in_chinese(chinese, values, frozenset() if key.startswith(FOR_AUTHORS) else OF_WORDS)


def message(key: str, **values: object) -> Message:
    """A message with its values turned into text."""
    return _message(key, tuple([(name, str(value)) for name, value in values.items()]))


@lru_cache(maxsize=RENDERED)
def _message(key: str, values: tuple[tuple[str, str], ...]) -> Message:
    return Message(key, values)
