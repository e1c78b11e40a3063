"""A finding on a request (发现的问题): what stands against it, under which clause, with its figures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from govpool.api.base import Instant, Model, ShortText, Text, Title
from govpool.api.rectification_words import NoticeFinding


class TextInBoth(Model):
    """A text that govpool wrote, in both languages."""

    en: Text
    """English."""
    zh: Text
    """Chinese."""

    def of(self, language: Literal["en", "zh"]) -> str:
        """The text in one language."""
        return self.en if language == "en" else self.zh


class Figure(Model):
    """A line of evidence (证据): a figure, a date, the name of a report."""

    what: Title
    """What it is."""
    value: ShortText
    """Its value, with its unit."""


class RequestFinding(Model):
    """Something that was found. It never acts by itself: it is shown, and a notice may follow."""

    key: Title
    """Deterministic: the same finding has the same key for as long as it lasts."""
    finding: NoticeFinding
    """What it is."""
    server: Title | None = None
    """The CloudServer that it is about; none: the system as a whole."""
    text: Text
    """What was found and what to do next, for people."""
    words: TextInBoth | None = None
    """The same in both languages."""
    article: ShortText
    """Clause that it follows, with the policy's code."""
    since: Instant
    """Since when it has been found without a break."""
    soft: bool = False
    """Whether it only proposes (原则上)."""
    expert_review: bool = False
    """Whether experts assess it first."""
    figures: Annotated[list[Figure], Field(max_length=16)] = []
    """What it rests on."""
