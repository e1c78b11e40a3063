"""Use of resources (资源使用效率): each clause with figures at its boundary, under the policies that ship."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from rules_support import at, policy

from govpool.api.usage import Usage
from govpool.rules.efficiency import Answer, judge

NOW = at("2026-11-23 09:00")
YESTERDAY = "2026-11-22"


def usage(until: datetime = NOW, **fields: Any) -> Usage:
    base = {"recordedAt": until.isoformat(), "recordedBy": "monitor", "observedUntil": until.isoformat()}
    return Usage.model_validate(base | fields)


def window(over: str, ends: str = YESTERDAY, **figures: dict[str, float]) -> dict[str, Any]:
    names = {"cpu": "CPU", "memory": "Memory", "storage": "Storage"}
    return {
        "over": over,
        "ends": ends,
        "figures": [{"dimension": names[name], **values} for name, values in figures.items()],
    }


def answer(name: str, rule: str, measured: Usage | None, now: datetime = NOW) -> tuple[Answer, str]:
    judged = {one.rule.name: one for one in judge(policy(name).spec, measured, now)}
    return judged[rule].answer, judged[rule].clause


# -- Bozhou --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("mean", "expected"), [(70, Answer.UNKNOWN), (70.1, Answer.YES)])
def test_bz_26_1_weekly_mean_of_memory_above_70(mean: float, expected: Answer) -> None:
    measured = usage(windows=[window("Week", memory={"mean": mean})])
    assert answer("bozhou-2024", "expansion", measured) == (expected, "BZ-26(1)")


def peaks(*minutes: float, percent: float = 80.1) -> list[dict[str, Any]]:
    start = NOW - timedelta(days=2)
    moments = ((start + timedelta(minutes=minute)).isoformat() for minute in minutes)
    return [{"dimension": "Memory", "at": moment, "percent": percent} for moment in moments]


@pytest.mark.parametrize(
    ("moments", "found"),
    [
        (peaks(0, 30, 60), True),
        (peaks(0, 30, 60.1), False),
        (peaks(0, 30), False),
        (peaks(0, 5, 10, percent=80), False),
        (peaks(0, 100, 200, 230, 259), True),
        (list(reversed(peaks(0, 30, 60))), True),
    ],
    ids=["an-hour", "a-moment-more", "two", "eighty", "later", "in-any-order"],
)
def test_bz_26_1_three_peaks_of_memory_above_80_within_one_hour(moments: Any, found: bool) -> None:
    told = {"memory": {"mean": 50}, "storage": {"mean": 50}}
    measured = usage(peaks=moments, windows=[window("Week", **told)])
    expected = Answer.YES if found else Answer.NO
    assert answer("bozhou-2024", "expansion", measured) == (expected, "BZ-26(1)")


@pytest.mark.parametrize(("used", "found"), [(70, False), (70.1, True)])
def test_bz_26_1_storage_above_70(used: float, found: bool) -> None:
    measured = usage(
        windows=[window("Week", memory={"mean": 50}, storage={"mean": used})], peaks=peaks(0, percent=10)
    )
    assert answer("bozhou-2024", "expansion", measured)[0] is (Answer.YES if found else Answer.NO)


@pytest.mark.parametrize(
    ("mean", "peak", "found"),
    [(30, 50, True), (30.1, 50, False), (30, 50.1, False), (29, 49, True), (0, 0, True)],
)
def test_bz_26_2_memory_of_30_and_peak_of_50_or_less_are_reduced(
    mean: float, peak: float, found: bool
) -> None:
    measured = usage(
        windows=[window("Week", memory={"mean": mean, "peak": peak})],
        idleSince=YESTERDAY,
        lastBusinessData=YESTERDAY,
    )
    expected = Answer.YES if found else Answer.NO
    assert answer("bozhou-2024", "reduction", measured) == (expected, "BZ-26(2)")


@pytest.mark.parametrize("field", ["idleSince", "stoppedSince"])
@pytest.mark.parametrize(("since", "found"), [("2026-08-23", True), ("2026-08-24", False)])
def test_bz_26_2_idle_or_stopped_for_more_than_three_months(field: str, since: str, found: bool) -> None:
    busy = {"windows": [window("Week", memory={"mean": 60, "peak": 90})], "lastBusinessData": YESTERDAY}
    measured = usage(**busy, **{field: since})
    assert answer("bozhou-2024", "reduction", measured)[0] is (Answer.YES if found else Answer.NO)


@pytest.mark.parametrize(
    ("last", "now", "found"),
    [
        ("2026-10-23", "2026-11-23 09:00", True),
        ("2026-10-24", "2026-11-23 09:00", False),
        ("2027-01-31", "2027-02-28 00:01", True),
        ("2027-01-31", "2027-02-27 23:59", False),
        ("2028-01-31", "2028-02-28 23:59", False),
        ("2028-01-31", "2028-02-29 00:01", True),
    ],
)
def test_bz_26_2_no_business_data_for_one_month(last: str, now: str, found: bool) -> None:
    until = at(now)
    busy = window("Week", ends=last, memory={"mean": 60, "peak": 90})
    measured = usage(until, windows=[busy | {"ends": until.date().isoformat()}], lastBusinessData=last)
    expected = Answer.YES if found else Answer.UNKNOWN
    assert answer("bozhou-2024", "reduction", measured, until)[0] is expected


# -- Jinan ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("dimension", ["cpu", "memory", "storage"])
@pytest.mark.parametrize(("mean", "found"), [(75, False), (75.1, True)])
def test_jn_18_1_mean_of_daily_peaks_of_one_month_above_75(dimension: str, mean: float, found: bool) -> None:
    figures = {name: {"meanOfDailyPeaks": 40.0} for name in ("cpu", "memory", "storage")}
    figures[dimension] = {"meanOfDailyPeaks": mean}
    measured = usage(windows=[window("Month", **figures)])
    expected = Answer.YES if found else Answer.NO
    assert answer("jinan-startup-area-2025", "more", measured) == (expected, "JN-18(1)")


@pytest.mark.parametrize(
    ("rule", "dimension", "mean", "peak", "found", "clause"),
    [
        ("less-cpu", "cpu", 14.9, 49.9, True, "JN-18(2)"),
        ("less-cpu", "cpu", 15, 49.9, False, "JN-18(2)"),
        ("less-cpu", "cpu", 14.9, 50, False, "JN-18(2)"),
        ("less-memory", "memory", 19.9, 49.9, True, "JN-18(3)"),
        ("less-memory", "memory", 20, 49.9, False, "JN-18(3)"),
        ("less-memory", "memory", 19.9, 50, False, "JN-18(3)"),
    ],
)
def test_jn_18_2_and_3_low_for_three_months(
    rule: str, dimension: str, mean: float, peak: float, found: bool, clause: str
) -> None:
    figures = {dimension: {"meanOfMonthlyPeaks": mean, "peak": peak}}
    measured = usage(windows=[window("ThreeMonths", **figures)])
    expected = Answer.YES if found else Answer.NO
    assert answer("jinan-startup-area-2025", rule, measured) == (expected, clause)


@pytest.mark.parametrize(("free", "growth", "found"), [(500, 100, False), (501, 100, True), (401, 0, True)])
def test_jn_18_4_free_data_disk_without_a_years_growth_above_400(free: int, growth: int, found: bool) -> None:
    measured = usage(freeDataDiskGiB=free, dataGrowthGiBPerYear=growth)
    expected = Answer.YES if found else Answer.NO
    assert answer("jinan-startup-area-2025", "less-disk", measured) == (expected, "JN-18(4)")


def test_jn_18_advice_goes_to_experts_first() -> None:
    rules = policy("jinan-startup-area-2025").spec.efficiency
    assert rules is not None
    assert all(rule.expert_review for rule in rules.rules)


# -- Weihai --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("mean", "found"), [(19.9, True), (20, False), (80, False), (80.1, True)])
@pytest.mark.parametrize("dimension", ["cpu", "memory", "storage"])
def test_wh_29_between_20_and_80_both_inclusive(dimension: str, mean: float, found: bool) -> None:
    figures = {name: {"mean": 50.0} for name in ("cpu", "memory", "storage")}
    figures[dimension] = {"mean": mean}
    measured = usage(windows=[window("Month", **figures)])
    expected = Answer.YES if found else Answer.NO
    assert answer("weihai-2025", "band", measured) == (expected, "WH-29, WH-31")


def test_wh_29_only_proposes() -> None:
    rules = policy("weihai-2025").spec.efficiency
    assert rules is not None
    assert [rule.soft for rule in rules.rules] == [True]


# -- Yiyang --------------------------------------------------------------------------------------
def test_yy_22_numbers_are_the_authoritys_and_say_so() -> None:
    rules = policy("yiyang-2025").spec.efficiency
    assert rules is not None
    assert {rule.sort.value for rule in rules.rules} == {"Expand", "Reduce", "Zombie"}
    assert all(rule.by_authority for rule in rules.rules)


def test_yy_22_3_a_zombie_is_found() -> None:
    assert answer("yiyang-2025", "zombie", usage(idleSince="2026-08-23")) == (Answer.YES, "YY-22(3)")


# -- what can't be told --------------------------------------------------------------------------
RULES = [
    (name, rule.name)
    for name in ("bozhou-2024", "jinan-startup-area-2025", "weihai-2025", "yiyang-2025")
    for rule in (policy(name).spec.efficiency or pytest.fail(name)).rules
]


@pytest.mark.parametrize(("name", "rule"), RULES)
@pytest.mark.parametrize("measured", [None, usage()], ids=["nothing-recorded", "nothing-measured"])
def test_missing_figures_say_nothing(name: str, rule: str, measured: Usage | None) -> None:
    assert answer(name, rule, measured)[0] is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("ends", "expected"),
    [("2026-11-16", Answer.YES), ("2026-11-15", Answer.UNKNOWN), ("2026-11-24", Answer.UNKNOWN)],
)
def test_a_week_that_is_a_week_old_still_tells_and_an_older_one_or_a_later_one_does_not(
    ends: str, expected: Answer
) -> None:
    measured = usage(windows=[window("Week", ends=ends, memory={"mean": 90})])
    assert answer("bozhou-2024", "expansion", measured)[0] is expected


def test_figures_of_the_future_were_not_measured() -> None:
    measured = usage(NOW + timedelta(seconds=1), windows=[window("Week", memory={"mean": 90})])
    assert answer("bozhou-2024", "expansion", measured)[0] is Answer.UNKNOWN


def test_a_policy_without_rules_judges_nothing() -> None:
    assert judge(policy("template").spec, usage(), NOW) == ()


def test_a_judgement_names_its_figures() -> None:
    measured = usage(windows=[window("Week", memory={"mean": 71.5})])
    (found,) = (j for j in judge(policy("bozhou-2024").spec, measured, NOW) if j.answer is Answer.YES)
    assert found.figures == (("Memory Mean Week", "71.5 %"),)
