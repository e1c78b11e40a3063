"""CloudPolicy's part on efficiency (资源使用效率): which figures are a finding, and what it proposes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from govpool.api.base import Article, Duration, Model, Name, Rule
from govpool.api.usage import UsageDimension, UsageSpan


class EfficiencySort(StrEnum):
    """What a finding proposes. It never acts by itself."""

    EXPAND = "Expand"
    """More is admissible, or advised (扩容、调增)."""
    REDUCE = "Reduce"
    """Less is advised (核减、降配、调减)."""
    ZOMBIE = "Zombie"
    """A system that nobody uses (僵尸系统)."""
    OUT_OF_BAND = "OutOfBand"
    """Outside the band in which use shall lie (利用率原则上不低于、不高于)."""


class Statistic(StrEnum):
    """Which figure a test looks at."""

    MEAN = "Mean"
    PEAK = "Peak"
    MEAN_OF_DAILY_PEAKS = "MeanOfDailyPeaks"
    MEAN_OF_MONTHLY_PEAKS = "MeanOfMonthlyPeaks"
    PEAKS_WITHIN_AN_HOUR = "PeaksWithinAnHour"
    """Moments within one hour that are as high as ``comparator`` and ``percent`` say: at least ``times``."""
    IDLE = "Idle"
    """Days that it has been idle or stopped: longer than ``longerThan``."""
    NO_BUSINESS_DATA = "NoBusinessData"
    """Days since it last produced business data: at least ``longerThan``."""
    FREE_DATA_DISK = "FreeDataDisk"
    """Free data disk less a year's growth: more than ``gib``."""


class Comparator(StrEnum):
    """How a figure is held against the number."""

    ABOVE = "Above"
    """More than it (高于)."""
    AT_LEAST = "AtLeast"
    """It or more (不低于)."""
    BELOW = "Below"
    """Less than it (低于)."""
    AT_MOST = "AtMost"
    """It or less (及以下)."""


class UsageTest(Model):
    """One test of a server's figures. True for any of its dimensions is true."""

    statistic: Statistic
    """Which figure."""
    dimensions: Annotated[list[UsageDimension], Field(max_length=3)] = []
    """Of what; any one of them suffices."""
    over: UsageSpan | None = None
    """Over which window."""
    comparator: Comparator | None = None
    """How it is compared."""
    percent: Annotated[float, Field(ge=0, le=100)] | None = None
    """With what, in percent of what the server has."""
    times: Annotated[int, Field(ge=1, le=64)] | None = None
    """How often, for PeaksWithinAnHour."""
    longer_than: Duration | None = None
    """How long, for Idle and NoBusinessData."""
    gib: Annotated[int, Field(ge=0)] | None = None
    """How much, in GiB, for FreeDataDisk."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(self.statistic in ['Mean', 'Peak', 'MeanOfDailyPeaks', 'MeanOfMonthlyPeaks'])"
            " || (has(self.over) && has(self.comparator) && has(self.percent) && size(self.dimensions) > 0)",
            "a figure over a window states dimensions, over, comparator and percent",
        ),
        Rule(
            "self.statistic != 'PeaksWithinAnHour'"
            " || (has(self.times) && has(self.comparator) && has(self.percent) && size(self.dimensions) > 0)",
            "PeaksWithinAnHour states dimensions, comparator, percent and times",
        ),
        Rule(
            "!(self.statistic in ['Idle', 'NoBusinessData']) || has(self.longerThan)",
            "Idle and NoBusinessData state longerThan",
        ),
        Rule("self.statistic != 'FreeDataDisk' || has(self.gib)", "FreeDataDisk states gib"),
    )


class UsageGroup(Model):
    """Tests that must all be true."""

    all_of: Annotated[list[UsageTest], Field(min_length=1, max_length=8)]
    """The tests."""


class EfficiencyRule(Model):
    """One finding: when it is one, and what it proposes."""

    name: Name
    """Its name within the policy."""
    sort: EfficiencySort
    """What it proposes."""
    any_of: Annotated[list[UsageGroup], Field(min_length=1, max_length=8)]
    """Any group of tests that is true makes the finding."""
    soft: bool = False
    """A principle (原则上): it proposes, and no notice ever follows."""
    expert_review: bool = False
    """Whether experts assess it before anything is done (组织专业机构进行评审)."""
    by_authority: bool = False
    """Whether its numbers are set by the authority, where the regulation has none."""
    article: Article
    """Where it says so."""


class EfficiencyRules(Model):
    """How use is judged (资源使用效率)."""

    rules: Annotated[list[EfficiencyRule], Field(min_length=1, max_length=16)]
    """The findings."""
    expansion_article: Article | None = None
    """Where it says that servers may be expanded only once use is high enough (达标扩容, BZ-26(1)).

    Without it the findings are proposals, and any change may be asked for.
    """
    emergency_expansion_article: Article | None = None
    """Where a bottleneck is met at once with consent, and the papers of a change follow (应急扩容).

    Without it no emergency is granted on a finding.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.rules.all(r, self.rules.exists_one(s, s.name == r.name))",
            "names of efficiency rules must be unique",
        ),
    )
