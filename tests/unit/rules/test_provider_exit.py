"""A provider's exit (YY-17, WH-18), parties of a pool (YY-12, YY-13), periodic reports (register 7)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from rules_support import Obj, at, rules

from govpool.api.cloudpool import CloudPoolSpec
from govpool.api.policy_pool import Duty, FiledReport, Frequency
from govpool.api.pool_exit import Party, PoolExit
from govpool.rules import parties, provider_exit, reporting

YY, WH = "yiyang-2025", "weihai-2025"
NOTICE: Obj = {"at": "2026-11-30T09:00:00+08:00", "by": "Provider Ltd", "reference": "Letter 3"}
APPROVAL: Obj = {"at": "2026-12-10T10:00:00+08:00", "by": "wang", "reference": "Reply 3"}


def exit_(**more: Any) -> PoolExit:
    return PoolExit.model_validate({"notice": NOTICE, **more})


def pool_spec(**more: Any) -> CloudPoolSpec:
    base = {"title": "Pool", "connection": {"provider": "fixture"}, "operatingMode": "PurchasedService"}
    return CloudPoolSpec.model_validate({**base, "policy": WH, "catalog": "c", "state": "Closed", **more})


# -- spans ---------------------------------------------------------------------------------------
def test_wh_18_three_months_notice_end_on_the_last_day_of_february() -> None:
    spans = provider_exit.terms(rules(WH), exit_())
    assert spans is not None
    assert spans.notice_until is not None
    assert spans.notice_until.date() == date(2027, 2, 28)
    assert (spans.transition_until, spans.earliest_stop, spans.clause) == (None, None, "WH-18")


def test_wh_18_the_transition_of_six_months_runs_from_the_approval() -> None:
    spans = provider_exit.terms(rules(WH), exit_(approval=APPROVAL))
    assert spans is not None
    assert spans.transition_until is not None
    assert spans.transition_until.date() == date(2027, 6, 10)
    assert spans.earliest_stop == spans.transition_until


def test_yy_17_without_an_approval_the_transition_runs_from_the_notice() -> None:
    spans = provider_exit.terms(rules(YY), exit_())
    assert spans is not None
    assert spans.notice_until is None
    assert spans.transition_until is not None
    assert spans.transition_until.date() == date(2027, 5, 30)
    assert provider_exit.objections(rules(YY), exit_()) == ()


def test_wh_18_nobody_stops_without_approval() -> None:
    assert [text.key for text in provider_exit.objections(rules(WH), exit_())] == ["exit.unapproved"]
    assert provider_exit.objections(rules(WH), exit_(approval=APPROVAL)) == ()


@pytest.mark.parametrize(("stops", "early"), [("2027-06-09", True), ("2027-06-10", False)])
def test_wh_18_the_last_day_is_not_within_the_transition(stops: str, early: bool) -> None:
    found = provider_exit.objections(rules(WH), exit_(approval=APPROVAL, stops=stops))
    assert bool(found) is early


def test_a_regulation_without_a_rule_computes_no_span() -> None:
    assert provider_exit.terms(rules("bozhou-2024"), exit_()) is None


# -- closing -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "now", "lacks"),
    [
        ({}, "2027-07-01", ["exit.no-notice"]),
        ({"exit": {"notice": NOTICE}}, "2027-07-01", ["exit.unapproved"]),
        ({"exit": {"notice": NOTICE, "approval": APPROVAL}}, "2027-02-27", ["exit.notice-runs"]),
        ({"exit": {"notice": NOTICE, "approval": APPROVAL}}, "2027-03-01", []),
        ({"operatingMode": "SelfBuilt"}, "2027-07-01", []),
    ],
)
def test_wh_18_a_pool_is_closed_with_notice_and_approval_only(more: Obj, now: str, lacks: list[str]) -> None:
    found = provider_exit.closing_lacks(pool_spec(**more), rules(WH), (), (), at(now), gone=())
    assert [text.key for text in found] == lacks


# -- parties -------------------------------------------------------------------------------------
def party(kind: str, name: str, **more: Any) -> Party:
    checked = {"checkedAt": "2026-01-05T01:00:00Z"}
    return Party.model_validate({"kind": kind, "name": name, **checked, **more})


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ([party("Provider", "A"), party("Integrator", "B")], []),
        ([party("Provider", "A", seriouslyDishonest=True)], ["PartyDishonest"]),
        ([party("Provider", "A", checkedAt=None)], ["PartyUnchecked"]),
    ],
)
def test_yy_12_nobody_on_the_list_of_serious_discredit_is_taken(
    given: list[Party], reasons: list[str]
) -> None:
    found = parties.objections(rules(YY), given)
    assert [one.reason for one in found] == reasons
    assert {one.clause for one in found} <= {"YY-12"}


@pytest.mark.parametrize(
    ("provider", "integrator", "reasons"),
    [
        ({"name": "A"}, {"name": "A"}, ["IntegratorIsProvider"]),
        ({"name": "A", "creditCode": "9"}, {"name": "A Ltd", "creditCode": "9"}, ["IntegratorIsProvider"]),
        ({"name": "A", "affiliates": ["B"]}, {"name": "B"}, ["IntegratorAffiliated"]),
        ({"name": "A"}, {"name": "B", "affiliates": ["A"]}, ["IntegratorAffiliated"]),
        ({"name": "A", "affiliates": ["C"]}, {"name": "B", "affiliates": ["C"]}, []),
    ],
)
def test_yy_13_the_integrator_is_neither_provider_nor_its_affiliate(
    provider: Obj, integrator: Obj, reasons: list[str]
) -> None:
    found = parties.objections(rules(YY), [party("Provider", **provider), party("Integrator", **integrator)])
    assert [(one.reason, one.clause) for one in found] == [(reason, "YY-13") for reason in reasons]


def test_a_regulation_without_the_rule_asks_nothing_of_parties() -> None:
    assert parties.objections(rules(WH), [party("Provider", "A", seriouslyDishonest=True)]) == ()


# -- reports -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("day", "every", "first", "last"),
    [
        ("2028-02-29", Frequency.MONTHLY, "2028-02-01", "2028-02-29"),
        ("2026-12-31", Frequency.MONTHLY, "2026-12-01", "2026-12-31"),
        ("2026-11-23", Frequency.QUARTERLY, "2026-10-01", "2026-12-31"),
        ("2026-03-31", Frequency.QUARTERLY, "2026-01-01", "2026-03-31"),
        ("2026-06-30", Frequency.ANNUAL, "2026-01-01", "2026-12-31"),
    ],
)
def test_the_period_of_a_report(day: str, every: Frequency, first: str, last: str) -> None:
    found = date.fromisoformat(day)
    assert reporting.period_start(found, every).isoformat() == first
    assert reporting.period_end(found, every).isoformat() == last


def test_yy_25_monthly_quarterly_and_yearly_reports_are_shown_when_due() -> None:
    found = reporting.due(rules(YY), (), at("2026-11-23"), at("2026-12-31 23:59:59"))
    operation = [one for one in found if one.duty is Duty.OPERATION]
    assert [(one.period_ends.isoformat(), one.due.date().isoformat(), one.overdue) for one in operation] == [
        ("2026-11-30", "2026-12-31", False),
        ("2026-12-31", "2027-03-31", False),
        ("2026-12-31", "2027-12-31", False),
    ]
    assert {one.article for one in operation} == {"YY-25"}
    late = reporting.due(rules(YY), (), at("2026-11-23"), at("2027-01-01"))
    assert [one.overdue for one in late][:3] == [True, False, False]


def test_bz_27_a_filed_month_makes_the_next_one_due() -> None:
    bozhou = rules("bozhou-2024")
    filed = FiledReport.model_validate(
        {
            "duty": "OperationReport",
            "every": "Monthly",
            "periodEnds": "2026-11-30",
            "reference": "R",
            "at": "2026-12-02T01:00:00Z",
        }
    )
    (monthly,) = [
        one
        for one in reporting.due(bozhou, [filed], at("2026-11-23"), at("2026-12-05"))
        if one.duty is Duty.OPERATION
    ]
    assert monthly.period_ends == date(2026, 12, 31)


def test_bz_37_a_unit_evaluates_itself_every_year() -> None:
    (found,) = reporting.due(rules("bozhou-2024"), (), at("2026-11-23"), at("2026-12-05"), of_units=True)
    assert (found.duty, found.article, found.due.date()) == (
        Duty.UNIT_SELF_EVALUATION,
        "BZ-37",
        date(2027, 12, 31),
    )
