"""What a CloudPolicy says about spans of use: temporary, in an emergency, by the season; and late clocks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from govpool.api.base import Article, Duration, Model, WorkingDays
from govpool.api.policy_roles import Role
from govpool.api.policy_words import MaterialType


class TemporaryRule(Model):
    """Temporary expansions (临时扩容)."""

    max_duration: Duration
    """The longest period."""
    extension_lead: WorkingDays
    """How long ahead an extension is asked for."""
    article: Article
    """Where it says so."""


class PapersGo(StrEnum):
    """What becomes of the papers that follow what was issued in an emergency."""

    DECIDED = "Decided"
    """They are put before the authority like an application (补办申请手续)."""
    FILED = "Filed"
    """They are put on record (备案): complete once all of them are there."""


class PapersOverdue(StrEnum):
    """What follows when the papers do not come in time. Nothing is ever reclaimed by itself."""

    FINDING = "Finding"
    """A finding, which a rectification notice can take up."""
    SHOWN = "Shown"
    """It is shown, counted and escalated, and nothing more."""


class EmergencyRule(Model):
    """Emergency issuing (应急发放)."""

    papers_within: WorkingDays | None = None
    """The papers follow within this span after issuing; none where the regulation sets no number."""
    papers: Annotated[list[MaterialType], Field(max_length=32)] | None = None
    """Which papers follow; without a list those of the application that the emergency went ahead of."""
    papers_go: PapersGo = PapersGo.DECIDED
    """Whether they are decided like an application or only filed."""
    issue_confirmed: bool = False
    """Whether the unit also confirms within that span that the resources were issued."""
    papers_overdue: PapersOverdue = PapersOverdue.FINDING
    """What follows when they do not come."""
    papers_overdue_article: Article | None = None
    """Where it says so; without one the article on emergencies."""
    max_duration: Duration | None = None
    """The longest use, from the day of issue; then it reverts by itself."""
    extension_lead: WorkingDays | None = None
    """How long ahead an extension is asked for."""
    article: Article
    """Where it says so."""


class BusinessCycleRule(Model):
    """Resources follow the unit's busy and quiet periods (按业务周期调整).

    What a quiet period leaves over is switched off and kept with its data; a season destroys nothing.
    """

    article: Article
    """Where it says so."""


class EscalationRule(Model):
    """Who is told of a clock that ran out and was not minded. It decides nothing in anybody's place."""

    after: WorkingDays | None = None
    """How long after the clock ran out; without it at once."""
    role: Role
    """Who is told."""
    article: Article
    """Where it gives them the supervision."""
