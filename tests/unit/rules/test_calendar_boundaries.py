"""Clocks to the day: long holidays, make-up workdays, the month's end, midnight, and other zones."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from rules_support import at, content, end_of, refusals, rules

from govpool.api.base import WorkingDays
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.rules.admission_term import last_day
from govpool.rules.calendar import WorkCalendar
from govpool.rules.deregistration import earliest
from govpool.rules.emergency import papers_due
from govpool.rules.migration import keep_until
from govpool.rules.trial import trial

YY, BZ, JN, WH, T = "yiyang-2025", "bozhou-2024", "jinan-startup-area-2025", "weihai-2025", "template"
CALENDAR = WorkCalendar.of(rules())


def clock(name: str, application: str, stage: str) -> WorkingDays:
    """The clock of a stage as the policy has it."""
    spec = rules(name)
    found = next(
        rule.clock
        for procedure in spec.procedures
        if procedure.application == application
        for rule in procedure.stages
        if rule.stage == stage
    )
    assert found is not None
    return found


def off(first: str, last: str) -> list[date]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [begin + timedelta(days=n) for n in range((end - begin).days + 1)]


# -- the long holidays, as announced --------------------------------------------------------------
@pytest.mark.parametrize(
    ("first", "last", "worked"),
    [
        ("2025-10-01", "2025-10-08", ["2025-09-28", "2025-10-11"]),
        ("2026-10-01", "2026-10-07", ["2026-09-20", "2026-10-10"]),
        ("2026-02-15", "2026-02-23", ["2026-02-14", "2026-02-28"]),
    ],
)
def test_a_long_holiday_is_off_and_its_make_up_days_are_worked(
    first: str, last: str, worked: list[str]
) -> None:
    assert not any(CALENDAR.is_working_day(day) for day in off(first, last))
    for day in map(date.fromisoformat, worked):
        assert day.weekday() >= 5
        assert CALENDAR.is_working_day(day)
    assert CALENDAR.is_working_day(date.fromisoformat(last) + timedelta(days=1))


@pytest.mark.parametrize(
    ("name", "application", "stage", "since", "due"),
    [
        # 30 September 2025 is a Tuesday; 1 to 8 October are off, Saturday the 11th is worked
        (YY, "New", "Acceptance", "2025-09-30 16:00", "2025-10-21"),
        (YY, "Change", "Review", "2025-09-30 16:00", "2025-10-21"),
        # in 2026 they are off until the 7th, and Saturday the 10th is worked
        (YY, "New", "Acceptance", "2026-09-30 16:00", "2026-10-20"),
    ],
)
def test_yy_19_2_20_23_working_days_over_the_golden_weeks(
    name: str, application: str, stage: str, since: str, due: str
) -> None:
    assert CALENDAR.after_working_days(at(since), clock(name, application, stage)) == end_of(due)


@pytest.mark.parametrize(
    ("since", "due"),
    [
        ("2025-09-30 16:00", "2025-10-10"),
        ("2025-10-01 09:00", "2025-10-10"),  # what comes in on a holiday waits for two working days
        ("2026-09-30 16:00", "2026-10-09"),
        ("2026-10-09 09:00", "2026-10-12"),  # the worked Saturday counts, Sunday does not
    ],
)
def test_wh_19_2_two_working_days_over_the_golden_weeks(since: str, due: str) -> None:
    assert WorkCalendar.of(rules(WH)).after_working_days(at(since), clock(WH, "New", "Acceptance")) == end_of(
        due
    )


@pytest.mark.parametrize(
    ("ends", "latest"),
    [
        ("2026-02-28", "2026-02-12"),  # 24 to 27, and before the festival 14, 13 and 12
        ("2026-02-24", "2026-02-06"),  # seven before the 24th: 14, 13, 12, 11, 10, 9 and 6
        ("2026-02-20", "2026-02-06"),  # an end in the middle of the festival
    ],
)
def test_bz_22_24_seven_working_days_ahead_over_the_spring_festival(ends: str, latest: str) -> None:
    rule = rules(BZ).temporary
    assert rule is not None
    assert CALENDAR.before_working_days(end_of(ends), rule.extension_lead) == end_of(latest)


@pytest.mark.parametrize(
    ("since", "due"),
    [
        ("2026-02-13 10:00", "2026-03-05"),  # the 14th, the 24th to the worked 28th, then 2 to 5 March
        ("2026-02-14 23:59:59", "2026-03-06"),
        ("2026-02-18 12:00", "2026-03-06"),  # in the middle of it
    ],
)
def test_jn_13_17_19_ten_working_days_over_the_spring_festival(since: str, due: str) -> None:
    jinan, start = rules(JN), at(since)
    assert papers_due(jinan, start) == (end_of(due), "JN-13")
    assert earliest(jinan, start) == end_of(due)
    review = clock(JN, "Change", "Review")
    assert WorkCalendar.of(jinan).after_working_days(start, review) == end_of(due)


def test_a_day_that_is_announced_late_moves_a_clock_by_that_day() -> None:
    base = {"country": "CN"}
    later = rules(YY, calendar=base | {"holidays": ["2026-11-25"], "workdays": ["2026-11-28"]})
    review = WorkingDays(working_days=3)
    assert WorkCalendar.of(later).after_working_days(at("2026-11-23 09:00"), review) == end_of("2026-11-27")
    assert WorkCalendar.of(later).after_working_days(at("2026-11-24 09:00"), review) == end_of("2026-11-28")
    assert CALENDAR.after_working_days(at("2026-11-23 09:00"), review) == end_of("2026-11-26")


# -- months ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("handed_over", "month", "thirty"),
    [
        ("2026-01-31 09:00", "2026-02-28", "2026-03-02"),
        ("2028-01-31 09:00", "2028-02-29", "2028-03-01"),  # a leap year
        ("2028-01-30 09:00", "2028-02-29", "2028-02-29"),
        ("2028-02-29 09:00", "2028-03-29", "2028-03-30"),  # the leap day itself
        ("2026-11-30 23:59:59", "2026-12-30", "2026-12-30"),
        ("2026-12-31 00:00", "2027-01-31", "2027-01-30"),
    ],
)
def test_yy_19_3_jn_15_a_month_and_thirty_days_from_the_months_end(
    handed_over: str, month: str, thirty: str
) -> None:
    yiyang, jinan = trial(rules(YY), at(handed_over)), trial(rules(JN), at(handed_over))
    assert yiyang is not None
    assert jinan is not None
    assert (yiyang.ends, jinan.ends) == (end_of(month), end_of(thirty))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-30", "2027-02-27"),
        ("2027-11-30", "2028-02-28"),
        ("2026-12-01", "2027-02-28"),
        ("2027-12-01", "2028-02-29"),
    ],
)
def test_bz_22_three_months_over_the_end_of_february(first: str, last: str) -> None:
    rule = rules(BZ).temporary
    assert rule is not None
    assert last_day(CALENDAR, date.fromisoformat(first), rule).isoformat() == last


@pytest.mark.parametrize(("cut_over", "until"), [("2026-11-30", "2027-02-28"), ("2027-11-30", "2028-02-29")])
def test_yy_15_bz_21_three_months_of_the_old_environment_end_with_february(cut_over: str, until: str) -> None:
    moved = content({"system": {"migratedFrom": {"description": "机房", "cutOver": cut_over}}})
    for name in (YY, BZ):
        kept = keep_until(rules(name), moved, None)
        assert kept is not None
        assert kept[0] == end_of(until)


@pytest.mark.parametrize(("since", "until"), [("2024-02-29", "2025-02-28"), ("2027-02-28", "2028-02-28")])
def test_a_year_over_a_leap_day(since: str, until: str) -> None:
    assert CALENDAR.after(at(since), "P1Y") == end_of(until)


# -- midnight and zones ----------------------------------------------------------------------------
def test_t_17_ten_working_days_count_in_the_policys_zone() -> None:
    template = WorkCalendar.of(rules(T))
    ten = clock(T, "New", "Review")
    last_second = datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Shanghai
    midnight = last_second + timedelta(seconds=1)
    assert template.after_working_days(last_second, ten) == end_of("2026-12-07")
    assert template.after_working_days(midnight, ten) == end_of("2026-12-08")


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))])
def test_an_instant_counts_alike_in_whatever_zone_it_is_written(zone: timezone) -> None:
    noon = at("2026-09-30 23:59:59")
    written = noon.astimezone(zone)
    for days in (1, 3, 10):
        span = WorkingDays(working_days=days)
        assert CALENDAR.after_working_days(written, span) == CALENDAR.after_working_days(noon, span)
    assert CALENDAR.after(written, "P1M") == CALENDAR.after(noon, "P1M") == end_of("2026-10-30")


def test_a_clock_ends_with_the_last_second_and_not_before() -> None:
    due = CALENDAR.after_working_days(at("2026-11-23 00:00"), WorkingDays(working_days=1))
    assert due.astimezone(UTC) == datetime(2026, 11, 24, 15, 59, 59, tzinfo=UTC)


def elsewhere(zone: str, country: str = "CN") -> CloudPolicySpec:
    return rules(YY, time_zone=zone, calendar={"country": country})


@pytest.mark.parametrize(
    ("zone", "due"),
    [
        ("Asia/Shanghai", datetime(2026, 11, 24, 15, 59, 59, tzinfo=UTC)),
        ("Asia/Urumqi", datetime(2026, 11, 24, 17, 59, 59, tzinfo=UTC)),
        ("UTC", datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 11, 25, 9, 59, 59, tzinfo=UTC)),  # the 24th there already
    ],
)
def test_a_policy_of_another_zone_has_days_of_its_own(zone: str, due: datetime) -> None:
    since = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    calendar = WorkCalendar.of(elsewhere(zone))
    assert calendar.after_working_days(since, WorkingDays(working_days=1)) == due


def test_a_policy_of_another_country_has_holidays_of_its_own() -> None:
    berlin = WorkCalendar.of(elsewhere("Europe/Berlin", "DE"))
    assert berlin.is_working_day(date(2026, 10, 2))
    assert not CALENDAR.is_working_day(date(2026, 10, 2))
    assert not berlin.is_working_day(date(2026, 12, 25))
    assert CALENDAR.is_working_day(date(2026, 12, 25))


def test_yy_42_the_first_and_the_last_day_begin_and_end_at_midnight_in_shanghai() -> None:
    def reasons(now: datetime) -> set[str]:
        return set(refusals(now=now)) & {"PolicyNotInForce"}

    assert reasons(datetime(2025, 9, 24, 15, 59, 59, tzinfo=UTC)) == {"PolicyNotInForce"}
    assert reasons(datetime(2025, 9, 24, 16, 0, tzinfo=UTC)) == set()
    assert reasons(datetime(2027, 9, 24, 15, 59, 59, tzinfo=UTC)) == set()
    assert reasons(datetime(2027, 9, 24, 16, 0, tzinfo=UTC)) == {"PolicyNotInForce"}
