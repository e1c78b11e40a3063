"""Trial, reports, billing, migration and the lead of a deregistration."""

from typing import Any

import pytest
from rules_support import Obj, at, content, end_of, policy, rules

from govpool.api.cloudpolicy import ReportType
from govpool.api.cloudresourcerequest import Confirmations, TerminationConfirmation, Trial
from govpool.rules.billing import billing_end, billing_start
from govpool.rules.delivery import (
    agreement_required,
    confirmation_required,
    missing_reports,
    right_sizing_required,
)
from govpool.rules.deregistration import earliest
from govpool.rules.migration import keep_until
from govpool.rules.trial import trial, trial_clause

HANDED_OVER = at("2026-11-23 15:00")
YIYANG, WEIHAI = rules(), rules("weihai-2025")


def said(**statements: str) -> Confirmations:
    return Confirmations.model_validate({key: {"by": "liu", "at": at(v)} for key, v in statements.items()})


def filed(*reports: tuple[str, str]) -> Confirmations:
    common = {"reference": "r", "sha256": "0" * 64, "by": "liu"}
    rows = [common | {"type": kind, "at": at(when)} for kind, when in reports]
    return Confirmations.model_validate({"reports": rows})


def with_trial(duration: str, **more: Any) -> Any:
    return rules(trial={"duration": duration, "article": "15"} | more)


@pytest.mark.parametrize(
    ("handed_over", "ends"),
    [
        ("2026-11-23 00:00", "2026-12-23"),
        ("2026-11-23 23:59:59", "2026-12-23"),
        ("2027-01-31 12:00", "2027-02-28"),
        ("2027-12-31 12:00", "2028-01-31"),
    ],
)
def test_yy_19_3_the_test_lasts_one_calendar_month(handed_over: str, ends: str) -> None:
    assert trial(YIYANG, at(handed_over)) == Trial(started=at(handed_over), ends=end_of(ends))
    assert trial_clause(YIYANG) == "YY-19(3)"


def test_jn_15_the_trial_lasts_thirty_days() -> None:
    found = trial(with_trial("P30D"), at("2027-01-31 12:00"))
    assert found is not None
    assert found.ends == end_of("2027-03-02")


def test_wh_19_has_no_trial_of_a_length() -> None:
    assert trial(WEIHAI, HANDED_OVER) is None
    assert trial_clause(WEIHAI) == ""


TRIAL = Trial(started=HANDED_OVER, ends=end_of("2026-12-23"))


@pytest.mark.parametrize(
    ("reports", "missing"),
    [
        ([], (ReportType.TRIAL,)),
        ([("Trial", "2026-12-24 10:00")], ()),
        ([("Trial", "2026-11-23 15:00")], ()),
        ([("Trial", "2026-11-23 14:59")], (ReportType.TRIAL,)),  # on something before the trial
        ([("SecurityTest", "2026-12-24 10:00")], (ReportType.TRIAL,)),
    ],
)
def test_yy_19_3_a_test_report_is_filed(reports: list[tuple[str, str]], missing: Any) -> None:
    assert missing_reports(YIYANG, filed(*reports), TRIAL) == missing


def test_yy_19_3_no_report_where_the_policy_wants_none() -> None:
    assert missing_reports(with_trial("P30D", reportRequired=False), filed(), TRIAL) == ()


def test_bz_20_trial_and_security_test_are_reported() -> None:
    bozhou = rules(delivery={"reports": ["SecurityTest"], "reportsArticle": "20"})
    assert missing_reports(bozhou, filed(), TRIAL) == (ReportType.TRIAL, ReportType.SECURITY_TEST)
    half = filed(("Trial", "2026-12-24 10:00"))
    assert missing_reports(bozhou, half, TRIAL) == (ReportType.SECURITY_TEST,)


def test_wh_19_4_the_security_test_is_reported() -> None:
    assert missing_reports(WEIHAI, filed(), None) == (ReportType.SECURITY_TEST,)


def test_what_delivery_takes() -> None:
    assert [right_sizing_required(YIYANG), agreement_required(YIYANG), confirmation_required(YIYANG)] == [
        *(True, False, True)
    ]
    assert [right_sizing_required(WEIHAI), agreement_required(WEIHAI), confirmation_required(WEIHAI)] == [
        *(False, False, True)
    ]
    assert agreement_required(rules(delivery={"agreementArticle": "21"}))


def started(given: Any, confirmations: Confirmations, days: Trial | None = TRIAL) -> Any:
    return billing_start(given, handed_over=HANDED_OVER, trial=days, confirmations=confirmations)


def billed(starts_on: str, **more: Any) -> Any:
    billing = policy().spec.billing.model_dump(by_alias=True) | {"startsOn": starts_on, "startsArticle": "16"}
    return rules(billing=billing, **more)


def test_yy_39_billing_starts_with_the_units_confirmation() -> None:
    assert started(YIYANG, said()) is None
    assert started(YIYANG, said(delivery="2026-12-28 10:00")) == (at("2026-12-28 10:00"), "YY-39")


@pytest.mark.parametrize(
    ("confirmed", "starts"),
    [("2026-12-01 10:00", "2026-12-23 23:59:59"), ("2026-12-28 10:00", "2026-12-28 10:00")],
)
def test_jn_16_never_before_the_trials_end(confirmed: str, starts: str) -> None:
    jinan = billed("ConfirmedAfterTrial", code="JN")
    assert started(jinan, said(delivery=confirmed)) == (at(starts), "JN-16")


def test_jn_16_neither_confirmation_nor_trial_alone() -> None:
    jinan = billed("ConfirmedAfterTrial")
    assert started(jinan, said()) is None
    assert started(jinan, said(delivery="2026-12-01 10:00"), None) is None
    without = billed("ConfirmedAfterTrial", trial=None)
    assert started(without, said(delivery="2026-12-01 10:00"), None)[0] == at("2026-12-01 10:00")


def test_bz_21_with_the_agreement() -> None:
    bozhou = billed("AgreementSigned")
    assert started(bozhou, said(delivery="2026-12-28 10:00")) is None
    assert started(bozhou, said(agreement="2026-12-29 10:00"))[0] == at("2026-12-29 10:00")


def test_other_starts() -> None:
    assert started(billed("HandedOver"), said())[0] == HANDED_OVER
    assert billing_start(billed("HandedOver"), handed_over=None, trial=None, confirmations=said()) is None
    assert started(billed("TrialEnded"), said())[0] == TRIAL.ends
    assert started(billed("TrialEnded"), said(), None) is None


def test_yy_39_billing_ends_with_the_confirmed_end() -> None:
    assert billing_end(YIYANG, None) is None
    ended = TerminationConfirmation(by="liu", at=at("2028-03-01 10:00"), approval="doc-approval-9")
    assert billing_end(YIYANG, ended) == (at("2028-03-01 10:00"), "YY-39")


def moved(cut_over: str | None = None) -> Obj:
    origin = {"description": "区政府机房"} | ({"cutOver": cut_over} if cut_over else {})
    return {"system": {"migratedFrom": origin}}


@pytest.mark.parametrize(
    ("cut_over", "until"),
    [("2026-11-30", "2027-02-28"), ("2027-11-30", "2028-02-29"), ("2026-12-01", "2027-03-01")],
)
def test_yy_15_the_old_environment_is_kept_three_months(cut_over: str, until: str) -> None:
    assert keep_until(YIYANG, content(moved(cut_over)), None) == (end_of(until), "YY-15")


def test_yy_15_without_a_cut_over_from_the_delivery() -> None:
    assert keep_until(YIYANG, content(moved()), at("2026-12-28 10:00")) == (end_of("2027-03-28"), "YY-15")
    assert keep_until(YIYANG, content(moved()), None) is None


def test_yy_15_only_for_systems_that_moved_and_policies_that_say_so() -> None:
    assert keep_until(YIYANG, content(), at("2026-12-28 10:00")) is None
    assert keep_until(WEIHAI, content(moved("2026-11-30")), None) is None


def test_jn_19_ten_working_days_ahead() -> None:
    rule = policy().spec.deregistration.model_dump(by_alias=True)
    jinan = rules(deregistration=rule | {"lead": {"workingDays": 10}})
    assert earliest(jinan, at("2026-11-23 10:00")) == end_of("2026-12-07")
    assert earliest(jinan, at("2026-02-13 10:00")) == end_of("2026-03-05")  # over the Spring Festival
    assert earliest(YIYANG, at("2026-11-23 10:00")) is None
