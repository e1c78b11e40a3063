"""The message catalogue: everything that officials read, in English and in Chinese, in one place.

The core never writes prose: it makes a :class:`Message`, a key with its values, which is rendered where
it is shown. Each section of the catalogue is a module of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from govpool.messages import (
    audit,
    cli,
    demo,
    disaster,
    findings,
    lifecycle,
    policy,
    pools,
    rules,
    simulation,
    terms,
    timeline,
)

Language = Literal["en", "zh"]

CATALOGUE: Mapping[str, tuple[str, str]] = {
    **rules.TEXTS,
    **audit.TEXTS,
    **policy.TEXTS,
    **lifecycle.TEXTS,
    **cli.TEXTS,
    **demo.TEXTS,
    **disaster.TEXTS,
    **timeline.TEXTS,
    **simulation.TEXTS,
    **findings.TEXTS,
    **terms.TEXTS,
    **pools.TEXTS,
}
"""Key to (English, Chinese) templates of :meth:`str.format`."""


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
        english, chinese = CATALOGUE[self.key]
        return (english if language == "en" else chinese).format(**dict(self.values))


def message(key: str, **values: object) -> Message:
    """A message with its values turned into text."""
    return Message(key, tuple((name, str(value)) for name, value in values.items()))
