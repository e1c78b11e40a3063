"""CloudPolicy's part on evidence with a validity: assessments, filings and tests (测评、备案)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from govpool.api.base import Article, Day, Duration, Model, Rule
from govpool.api.policy_words import MaterialType


class EvidenceSubject(StrEnum):
    """What evidence is about."""

    SYSTEM = "System"
    """The unit's information system."""
    PLATFORM = "Platform"
    """The cloud platform itself; the pool states it."""


class EvidenceRule(Model):
    """Evidence that must be there and valid."""

    material: MaterialType
    """What it is."""
    subject: EvidenceSubject = EvidenceSubject.SYSTEM
    """What it is about."""
    from_level: Annotated[int, Field(ge=1, le=5)] = 1
    """The protection level from which on it is required."""
    at_go_live: bool = False
    """Whether it must be there when formal operation begins (上线)."""
    renewed_every: Duration | None = None
    """How old it may be; its own validity, where it states one, may end earlier."""
    by_authority: bool = False
    """Whether the span is set by the authority, where the regulation only says "regularly" (定期)."""
    article: Article
    """Where it says so."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.atGoLive || has(self.renewedEvery)",
            "evidence is required atGoLive, or renewedEvery so often, or both",
        ),
    )


class MakeGoodRule(Model):
    """What systems that were on the cloud before the regulation make good, until when (限期补充)."""

    materials: Annotated[list[MaterialType], Field(min_length=1, max_length=8)]
    """The papers."""
    until: Day
    """The last day on which they may come."""
    article: Article
    """Where it says so."""
