"""What was measured of one server (使用情况). Plain input: whoever measures writes it, govpool reads it.

A figure that is not there is not zero: it is not known, and no rule says anything about it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from govpool.api.base import Day, Instant, Model, Rule, ShortText, Title

Percent = Annotated[float, Field(ge=0, le=100)]
"""A share of what the server has, in percent."""


class UsageDimension(StrEnum):
    """What is measured."""

    CPU = "CPU"
    """Processor time, of all vCPUs."""
    MEMORY = "Memory"
    """Memory."""
    STORAGE = "Storage"
    """Space on its data disks (存储空间、数据盘)."""


class UsageSpan(StrEnum):
    """How long a window is, counted back from its last day."""

    WEEK = "Week"
    """7 days."""
    MONTH = "Month"
    """A calendar month."""
    THREE_MONTHS = "ThreeMonths"
    """Three calendar months."""


class UsageFigures(Model):
    """The figures of one dimension over one window, in percent of what the server has."""

    dimension: UsageDimension
    """What was measured."""
    mean: Percent | None = None
    """Mean over the window (平均使用率)."""
    peak: Percent | None = None
    """Highest value in the window; over several months also the highest monthly peak (峰值)."""
    mean_of_daily_peaks: Percent | None = None
    """Mean of the peaks of its days (日峰值的均值)."""
    mean_of_monthly_peaks: Percent | None = None
    """Mean of the peaks of its months (月均峰值)."""


class UsageWindow(Model):
    """What was measured over one window."""

    over: UsageSpan
    """Its length."""
    ends: Day
    """Its last day, in the policy's time zone."""
    figures: Annotated[list[UsageFigures], Field(max_length=3)]
    """One entry per dimension."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.figures.all(f, self.figures.exists_one(g, g.dimension == f.dimension))",
            "a window has one entry per dimension",
        ),
    )


class UsagePeak(Model):
    """A moment at which a dimension was high."""

    dimension: UsageDimension
    """What was measured."""
    at: Instant
    """When."""
    percent: Percent
    """How high, in percent of what the server has."""


class Usage(Model):
    """What was measured of one server, as last recorded."""

    recorded_at: Instant
    """When it was recorded."""
    recorded_by: Title
    """The user who recorded it."""
    observed_until: Instant
    """Until when it was measured; never later than it was recorded."""
    source: ShortText = ""
    """Where the figures come from: a monitoring system, a report."""
    windows: Annotated[list[UsageWindow], Field(max_length=3)] = []
    """One window of each length."""
    peaks: Annotated[list[UsagePeak], Field(max_length=64)] = []
    """The high moments of the last seven days."""
    last_business_data: Day | None = None
    """The last day on which the system produced business data (业务数据)."""
    idle_since: Day | None = None
    """The first day from which on nobody used it (闲置), while that lasts."""
    stopped_since: Day | None = None
    """The first day from which on it was stopped (停止服务), while that lasts."""
    in_use: bool | None = None
    """Whether anybody ever used it since the handover: false says that it never was used. None: not known."""
    logins: Annotated[int, Field(ge=0)] | None = None
    """Logins since the handover."""
    free_data_disk_gib: Annotated[int, Field(ge=0)] | None = None
    """Free space on its data disks, in GiB (数据盘剩余空间)."""
    data_growth_gib_per_year: Annotated[int, Field(ge=0)] | None = None
    """What is added to its data disks within a year, in GiB (一年内新增量)."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.windows.all(w, self.windows.exists_one(v, v.over == w.over))",
            "there is one window of each length",
        ),
        Rule(
            "!has(self.inUse) || self.inUse || !has(self.logins) || self.logins == 0",
            "a server with logins was used: inUse must not be false",
        ),
        Rule(
            "self.observedUntil <= self.recordedAt",
            "figures are recorded after they were measured: observedUntil must not be later than recordedAt",
        ),
    )
