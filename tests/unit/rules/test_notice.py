"""Rectification notices (整改通知): their clock, who must act, what is enforced and when it is lifted."""

from __future__ import annotations

from typing import Any

import pytest
from rules_support import at, policy

from govpool.api.policy_rectification import NoticeRule
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.api.rectificationnotice import NoticeState, RectificationNotice
from govpool.rules.notice import NoticeJudgement, judge, notice_rule

JINAN = policy("jinan-startup-area-2025").spec
YIYANG = policy("yiyang-2025").spec
BOZHOU = policy("bozhou-2024").spec
ISSUED = "2026-11-23 09:00"


def notice(finding: str = "OtherUse", **fields: Any) -> RectificationNotice:
    spec = {
        "request": {"name": "app", "uid": "u-1"},
        "policy": "any",
        "finding": finding,
        "detail": "mining",
        "demand": "stop it",
        "issued": at(ISSUED).isoformat(),
        "issuedBy": "wang",
    }
    meta = {"name": "n-1", "namespace": "bureau"}
    return RectificationNotice.model_validate({"metadata": meta, "spec": spec | fields})


def opinion(when: str = "2026-11-25 10:00") -> dict[str, str]:
    return {"by": "expert", "at": at(when).isoformat(), "opinion": "it is so"}


def decision(verdict: str, when: str, *enforcement: str) -> dict[str, Any]:
    given = {"verdict": verdict, "by": "wang", "at": at(when).isoformat(), "opinion": "seen"}
    return given | {"enforcement": list(enforcement)}


def statement(when: str) -> dict[str, str]:
    return {"by": "liu", "at": at(when).isoformat(), "statement": "stopped"}


def judged(
    of: RectificationNotice, now: str, spec: Any = JINAN, rule: NoticeRule | None = None
) -> NoticeJudgement:
    rule = rule or notice_rule(spec, of.spec.finding)
    assert rule is not None
    return judge(of, rule, spec, at(now))


def enforced(judgement: NoticeJudgement) -> list[str]:
    return [wanted.action.value for wanted in judgement.wanted]


def test_jn_20_experts_come_first_and_the_clock_starts_with_their_opinion() -> None:
    before = judged(notice(), "2026-12-31 09:00")
    assert (before.state, before.due, before.overdue) == (NoticeState.EXPERT_REVIEW, None, False)
    after = judged(notice(expertOpinion=opinion()), "2026-11-26 09:00")
    assert (after.state, after.due) == (NoticeState.OPEN, at("2026-12-25 23:59:59"))


@pytest.mark.parametrize(
    ("told", "last"),
    [
        ("2026-11-25 10:00", "2026-12-25 23:59:59"),
        ("2027-01-31 10:00", "2027-02-28 23:59:59"),
        ("2028-01-31 00:00", "2028-02-29 23:59:59"),
        ("2026-12-25 23:59", "2027-01-25 23:59:59"),
    ],
)
def test_jn_20_one_calendar_month_to_rectify(told: str, last: str) -> None:
    given = notice(expertOpinion=opinion(told))
    assert not judged(given, last).overdue
    late = judged(given, f"{at(last).date().isoformat()} 23:59:59.5")
    assert (late.state, late.overdue) == (NoticeState.OVERDUE, True)


def test_jn_20_an_overdue_notice_enforces_nothing_by_itself() -> None:
    late = judged(notice(expertOpinion=opinion()), "2027-06-01 09:00")
    assert enforced(late) == []
    assert late.who is not None
    assert late.who.value == "reviewer"


@pytest.mark.parametrize("action", ["ForcedShutdown", "Deregistration"])
def test_jn_20_not_rectified_shutdown_or_deregistration_are_decided(action: str) -> None:
    given = notice(decisions=[decision("NotRectified", "2026-12-28 09:00", action)])
    done = judged(given, "2026-12-29 09:00")
    assert (done.state, enforced(done)) == (NoticeState.ENFORCED, [action])
    assert done.wanted[0].by == "wang"


def test_jn_20_what_the_policy_does_not_provide_is_not_carried_out() -> None:
    given = notice(decisions=[decision("NotRectified", "2026-12-28 09:00", "StopIssuing")])
    done = judged(given, "2026-12-29 09:00")
    assert enforced(done) == []
    assert done.not_permitted == (Enforcement.STOP_ISSUING,)


def test_a_rectified_notice_lifts_what_was_enforced() -> None:
    first = decision("NotRectified", "2026-12-28 09:00", "ForcedShutdown")
    given = notice(decisions=[first, decision("Rectified", "2027-01-05 09:00")])
    done = judged(given, "2027-01-06 09:00")
    assert (done.state, enforced(done), done.who) == (NoticeState.RECTIFIED, [], None)


def test_a_forced_deregistration_is_never_undone() -> None:
    first = decision("NotRectified", "2026-12-28 09:00", "Deregistration")
    given = notice(decisions=[first, decision("Rectified", "2027-01-05 09:00")])
    assert enforced(judged(given, "2027-01-06 09:00")) == ["Deregistration"]


def test_a_later_decision_takes_the_place_of_an_earlier_one() -> None:
    first = decision("NotRectified", "2026-12-28 09:00", "ForcedShutdown")
    given = notice(decisions=[first, decision("NotRectified", "2027-01-05 09:00")])
    assert enforced(judged(given, "2027-01-06 09:00")) == []


def test_the_units_statement_is_the_reviewers_turn() -> None:
    given = notice(expertOpinion=opinion(), statements=[statement("2026-12-01 09:00")])
    done = judged(given, "2026-12-02 09:00")
    assert (done.state, done.who and done.who.value) == (NoticeState.STATED, "reviewer")


def test_yy_22_4_issuing_stops_by_decision_with_copies_to_finance_and_audit() -> None:
    rule = notice_rule(YIYANG, NoticeFinding.REDUCE)
    assert rule is not None
    assert rule.copies == ["市财政局", "市审计局"]
    given = notice("Reduce", decisions=[decision("NotRectified", "2026-12-28 09:00", "StopIssuing")])
    assert enforced(judged(given, "2026-12-28 09:00", YIYANG)) == ["StopIssuing"]
    open_ = judged(notice("Reduce"), "2028-01-01 09:00", YIYANG)
    assert (open_.state, open_.due) == (NoticeState.OPEN, None)


def test_bz_38_issuing_stops_with_a_copy_to_finance() -> None:
    rule = notice_rule(BOZHOU, NoticeFinding.OTHER_USE)
    assert rule is not None
    assert (rule.copies, [e.value for e in rule.enforcement]) == (["市财政局"], ["StopIssuing"])


@pytest.mark.parametrize("spec", [JINAN, BOZHOU], ids=["jn_25", "bz_34"])
def test_jn_25_bz_34_in_grave_danger_the_network_is_cut_at_once(spec: Any) -> None:
    now = judged(notice("GraveDanger"), ISSUED, spec)
    assert enforced(now) == ["Isolation"]
    assert now.wanted[0].by == "wang"
    lifted = notice("GraveDanger", decisions=[decision("Rectified", "2026-11-23 12:00")])
    assert enforced(judged(lifted, "2026-11-23 12:00", spec)) == []


def test_jn_15_an_unused_trial_stops_issuing_at_once_and_reclaims_by_decision() -> None:
    assert enforced(judged(notice("UnusedTrial"), ISSUED)) == ["StopIssuing"]
    given = notice("UnusedTrial", decisions=[decision("NotRectified", "2026-11-24 09:00", "Deregistration")])
    assert sorted(enforced(judged(given, "2026-11-24 09:00"))) == ["Deregistration", "StopIssuing"]


AUTOMATIC = NoticeRule.model_validate(
    {
        "finding": "OtherUse",
        "clock": "P1M",
        "enforcement": ["StopIssuing", "ForcedShutdown"],
        "automatic": ["StopIssuing"],
        "article": "20",
    }
)


@pytest.mark.parametrize(
    ("fields", "now", "expected"),
    [
        ({}, "2026-12-23 23:59:59", []),
        ({}, "2026-12-24 00:00", ["StopIssuing"]),
        ({"statements": [statement("2026-12-23 10:00")]}, "2026-12-24 00:00", []),
        ({"statements": [statement("2026-12-24 10:00")]}, "2026-12-24 11:00", ["StopIssuing"]),
        ({"decisions": [decision("NotRectified", "2026-12-20 10:00")]}, "2026-12-24 00:00", []),
    ],
    ids=["in-time", "late", "stated-in-time", "stated-late", "decided-otherwise"],
)
def test_only_a_policy_that_says_automatic_enforces_without_a_decision(
    fields: dict[str, Any], now: str, expected: list[str]
) -> None:
    assert enforced(judged(notice(**fields), now, rule=AUTOMATIC)) == expected


def test_a_finding_without_a_rule_has_no_notice() -> None:
    assert notice_rule(YIYANG, NoticeFinding.GRAVE_DANGER) is None
