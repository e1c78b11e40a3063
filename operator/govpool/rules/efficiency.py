"""How the use of a server is judged (BZ-26, JN-18, WH-29, YY-22): its figures against the policy's numbers.

Three answers: it is so, it is not so, it can't be told. A figure that is missing, or older than the span it
is about, tells nothing, and nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from operator import ge, gt, le, lt

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.policy_efficiency import Comparator, EfficiencyRule, Statistic, UsageGroup, UsageTest
from govpool.api.usage import Usage, UsageFigures, UsageSpan, UsageWindow
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause

HOUR = timedelta(hours=1)
SPANS: Mapping[UsageSpan, str] = {
    UsageSpan.WEEK: "P1W",
    UsageSpan.MONTH: "P1M",
    UsageSpan.THREE_MONTHS: "P3M",
}
COMPARE: Mapping[Comparator, Callable[[float, float], bool]] = {
    Comparator.ABOVE: gt,
    Comparator.AT_LEAST: ge,
    Comparator.BELOW: lt,
    Comparator.AT_MOST: le,
}
_FIELDS: Mapping[Statistic, Callable[[UsageFigures], float | None]] = {
    Statistic.MEAN: lambda figures: figures.mean,
    Statistic.PEAK: lambda figures: figures.peak,
    Statistic.MEAN_OF_DAILY_PEAKS: lambda figures: figures.mean_of_daily_peaks,
    Statistic.MEAN_OF_MONTHLY_PEAKS: lambda figures: figures.mean_of_monthly_peaks,
}


class Answer(StrEnum):
    """What the figures say of a rule."""

    YES = "Yes"
    NO = "No"
    UNKNOWN = "Unknown"
    """A figure is missing or too old."""


@dataclass(frozen=True, slots=True)
class UsageJudgement:
    """What a server's figures say of one rule."""

    rule: EfficiencyRule
    answer: Answer
    clause: str
    """The rule's clause, with the policy's code."""
    figures: tuple[tuple[str, str], ...] = ()
    """What the answer rests on: name and value."""


@dataclass(frozen=True, slots=True)
class _Told:
    answer: Answer
    figures: tuple[tuple[str, str], ...] = ()


UNKNOWN = _Told(Answer.UNKNOWN)


def judge(policy: CloudPolicySpec, usage: Usage | None, now: datetime) -> tuple[UsageJudgement, ...]:
    """What the figures say of each of the policy's rules, in the policy's order."""
    if policy.efficiency is None:
        return ()
    seen = _Seen.of(policy, usage, now)
    return tuple(_judged(policy, rule, seen) for rule in policy.efficiency.rules)


def _judged(policy: CloudPolicySpec, rule: EfficiencyRule, seen: _Seen) -> UsageJudgement:
    told = _any(_group(group, seen) for group in rule.any_of)
    return UsageJudgement(rule, told.answer, clause(policy, rule.article), told.figures)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A server's figures and the days that they are held against."""

    usage: Usage | None
    calendar: WorkCalendar
    today: date
    until: date
    """The last day that was measured."""

    @classmethod
    def of(cls, policy: CloudPolicySpec, usage: Usage | None, now: datetime) -> _Seen:
        """The figures under the policy's calendar; those of the future were not measured."""
        calendar = WorkCalendar.of(policy)
        if usage is not None and usage.observed_until > now:
            usage = None
        until = calendar.local_day(usage.observed_until if usage else now)
        return cls(usage, calendar, calendar.local_day(now), until)

    def after(self, day: date, span: str) -> date:
        """The day that lies the span after another."""
        return self.calendar.local_day(self.calendar.after(self.calendar.start_of(day), span))

    def fresh(self, last: date, span: str) -> bool:
        """Whether figures that end on that day still tell: for as long again as the span that they are of."""
        return last <= self.today <= self.after(last, span)

    def window(self, over: UsageSpan) -> UsageWindow | None:
        """The window of that length, unless it is too old."""
        windows = self.usage.windows if self.usage else []
        found = next((window for window in windows if window.over is over), None)
        return found if found is not None and self.fresh(found.ends, SPANS[over]) else None


def _group(group: UsageGroup, seen: _Seen) -> _Told:
    told = [_test(test, seen) for test in group.all_of]
    for answer in (Answer.NO, Answer.UNKNOWN):
        if any(one.answer is answer for one in told):
            return _Told(answer)
    return _Told(Answer.YES, tuple(figure for one in told for figure in one.figures))


def _any(told: Iterable[_Told]) -> _Told:
    every = list(told)
    for answer in (Answer.YES, Answer.UNKNOWN):
        if found := [one for one in every if one.answer is answer]:
            return _Told(answer, tuple(dict.fromkeys(figure for one in found for figure in one.figures)))
    return _Told(Answer.NO)


def _test(test: UsageTest, seen: _Seen) -> _Told:
    match test.statistic:
        case Statistic.IDLE:
            return _idle(test, seen)
        case Statistic.NO_BUSINESS_DATA:
            return _silent(test, seen)
        case Statistic.FREE_DATA_DISK:
            return _free_disk(test, seen)
        case Statistic.PEAKS_WITHIN_AN_HOUR:
            return _any(_crowded(test, seen))
        case _:
            return _any(_over_window(test, seen))


def _over_window(test: UsageTest, seen: _Seen) -> Iterator[_Told]:
    if test.over is None or test.comparator is None or test.percent is None:
        return
    window = seen.window(test.over)
    for dimension in test.dimensions:
        figures = next((f for f in window.figures if f.dimension is dimension), None) if window else None
        value = _FIELDS[test.statistic](figures) if figures else None
        if value is None:
            yield UNKNOWN
            continue
        name = f"{dimension.value} {test.statistic.value} {test.over.value}"
        met = COMPARE[test.comparator](value, test.percent)
        yield _Told(Answer.YES if met else Answer.NO, ((name, f"{value:g} %"),))


def _crowded(test: UsageTest, seen: _Seen) -> Iterator[_Told]:
    """Whether there is an hour with so many high moments (BZ-26(1): three above 80 percent)."""
    if test.comparator is None or test.percent is None or test.times is None:
        return
    compare, percent, times = COMPARE[test.comparator], test.percent, test.times
    peaks = seen.usage.peaks if seen.usage and seen.fresh(seen.until, SPANS[UsageSpan.WEEK]) else []
    for dimension in test.dimensions:
        known = [peak for peak in peaks if peak.dimension is dimension]
        if not known:
            yield UNKNOWN
            continue
        high = sorted(peak.at for peak in known if compare(peak.percent, percent))
        first = next((a for a, b in zip(high, high[times - 1 :], strict=False) if b - a <= HOUR), None)
        if first is None:
            yield _Told(Answer.NO)
        else:
            value = f"{times} x {test.comparator.value} {percent:g} %, {first.isoformat()}"
            yield _Told(Answer.YES, ((f"{dimension.value} {test.statistic.value}", value),))


def _idle(test: UsageTest, seen: _Seen) -> _Told:
    """Longer than the span: the day after it was still idle (BZ-26(2): 超过3个月)."""
    usage, span = seen.usage, test.longer_than
    if usage is None or span is None or not seen.fresh(seen.until, span):
        return UNKNOWN
    days = {"idleSince": usage.idle_since, "stoppedSince": usage.stopped_since}
    known = {name: day for name, day in days.items() if day is not None}
    if not known:
        return UNKNOWN
    long = tuple((name, str(day)) for name, day in known.items() if seen.until >= seen.after(day, span))
    return _Told(Answer.YES if long else Answer.NO, long)


def _silent(test: UsageTest, seen: _Seen) -> _Told:
    """The span has passed without a day of business data (BZ-26(2): 连续1个月)."""
    last = seen.usage.last_business_data if seen.usage else None
    if last is None or test.longer_than is None or not seen.fresh(seen.until, test.longer_than):
        return UNKNOWN
    met = seen.until >= seen.after(last, test.longer_than)
    return _Told(Answer.YES if met else Answer.NO, (("lastBusinessData", str(last)),))


def _free_disk(test: UsageTest, seen: _Seen) -> _Told:
    """Free space on data disks without what a year adds (JN-18(4))."""
    usage = seen.usage
    if usage is None or test.gib is None or not seen.fresh(seen.until, SPANS[UsageSpan.MONTH]):
        return UNKNOWN
    free, growth = usage.free_data_disk_gib, usage.data_growth_gib_per_year
    if free is None or growth is None:
        return UNKNOWN
    figures = (("freeDataDiskGiB", f"{free} GiB"), ("dataGrowthGiBPerYear", f"{growth} GiB"))
    return _Told(Answer.YES if free - growth > test.gib else Answer.NO, figures)
