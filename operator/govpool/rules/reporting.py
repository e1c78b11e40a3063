"""What is filed how often (register 7), and until when: recorded and shown, never enforced.

No regulation says until which day a report of a period follows. It is shown as due when the next period of
the same length ends, and that is all that comes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.policy_pool import Duty, FiledReport, Frequency, PeriodicDue, ReportingRule
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause

_MONTHS = {Frequency.MONTHLY: 1, Frequency.QUARTERLY: 3, Frequency.ANNUAL: 12}
OF_UNITS = frozenset({Duty.UNIT_SELF_EVALUATION})
"""Duties of each unit; all others are those of a pool."""


def due(
    policy: CloudPolicySpec,
    filed: Iterable[FiledReport],
    since: datetime,
    now: datetime,
    *,
    of_units: bool = False,
) -> list[PeriodicDue]:
    """The oldest report of each rhythm that was not filed, for periods that began on or after ``since``."""
    known = {(one.duty, one.every, one.period_ends) for one in filed}
    return [
        _next(policy, rule, every, known, since, now)
        for rule in policy.reporting
        if (rule.duty in OF_UNITS) is of_units
        for every in rule.every
    ]


def _next(
    policy: CloudPolicySpec,
    rule: ReportingRule,
    every: Frequency,
    known: set[tuple[Duty, Frequency, date]],
    since: datetime,
    now: datetime,
) -> PeriodicDue:
    calendar = WorkCalendar.of(policy)
    first = period_start(calendar.local_day(max(since, calendar.start_of(policy.effective_from))), every)
    while (rule.duty, every, period_end(first, every)) in known:
        first = period_end(first, every) + timedelta(days=1)
    last = period_end(first, every)
    at = calendar.end_of(period_end(last + timedelta(days=1), every))
    return PeriodicDue(
        duty=rule.duty,
        every=every,
        who=rule.role,
        period_ends=last,
        due=at,
        overdue=now > at,
        article=clause(policy, rule.article),
    )


def period_start(day: date, every: Frequency) -> date:
    """First day of the calendar month, quarter or year that the day is in."""
    span = _MONTHS[every]
    return date(day.year, (day.month - 1) // span * span + 1, 1)


def period_end(day: date, every: Frequency) -> date:
    """Last day of the calendar month, quarter or year that the day is in."""
    start, span = period_start(day, every), _MONTHS[every]
    years, month = divmod(start.month - 1 + span, 12)
    return date(start.year + years, month + 1, 1) - timedelta(days=1)
