"""Busy and quiet periods (业务高峰、低谷): resources follow them on their dates every year (WH-30)."""

from __future__ import annotations

import calendar as months
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudresourcerequest import BusinessCycle, RequestContent, Server
from govpool.messages import message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.refusal import Refusal

LEAP_YEAR = 2028
COMMON_YEAR = 2026


def carried_out(policy: CloudPolicySpec) -> bool:
    """Whether resources follow the periods; where the policy has no such article they are a record."""
    return policy.business_cycles is not None


def period(cycle: BusinessCycle, day: date) -> tuple[date, date] | None:
    """First and last day of the period that a day lies in; None when it lies in none.

    A period that ends before it starts runs over New Year. In a year without 29 February, one that starts
    then starts on 1 March, and one that ends then ends on the 28th.
    """
    for year in (day.year - 1, day.year):
        first = _first(cycle.starts, year)
        last = _last(cycle.ends, year if cycle.starts <= cycle.ends else year + 1)
        if first <= day <= last:
            return first, last
    return None


def length(cycle: BusinessCycle) -> int:
    """How many days of a common year the period has, its first and its last day included."""
    first = _first(cycle.starts, COMMON_YEAR)
    last = _last(cycle.ends, COMMON_YEAR if cycle.starts <= cycle.ends else COMMON_YEAR + 1)
    return (last - first).days + 1


def active(content: RequestContent, group: str, day: date) -> BusinessCycle | None:
    """The period of the group that a day lies in."""
    own = (cycle for cycle in content.business_cycles if cycle.server == group)
    return next((cycle for cycle in own if period(cycle, day) is not None), None)


def running_on(content: RequestContent, group: Server, day: date) -> int:
    """How many servers of the group run on a day: the period's count, or that of the rest of the year."""
    cycle = active(content, group.name, day)
    return group.count if cycle is None else cycle.count


def kept_at_most(content: RequestContent, group: Server) -> int:
    """How many servers of the group are kept through the year, running or switched off."""
    return max([group.count, *(one.count for one in content.business_cycles if one.server == group.name)])


def next_turn(content: RequestContent, calendar: WorkCalendar, now: datetime) -> datetime | None:
    """When the next period begins or ends; None when there is none."""
    today = calendar.local_day(now)
    turns = [calendar.start_of(day) for cycle in content.business_cycles for day in _turns(cycle, today)]
    return min((turn for turn in turns if turn > now), default=None)


def check(content: RequestContent, policy: CloudPolicySpec) -> Iterator[Refusal]:
    """Every reason why the periods can't be carried out. Where they are a record, none is looked for."""
    if policy.business_cycles is None:
        return
    under, groups = clause(policy, policy.business_cycles.article), {one.name for one in content.servers}
    for index, cycle in enumerate(content.business_cycles):
        if cycle.server not in groups:
            text = message("terms.cycle-of-no-group", cycle=cycle.name, server=cycle.server)
            yield Refusal("CycleOfNoGroup", text, under)
        for day in (cycle.starts, cycle.ends):
            if not _exists(day):
                text = message("terms.cycle-on-no-day", cycle=cycle.name, day=day)
                yield Refusal("CycleOnNoDay", text, under)
        for other in content.business_cycles[:index]:
            if other.server == cycle.server and _overlap(cycle, other):
                text = message("terms.cycles-overlap", cycle=cycle.name, other=other.name)
                yield Refusal("CyclesOverlap", text, under)


def _turns(cycle: BusinessCycle, today: date) -> Iterator[date]:
    for year in (today.year - 1, today.year, today.year + 1):
        yield _first(cycle.starts, year)
        yield _last(cycle.ends, year) + timedelta(days=1)


def _first(day: str, year: int) -> date:
    """The day in a year; a day that the month does not have begins with the next month."""
    month, number = _parts(day)
    length = months.monthrange(year, month)[1]
    return date(year, month, number) if number <= length else date(year, month, length) + timedelta(days=1)


def _last(day: str, year: int) -> date:
    """The day in a year; a day that the month does not have ends with the month."""
    month, number = _parts(day)
    return date(year, month, min(number, months.monthrange(year, month)[1]))


def _exists(day: str) -> bool:
    month, number = _parts(day)
    return number <= months.monthrange(LEAP_YEAR, month)[1]


def _parts(day: str) -> tuple[int, int]:
    month, number = day.split("-")
    return int(month), int(number)


def _overlap(one: BusinessCycle, other: BusinessCycle) -> bool:
    """Whether a day of a leap year lies in both; a period lasts from its start to its end, both included."""
    first = date(LEAP_YEAR, 1, 1)
    days = (first + timedelta(days=number) for number in range(366))
    return any(period(one, day) is not None and period(other, day) is not None for day in days)
