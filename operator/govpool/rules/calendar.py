"""Working days and calendar spans, in the policy's own zone.

Working days are those of the country's public-holiday calendar with its make-up workdays (调休), plus the
days that the policy adds. The day of an event never counts; a span ends with its last day's end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
from dateutil.relativedelta import relativedelta

from govpool.api.base import WorkingDays
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.rules.errors import NoCalendar
from govpool.rules.remembered import once

END_OF_DAY = time(23, 59, 59)
"""The last second of a day: what is due that day may still be done in it."""
_DURATION = re.compile(
    r"^P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?P<clock>T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?$"
)
_SUBSTITUTION_FIELDS = 4


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """The calendar that a policy counts by."""

    country: str
    zone: ZoneInfo
    days_off: frozenset[date] = frozenset()
    """Days off that the policy adds; they win over its make-up workdays."""
    workdays: frozenset[date] = frozenset()
    """Make-up workdays that the policy adds."""

    @classmethod
    def of(cls, policy: CloudPolicySpec) -> WorkCalendar:
        """The policy's calendar.

        Raises NoCalendar if its country has no public-holiday calendar, and
        zoneinfo.ZoneInfoNotFoundError if its time zone does not exist.
        """
        return _of(policy)

    def announced(self, year: int) -> bool:
        """Whether the year's make-up workdays are known, from the calendar or from the policy.

        Until they are announced (in China each November for the next year), spans that reach into that year
        are counted by weekends and statutory holidays, and may move by a day or two: a reason for a warning,
        never for a failure.
        """
        added = (day.year == year for days in (self.days_off, self.workdays) for day in days)
        return _announced(self.country, year) or any(added)

    def is_working_day(self, day: date) -> bool:
        """Whether offices work on that day."""
        if day in self.days_off:
            return False
        if day in self.workdays:
            return True
        days = _public_days(self.country, day.year)
        if day in days.makeup:
            return True
        return day.weekday() not in days.weekend and day not in days.off

    def local_day(self, at: datetime) -> date:
        """The day of an instant in the policy's zone. Raises ValueError for an instant without a zone."""
        return self._local(at).date()

    def end_of(self, day: date) -> datetime:
        """The last second of a day in the policy's zone."""
        return datetime.combine(day, END_OF_DAY, self.zone)

    def start_of(self, day: date) -> datetime:
        """The first instant of a day in the policy's zone."""
        return datetime.combine(day, time.min, self.zone)

    def after_working_days(self, since: datetime, span: WorkingDays) -> datetime:
        """End of the span's last working day. The day of ``since`` does not count."""
        return self.end_of(self._count(self.local_day(since), span.working_days, timedelta(days=1)))

    def before_working_days(self, until: datetime, span: WorkingDays) -> datetime:
        """The last instant that is the span ahead of ``until``: the end of the last working day before it.

        The day of ``until`` does not count. What must be asked for that far ahead is in time up to here.
        """
        return self.end_of(self._count(self.local_day(until), span.working_days, timedelta(days=-1)))

    def after(self, since: datetime, duration: str) -> datetime:
        """End of an ISO-8601 duration that starts at ``since``.

        Years and months are calendar ones and are cut to the month's length (31 January + P1M is
        28 or 29 February). A duration in days or longer ends with its last day's end; one that has
        a time part ends to the second. Raises ValueError if it is no duration.
        """
        days, clock = _span(duration)
        moved = self._local(since) + days
        if clock is None:
            return self.end_of(moved.date())
        return (moved.astimezone(UTC) + clock).astimezone(self.zone)

    def _local(self, at: datetime) -> datetime:
        if at.tzinfo is None:
            raise ValueError(f"an instant without a time zone: {at.isoformat()}")
        return at.astimezone(self.zone)

    def _count(self, day: date, span: int, step: timedelta) -> date:
        left = span
        while left:
            day += step
            left -= self.is_working_day(day)
        return day


@lru_cache(maxsize=256)
def _span(duration: str) -> tuple[relativedelta, timedelta | None]:
    """An ISO-8601 duration: its part by the calendar, and that by the clock if it has one."""
    found = _DURATION.match(duration)
    if found is None or duration.endswith(("P", "T")):
        raise ValueError(f"not an ISO-8601 duration: {duration!r}")
    number = {name: int(found[name] or 0) for name in ("years", "months", "weeks", "days")}
    days = relativedelta(
        years=number["years"], months=number["months"], weeks=number["weeks"], days=number["days"]
    )
    if found["clock"] is None:
        return days, None
    return days, timedelta(**{name: int(found[name] or 0) for name in ("hours", "minutes", "seconds")})


@once
def _of(policy: CloudPolicySpec) -> WorkCalendar:
    rule = policy.calendar
    _public_days(rule.country, policy.effective_from.year)
    return _calendar(rule.country, policy.time_zone, tuple(rule.holidays), tuple(rule.workdays))


@dataclass(frozen=True, slots=True)
class _PublicDays:
    """A country's year."""

    off: frozenset[date]
    makeup: frozenset[date]
    weekend: frozenset[int]


@lru_cache(maxsize=256)
def _calendar(
    country: str, zone: str, days_off: tuple[date, ...], workdays: tuple[date, ...]
) -> WorkCalendar:
    return WorkCalendar(country, ZoneInfo(zone), frozenset(days_off), frozenset(workdays))


@lru_cache(maxsize=256)
def _public_days(country: str, year: int) -> _PublicDays:
    try:
        calendar = holidays.country_holidays(country, years=year, expand=False)
    except NotImplementedError as error:
        raise NoCalendar(country) from error
    return _PublicDays(
        off=frozenset(day for day in calendar if day.year == year),
        makeup=frozenset(day for day in calendar.weekend_workdays if day.year == year),
        weekend=frozenset(calendar.weekend),
    )


@lru_cache(maxsize=256)
def _announced(country: str, year: int) -> bool:
    """Whether the calendar knows the year's substitutions; countries that have none need no announcement."""
    table = getattr(holidays.country_holidays(country), "special_public_holidays", {})
    substituting = any(_substitutes(entries) for entries in table.values())
    return not substituting or year in table


def _substitutes(entries: tuple[object, ...]) -> bool:
    """Whether one year's entries hold a day off that is worked on another day: (month, day, month, day)."""
    rows = entries if isinstance(entries[0], tuple) else (entries,)
    return any(isinstance(row, tuple) and len(row) >= _SUBSTITUTION_FIELDS for row in rows)
