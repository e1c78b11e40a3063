"""Working days and calendar spans, to the day."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_support import at, end_of, rules

from govpool.api.base import WorkingDays
from govpool.rules.calendar import WorkCalendar
from govpool.rules.errors import NoCalendar

CALENDAR = WorkCalendar.of(rules())


def wd(days: int) -> WorkingDays:
    return WorkingDays(working_days=days)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-11-20", True),  # an ordinary Friday
        ("2026-11-21", False),  # an ordinary Saturday
        ("2026-01-01", False),  # New Year
        ("2026-01-02", False),  # a Friday off, worked for on the 4th
        ("2026-01-04", True),  # a Sunday that is worked
        ("2026-02-14", True),  # a Saturday that is worked
        ("2026-02-16", False),  # the eve of the Spring Festival
        ("2026-02-23", False),  # its last day off
        ("2026-02-24", True),
        ("2026-09-20", True),  # a Sunday that is worked
        ("2026-10-07", False),
        ("2026-10-10", True),  # a Saturday that is worked
        ("2006-12-31", True),  # a Sunday that is worked for the next year's 3 January
    ],
)
def test_holidays_and_makeup_workdays(day: str, works: bool) -> None:
    assert CALENDAR.is_working_day(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("since", "days", "until"),
    [
        ("2026-11-20 09:00", 1, "2026-11-23"),  # Friday: the weekend does not count
        ("2026-11-21 09:00", 1, "2026-11-23"),  # Saturday
        ("2026-11-22 23:59:59", 1, "2026-11-23"),  # Sunday's last second
        ("2026-11-23 00:00", 1, "2026-11-24"),  # the day of the event does not count
        ("2026-11-23 23:59:59", 10, "2026-12-07"),
        ("2026-02-13 10:00", 1, "2026-02-14"),  # the next day is a worked Saturday
        ("2026-02-14 10:00", 1, "2026-02-24"),  # nine days off follow it
        ("2026-09-30 17:00", 3, "2026-10-10"),  # 8 and 9 October, then the worked Saturday
        ("2025-12-31 12:00", 1, "2026-01-04"),
    ],
)
def test_spans_of_working_days_end_with_the_last_days_end(since: str, days: int, until: str) -> None:
    assert CALENDAR.after_working_days(at(since), wd(days)) == end_of(until)


@pytest.mark.parametrize(
    ("until", "days", "latest"),
    [
        ("2026-11-24 09:00", 1, "2026-11-23"),
        ("2026-11-23 09:00", 1, "2026-11-20"),
        ("2026-02-24 09:00", 1, "2026-02-14"),  # back over the Spring Festival to the worked Saturday
        ("2026-12-31 23:59:59", 7, "2026-12-22"),
    ],
)
def test_leads_are_counted_back_from_the_day_before(until: str, days: int, latest: str) -> None:
    assert CALENDAR.before_working_days(at(until), wd(days)) == end_of(latest)


def test_the_policys_own_days_are_added_and_its_days_off_win() -> None:
    own = rules(calendar={"holidays": ["2026-11-23", "2026-11-25"], "workdays": ["2026-11-28", "2026-11-25"]})
    calendar = WorkCalendar.of(own)
    assert not calendar.is_working_day(date(2026, 11, 23))
    assert calendar.is_working_day(date(2026, 11, 28))
    assert not calendar.is_working_day(date(2026, 11, 25))
    assert calendar.after_working_days(at("2026-11-20"), wd(1)) == end_of("2026-11-24")


@pytest.mark.parametrize(
    ("since", "duration", "until"),
    [
        ("2027-01-31 08:00", "P1M", "2027-02-28"),  # cut to the month
        ("2028-01-31 08:00", "P1M", "2028-02-29"),  # in a leap year
        ("2028-02-29 08:00", "P1Y", "2029-02-28"),
        ("2026-11-21 08:00", "P1M", "2026-12-21"),
        ("2026-11-21 08:00", "P30D", "2026-12-21"),
        ("2026-01-31 08:00", "P30D", "2026-03-02"),  # thirty days are not a month
        ("2026-11-30 23:59:59", "P3M", "2027-02-28"),
        ("2026-11-21 00:00", "P2W", "2026-12-05"),
        ("2026-11-21 00:00", "P1Y2M3D", "2028-01-24"),
    ],
)
def test_durations_are_calendar_spans_to_the_end_of_their_last_day(
    since: str, duration: str, until: str
) -> None:
    assert CALENDAR.after(at(since), duration) == end_of(until)


def test_a_duration_with_a_time_part_ends_to_the_second() -> None:
    assert CALENDAR.after(at("2026-11-21 23:30:00"), "PT45M") == at("2026-11-22 00:15:00")
    assert CALENDAR.after(at("2026-01-31 10:00"), "P1MT1H") == at("2026-02-28 11:00")


@pytest.mark.parametrize("duration", ["", "P", "PT", "P1DT", "1M", "P-1D", "P1.5D", "P1D2M"])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="ISO-8601"):
        CALENDAR.after(at("2026-11-21"), duration)


def test_days_begin_and_end_in_the_policys_zone() -> None:
    late_in_greenwich = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)  # 00:00 on Monday in Shanghai
    assert CALENDAR.local_day(late_in_greenwich) == date(2026, 11, 23)
    assert CALENDAR.after_working_days(late_in_greenwich, wd(1)) == end_of("2026-11-24")
    just_before = late_in_greenwich - timedelta(seconds=1)
    assert CALENDAR.after_working_days(just_before, wd(1)) == end_of("2026-11-23")


def test_a_span_over_a_clock_change_ends_at_the_local_days_end() -> None:
    berlin = WorkCalendar.of(rules(time_zone="Europe/Berlin", calendar={"country": "DE"}))
    until = berlin.after(datetime(2026, 3, 28, 11, tzinfo=UTC), "P1D")
    assert until.isoformat() == "2026-03-29T23:59:59+02:00"
    exact = berlin.after(datetime(2026, 3, 28, 23, 30, tzinfo=UTC), "PT1H")
    assert exact.astimezone(UTC) == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        CALENDAR.local_day(datetime(2026, 11, 21))


def test_a_country_without_a_calendar_is_refused() -> None:
    with pytest.raises(NoCalendar, match="ZZ"):
        WorkCalendar.of(rules(calendar={"country": "ZZ"}))


def test_years_without_announced_makeup_workdays_are_told() -> None:
    assert CALENDAR.announced(2026)
    assert not CALENDAR.announced(2099)
    assert WorkCalendar.of(rules(calendar={"workdays": ["2099-01-04"]})).announced(2099)
    assert WorkCalendar.of(rules(calendar={"country": "DE"})).announced(2099)


INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))
SPANS = st.integers(1, 60)


@given(INSTANTS, INSTANTS, SPANS)
def test_later_events_are_never_due_earlier(one: datetime, other: datetime, days: int) -> None:
    first, second = sorted((one, other))
    assert CALENDAR.after_working_days(first, wd(days)) <= CALENDAR.after_working_days(second, wd(days))
    assert CALENDAR.before_working_days(first, wd(days)) <= CALENDAR.before_working_days(second, wd(days))
    assert CALENDAR.after(first, f"P{days}M") <= CALENDAR.after(second, f"P{days}M")


@given(INSTANTS, SPANS)
def test_spans_end_on_a_working_day_and_hold_exactly_their_days(since: datetime, days: int) -> None:
    until = CALENDAR.after_working_days(since, wd(days))
    first, last = CALENDAR.local_day(since), CALENDAR.local_day(until)
    between = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert CALENDAR.is_working_day(last)
    assert sum(CALENDAR.is_working_day(day) for day in between) == days


@given(INSTANTS, SPANS)
def test_what_was_asked_in_time_has_run_its_lead_by_the_day(until: datetime, days: int) -> None:
    asked = CALENDAR.before_working_days(until, wd(days))
    ready, day = CALENDAR.local_day(CALENDAR.after_working_days(asked, wd(days))), CALENDAR.local_day(until)
    off = [day + timedelta(days=n) for n in range((ready - day).days)]
    assert ready >= day
    assert not any(CALENDAR.is_working_day(one) for one in off)
