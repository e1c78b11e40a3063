"""What a CloudPolicy says about pools: who may run them, and what is reported of them how often."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from govpool.api.base import Article, Day, Instant, Model, ShortText, Text
from govpool.api.policy_roles import Role


class PartyRule(Model):
    """Who may be a party of a pool's contracts."""

    dishonest_article: Article | None = None
    """Where it keeps out who is on the list of seriously dishonest entities (严重失信主体名单)."""
    integrator_article: Article | None = None
    """Where the integrator (综合服务机构) is neither a provider nor its affiliate."""


class Frequency(StrEnum):
    """How often something is filed."""

    MONTHLY = "Monthly"
    """月报."""
    QUARTERLY = "Quarterly"
    """季报."""
    ANNUAL = "Annual"
    """年报."""


class Duty(StrEnum):
    """What is filed."""

    OPERATION = "OperationReport"
    """Running state and use of resources (运行情况和资源使用情况报告)."""
    UNIT_SELF_EVALUATION = "UnitSelfEvaluation"
    """A unit's yearly evaluation of its own use (绩效自评)."""
    PROVIDER_EVALUATION = "ProviderEvaluation"
    """The yearly evaluation of the provider (云服务商绩效评估)."""
    USE_EVALUATION = "UseEvaluation"
    """The authority's yearly evaluation of use (政务云使用情况年度评价)."""
    CATALOGUE_REVISION = "CatalogueRevision"
    """The yearly revision of the service directory (服务目录修订)."""


class ReportingRule(Model):
    """Something that is filed again and again. Recorded and shown when due; nothing is enforced with it."""

    duty: Duty
    """What."""
    every: Annotated[list[Frequency], Field(min_length=1, max_length=3)]
    """How often."""
    role: Role
    """Who files it."""
    article: Article
    """Where it says so."""


class FiledReport(Model):
    """A report that was filed."""

    duty: Duty
    """What."""
    every: Frequency
    """For which rhythm."""
    period_ends: Day
    """Last day of the period that it is about."""
    reference: ShortText
    """Document number or place."""
    at: Instant
    """When."""


class PeriodicDue(Model):
    """A report that is due next. It decides nothing."""

    duty: Duty
    """What."""
    every: Frequency
    """For which rhythm."""
    who: Role
    """Who files it."""
    period_ends: Day
    """Last day of the period that it is about."""
    due: Instant
    """When the next period ends: by then it should be there."""
    overdue: bool = False
    """Whether that has passed."""
    article: ShortText
    """Clause, with the policy's code."""
    detail: Text = ""
    """In words."""
