"""Clauses that show only on the way: each shipped policy is walked as far as the clause."""

from datetime import timedelta

import pytest
from lifecycle_builders import CHANGE_FORM, LEAVES
from rules_support import at, end_of, pool
from test_policies_walk import EMERGENCY, PAPERS, Walk, decisions, papers_due

from govpool.api.approval import Verdict
from govpool.api.base import ConditionStatus
from govpool.api.cloudpool import CloudPoolStatus
from govpool.api.cloudresourcerequest import RequestPhase
from govpool.lifecycle import pool as pool_core
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.observation import PoolObservation, Unknown

YY, BZ, JN, WH, T = "yiyang-2025", "bozhou-2024", "jinan-startup-area-2025", "weihai-2025", "template"
LEAVE = {"type": "DeregistrationForm", "reference": "r", "sha256": "a" * 64, "date": "2026-11-12"}


def opened(name: str) -> Walk:
    walk = Walk(name)
    decisions(walk)
    walk.open_all()
    return walk


@pytest.mark.parametrize(
    ("name", "stage", "due"),
    [
        (WH, ("Acceptance", "WH-19(2)"), "2026-11-25"),
        (YY, ("Acceptance", "YY-19(2)"), "2026-12-07"),
        (T, ("Acceptance", "T-17"), "2026-12-07"),
    ],
)
def test_wh_19_2_yy_19_2_t_17_acceptance_has_its_working_days(
    name: str, stage: tuple[str, str], due: str
) -> None:
    walk = Walk(name)
    assert walk.waiting() == stage
    assert walk.status is not None
    assert walk.status.due == end_of(due)


@pytest.mark.parametrize(("name", "article"), [(YY, "YY-19(2)"), (T, "T-17"), (WH, "WH-19(2)")])
def test_yy_19_2_t_17_wh_19_2_an_overdue_clock_decides_nothing(name: str, article: str) -> None:
    walk = Walk(name)
    walk.until(end_of("2027-03-01"))
    assert (walk.phase, walk.servers, walk.orders) == (RequestPhase.IN_REVIEW, {}, {})
    assert walk.status is not None
    (late,) = walk.status.deadlines
    assert (late.overdue, late.article) == (True, article)


@pytest.mark.parametrize(("name", "article"), [(YY, "YY-20"), (JN, "JN-17")])
def test_yy_20_jn_17_an_overdue_change_is_not_carried_out(name: str, article: str) -> None:
    walk = opened(name)
    before = dict(walk.servers)
    walk.patch = walk.patch | {"materials": [*PAPERS, CHANGE_FORM]}
    walk.patch |= {"system": {"purpose": "另一用途"}}
    walk.generation = 2
    walk.settle()
    walk.until(walk.now + timedelta(days=90))
    assert walk.status is not None
    late = next(one for one in walk.status.deadlines if one.overdue and one.stage == "Review")
    assert (late.article, late.due is not None) == (article, True)
    assert {name: one.spec for name, one in walk.servers.items()} == {
        name: one.spec for name, one in before.items()
    }


@pytest.mark.parametrize("name", [YY, BZ])
def test_yy_19_2_bz_19_a_refused_application_is_mended_and_put_forward_again(name: str) -> None:
    walk = Walk(name)
    walk.approve()
    walk.approve(Verdict.REFUSE)
    assert (walk.phase, walk.servers) == (RequestPhase.REFUSED, {})
    assert walk.status is not None
    told = next(one for one in walk.status.conditions if one.type == "Approved")
    assert "请补充" in told.message
    walk.patch = walk.patch | {"system": {"purpose": "按意见修改后的用途"}}
    walk.generation = 2
    walk.settle()
    assert (walk.phase, len(walk.approvals)) == (RequestPhase.IN_REVIEW, 2)


def test_wh_19_2_accepted_is_opened_without_a_review() -> None:
    walk = Walk(WH)
    assert decisions(walk) == [("Acceptance", "WH-19(2)")]
    assert walk.waiting() == ("Provision", "WH-19(2)")


@pytest.mark.parametrize(("name", "article"), [(T, "T-18"), (BZ, "BZ-19"), (JN, "JN-14"), (WH, "WH-19(2)")])
def test_t_18_bz_19_jn_14_wh_19_2_exactly_what_was_approved_is_opened(name: str, article: str) -> None:
    walk = Walk(name)
    decisions(walk)
    assert walk.waiting() == ("Provision", article)
    wanted = {(server.name, server.item) for server in walk.request.spec.servers}
    assert {(one.spec.group, one.spec.item) for one in walk.servers.values()} == wanted
    assert len(walk.servers) == sum(server.count for server in walk.request.spec.servers)


def test_jn_14_the_unit_can_read_what_was_opened_and_when() -> None:
    walk = opened(JN)
    assert walk.status is not None
    told = {one.what: one for one in walk.status.history}
    assert told["Provision"].article == told["Handover"].article == "JN-14"
    assert told["Provision"].at < told["Handover"].at == walk.now
    assert "2" in told["Provision"].detail


@pytest.mark.parametrize(
    ("name", "article"), [(T, "T-23, T-24"), (BZ, "BZ-32"), (JN, "JN-24, JN-25"), (WH, "WH-19(3)")]
)
def test_t_23_24_bz_32_jn_24_25_wh_19_3_nothing_is_handed_over_before_the_baseline(
    name: str, article: str
) -> None:
    walk = Walk(name)
    decisions(walk)
    walk.open_all()
    assert walk.status is not None
    told = {one.what: one for one in walk.status.history}
    assert told["Baseline"].article == article
    assert told["Baseline"].at < told["Handover"].at


def test_wh_9_2_the_unit_confirms_delivery() -> None:
    walk = opened(WH)
    walk.file("SecurityTest")
    assert (walk.waiting(), walk.billed_since()) == (("Confirmation", "WH-9(2)"), None)
    walk.confirm("delivery")
    assert (walk.phase, walk.billed_since()) == (RequestPhase.IN_SERVICE, walk.now)


def test_yy_23_the_papers_follow_within_three_working_days() -> None:
    walk = Walk(YY, EMERGENCY | {"materials": []})
    decisions(walk)
    walk.open_all()
    assert papers_due(walk) == [(end_of("2026-11-27"), "YY-23", False)]


def test_yy_39_start_and_end_of_billing_are_on_record_with_the_fee_of_a_year() -> None:
    walk = opened(YY)
    walk.until(at("2026-12-26 09:00"))
    walk.file("Trial")
    walk.confirm("delivery")
    assert walk.status is not None
    assert walk.status.fee_per_year is not None
    assert float(walk.status.fee_per_year) > 0
    assert (walk.status.billing.started, walk.status.billing.started_article) == (walk.now, "YY-39")


@pytest.mark.parametrize(("name", "article"), [(T, "T-19"), (BZ, "BZ-7(4), BZ-23"), (WH, "WH-21")])
def test_t_19_bz_7_4_23_wh_21_nothing_leaves_before_the_review(name: str, article: str) -> None:
    walk = opened(name)
    before = {name: one.spec.desired for name, one in walk.servers.items()}
    walk.patch = walk.patch | LEAVES | {"materials": [*PAPERS, LEAVE]}
    walk.generation = 2
    walk.settle()
    assert walk.status is not None
    asked = next(one for one in walk.status.deadlines if one.stage == "Review")
    assert asked.article == article
    assert {name: one.spec.desired for name, one in walk.servers.items()} == before
    walk.approve()
    assert walk.waiting()[0] == "Backup"


def test_yy_36_bz_35_t_26_handed_over_only_when_the_operator_was_refused() -> None:
    walk = Walk(YY)
    decisions(walk)
    walk.open_all()
    for one in walk.servers.values():
        assert one.status is not None
        assert one.status.handover is not None
        assert one.status.handover.proof


def test_yy_14_16_what_a_pool_says_is_kept_with_its_time() -> None:
    now = at("2026-11-23 09:00")
    seen = pool_core.decide(PoolObservation(pool=pool(), now=now, machines=(), servers=()))
    (written,) = [action for action in seen.actions if isinstance(action, WriteStatus)]
    assert isinstance(written.status, CloudPoolStatus)
    assert {one.last_transition_time for one in written.status.conditions} == {now}
    known = pool().model_copy(update={"status": written.status})
    later = now + timedelta(hours=1)
    silent = Unknown("Unreachable", "no answer")
    told = pool_core.decide(PoolObservation(pool=known, now=later, machines=silent, servers=()))
    (after,) = [action.status for action in told.actions if isinstance(action, WriteStatus)]
    assert isinstance(after, CloudPoolStatus)
    assert {one.status for one in after.conditions if one.last_transition_time == later} == {
        ConditionStatus.UNKNOWN
    }
