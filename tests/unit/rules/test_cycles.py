"""WH-30: busy and quiet periods on their dates, every year."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from rules_support import Obj, at, content, group, rules

from govpool.api.cloudresourcerequest import BusinessCycle
from govpool.rules.calendar import WorkCalendar
from govpool.rules.cycles import check, kept_at_most, next_turn, period, running_on

WEIHAI, YIYANG = rules("weihai-2025"), rules()
CALENDAR = WorkCalendar.of(WEIHAI)


def cycle(starts: str, ends: str, count: int = 4, **more: Any) -> Obj:
    return {"name": "busy", "starts": starts, "ends": ends, "server": "app", "count": count} | more


def model(starts: str, ends: str) -> BusinessCycle:
    return BusinessCycle.model_validate(cycle(starts, ends))


@pytest.mark.parametrize(
    ("starts", "ends", "day", "found"),
    [
        ("06-01", "08-31", "2027-05-31", None),
        ("06-01", "08-31", "2027-06-01", ("2027-06-01", "2027-08-31")),
        ("06-01", "08-31", "2027-08-31", ("2027-06-01", "2027-08-31")),
        ("06-01", "08-31", "2027-09-01", None),
        # over New Year
        ("12-01", "02-28", "2026-11-30", None),
        ("12-01", "02-28", "2026-12-01", ("2026-12-01", "2027-02-28")),
        ("12-01", "02-28", "2026-12-31", ("2026-12-01", "2027-02-28")),
        ("12-01", "02-28", "2027-01-01", ("2026-12-01", "2027-02-28")),
        ("12-01", "02-28", "2027-02-28", ("2026-12-01", "2027-02-28")),
        ("12-01", "02-28", "2027-03-01", None),
        # leap days
        ("12-01", "02-28", "2028-02-29", None),
        ("12-01", "02-29", "2028-02-29", ("2027-12-01", "2028-02-29")),
        ("12-01", "02-29", "2027-02-28", ("2026-12-01", "2027-02-28")),
        ("12-01", "02-29", "2027-03-01", None),
        ("02-29", "03-31", "2028-02-29", ("2028-02-29", "2028-03-31")),
        ("02-29", "03-31", "2027-02-28", None),
        ("02-29", "03-31", "2027-03-01", ("2027-03-01", "2027-03-31")),
        # one day
        ("11-11", "11-11", "2026-11-11", ("2026-11-11", "2026-11-11")),
        ("11-11", "11-11", "2026-11-12", None),
    ],
)
def test_wh_30_a_period_returns_on_its_dates_every_year(
    starts: str, ends: str, day: str, found: tuple[str, str] | None
) -> None:
    expected = tuple(date.fromisoformat(one) for one in found) if found else None
    assert period(model(starts, ends), date.fromisoformat(day)) == expected


@pytest.mark.parametrize(
    ("day", "count"),
    [("2027-05-31", 2), ("2027-06-01", 4), ("2027-08-31", 4), ("2027-09-01", 2), ("2027-10-07", 1)],
)
def test_wh_30_the_count_follows_busy_and_quiet_periods(day: str, count: int) -> None:
    quiet = cycle("10-01", "10-08", 1, name="quiet")
    held = content({"servers": [group(count=2)], "businessCycles": [cycle("06-01", "08-31"), quiet]})
    assert running_on(held, held.servers[0], date.fromisoformat(day)) == count
    assert kept_at_most(held, held.servers[0]) == 4


@pytest.mark.parametrize(
    ("now", "turn"),
    [
        ("2026-11-30 23:59:59", "2026-12-01"),
        ("2026-12-01 00:00:00", "2027-03-01"),
        ("2027-02-28 23:59:59", "2027-03-01"),
        ("2027-03-01 00:00:00", "2027-12-01"),
        ("2028-02-01 00:00:00", "2028-02-29"),  # ends on the 28th, also in a leap year
    ],
)
def test_wh_30_the_next_turn_is_a_midnight_in_the_policys_zone(now: str, turn: str) -> None:
    held = content({"servers": [group(count=2)], "businessCycles": [cycle("12-01", "02-28")]})
    assert next_turn(held, CALENDAR, at(now)) == at(turn)


def test_without_periods_there_is_no_turn() -> None:
    assert next_turn(content(), CALENDAR, at("2026-12-01")) is None


@pytest.mark.parametrize(
    ("cycles", "reasons"),
    [
        ([cycle("06-01", "08-31")], []),
        ([cycle("06-01", "08-31", server="web")], ["CycleOfNoGroup"]),
        ([cycle("02-30", "03-31")], ["CycleOnNoDay"]),
        ([cycle("02-29", "04-31")], ["CycleOnNoDay"]),
        ([cycle("06-01", "08-31"), cycle("08-31", "09-30", name="b")], ["CyclesOverlap"]),
        ([cycle("06-01", "08-31"), cycle("09-01", "09-30", name="b")], []),
        ([cycle("12-01", "02-28"), cycle("02-28", "03-31", name="b")], ["CyclesOverlap"]),
        ([cycle("06-01", "08-31"), cycle("06-01", "08-31", name="b", server="db")], []),
    ],
)
def test_wh_30_periods_that_cannot_be_carried_out_are_refused(cycles: list[Obj], reasons: list[str]) -> None:
    held = content({"servers": [group(), group("db")], "businessCycles": cycles})
    found = list(check(held, WEIHAI))
    assert [one.reason for one in found] == reasons
    assert {one.clause for one in found} <= {"WH-30"}
    assert all(one.message.render("zh") for one in found)


def test_where_the_policy_does_not_follow_them_they_are_a_record() -> None:
    held = content({"servers": [group()], "businessCycles": [cycle("02-30", "03-31")]})
    assert list(check(held, YIYANG)) == []
