"""Stages from the trial to the confirmation of delivery: each answer that they can give."""

from datetime import timedelta

import pytest
from lifecycle_builders import NOW, SHA, request, revision, stage
from rules_support import at, end_of, policy

from govpool.api.cloudpolicy import Role, Stage, StageRule
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, StageState, Trial
from govpool.lifecycle.stages import agreement, confirmation, reports, right_sizing, trial

HANDED_OVER = at("2026-11-21 15:30")
ENDS = end_of("2026-12-21")
BY_LIU = {"by": "liu.unit", "at": "2026-12-22T09:00:00+08:00"}


def report(kind: str, day: str = "2026-12-22") -> dict:
    return {
        "type": kind,
        "reference": "赫数函〔2026〕20号",
        "sha256": SHA,
        "at": f"{day}T09:00:00+08:00",
        "by": "liu.unit",
    }


def after_trial(patch: dict | None = None):
    days = Trial(started=HANDED_OVER, ends=ENDS)
    return request(patch, status=CloudResourceRequestStatus(trial=days))


# -- trial ---------------------------------------------------------------------------------------
def test_yy_19_3_trial_runs_one_calendar_month() -> None:
    answer = trial.decide(stage(Stage.TRIAL, before=HANDED_OVER, now=HANDED_OVER))
    assert (answer.state, answer.clause, answer.who) == (StageState.WAITING, "YY-19(3)", Role.UNIT)
    assert answer.due == answer.look_again == ENDS


@pytest.mark.parametrize(
    ("handed_over", "ends"),
    [
        ("2026-11-21 15:30", "2026-12-21"),
        ("2027-01-31 09:00", "2027-02-28"),
        ("2026-12-31 23:59", "2027-01-31"),
    ],
)
def test_yy_19_3_a_month_ends_with_its_last_day(handed_over: str, ends: str) -> None:
    answer = trial.decide(stage(Stage.TRIAL, before=at(handed_over), now=at(handed_over)))
    assert answer.due == end_of(ends)


def test_yy_19_3_the_trial_is_over_with_its_last_instant_and_not_before() -> None:
    late = trial.decide(stage(Stage.TRIAL, before=HANDED_OVER, now=ENDS - timedelta(seconds=1)))
    over = trial.decide(stage(Stage.TRIAL, before=HANDED_OVER, now=ENDS))
    assert (late.state, over.state, over.at) == (StageState.WAITING, StageState.DONE, ENDS)


def test_yy_19_3_the_trials_days_stand_once_they_are_on_record() -> None:
    """A server that a change adds and hands over later starts no second trial."""
    context = stage(Stage.TRIAL, after_trial(), before=at("2027-03-01"), now=at("2027-03-02"))
    answer = trial.decide(context)
    assert (answer.state, answer.at) == (StageState.DONE, ENDS)


def test_where_the_policy_has_no_trial_the_stage_is_done_at_once() -> None:
    rule = StageRule(stage=Stage.TRIAL, role=Role.UNIT, article="19(3)")
    answer = trial.decide(stage(Stage.TRIAL, under=policy("weihai-2025"), rule=rule))
    assert (answer.state, answer.at, answer.clause) == (StageState.DONE, NOW, "WH-19(3)")


# -- reports -------------------------------------------------------------------------------------
def test_yy_19_3_the_unit_files_the_report_on_its_trial() -> None:
    answer = reports.decide(stage(Stage.REPORTS, after_trial(), before=ENDS, now=at("2026-12-22")))
    assert (answer.state, answer.who, answer.clause) == (StageState.WAITING, Role.UNIT, "YY-19(3)")
    assert "Trial" in answer.message.render()


def test_yy_19_3_a_report_from_before_the_trial_is_about_something_else() -> None:
    of = after_trial({"confirmations": {"reports": [report("Trial", "2026-11-20")]}})
    assert reports.decide(stage(Stage.REPORTS, of, now=at("2026-12-22"))).state is StageState.WAITING


def test_yy_19_3_done_when_the_report_was_filed() -> None:
    of = after_trial({"confirmations": {"reports": [report("Trial")]}})
    answer = reports.decide(stage(Stage.REPORTS, of, before=ENDS, now=at("2026-12-23")))
    assert (answer.state, answer.at) == (StageState.DONE, at("2026-12-22 09:00"))


def test_wh_19_4_the_security_test_is_asked_of_every_system() -> None:
    weihai = policy("weihai-2025")
    waits = reports.decide(stage(Stage.REPORTS, under=weihai))
    assert (waits.state, waits.clause) == (StageState.WAITING, "WH-19(4)")
    assert "SecurityTest" in waits.message.render()
    of = request({"confirmations": {"reports": [report("SecurityTest")]}})
    done = reports.decide(stage(Stage.REPORTS, of, under=weihai, now=at("2026-12-23")))
    assert done.state is StageState.DONE


# -- advice, agreement, confirmation -------------------------------------------------------------
def test_yy_19_4_advice_on_the_right_size_is_on_record_before_delivery() -> None:
    answer = right_sizing.decide(stage(Stage.RIGHT_SIZING))
    assert (answer.state, answer.clause, answer.at) == (StageState.DONE, "YY-19(4)", NOW)


AGREES = StageRule(stage=Stage.AGREEMENT, role=Role.UNIT, article="21")


def test_bz_21_the_tripartite_agreement_is_signed_before_formal_operation() -> None:
    waits = agreement.decide(stage(Stage.AGREEMENT, rule=AGREES))
    assert (waits.state, waits.who) == (StageState.WAITING, Role.UNIT)
    of = request({"confirmations": {"agreement": BY_LIU}})
    done = agreement.decide(stage(Stage.AGREEMENT, of, rule=AGREES))
    assert (done.state, done.at) == (StageState.DONE, at("2026-12-22 09:00"))


def test_yy_39_only_the_unit_confirms_delivery() -> None:
    waits = confirmation.decide(stage(Stage.CONFIRMATION, now=at("2027-06-01")))
    assert (waits.state, waits.who, waits.clause) == (StageState.WAITING, Role.UNIT, "YY-39")
    assert "govpool confirm delivery" in waits.message.render()


def test_yy_39_delivery_is_complete_when_it_was_confirmed_and_never_before_the_stage_before() -> None:
    of = request({"confirmations": {"delivery": BY_LIU}})
    assert confirmation.decide(stage(Stage.CONFIRMATION, of)).at == at("2026-12-22 09:00")
    later = at("2027-01-05")
    assert confirmation.decide(stage(Stage.CONFIRMATION, of, before=later)).at == later


def test_a_clock_on_the_confirmation_runs_from_the_stage_before() -> None:
    rule = StageRule.model_validate(
        {"stage": "Confirmation", "role": "unit", "clock": {"workingDays": 3}, "article": "23"}
    )
    answer = confirmation.decide(stage(Stage.CONFIRMATION, rule=rule, in_force=revision()))
    assert (answer.clause, answer.due) == ("YY-23", end_of("2026-11-26"))
