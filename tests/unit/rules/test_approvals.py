"""How an Approval stands: decisions decide, clocks never do."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_support import at, catalog, content, end_of, rules

from govpool.api.approval import Approval, ApprovalState, Decision, Verdict
from govpool.api.cloudpolicy import ApplicationType, Role, Stage
from govpool.rules.approvals import Judgement, judge
from govpool.rules.procedure import steps

CREATED = at("2026-11-23 09:00")
LATER = at("2026-12-01 12:00")
YIYANG = rules()
STEPS = steps(YIYANG, ApplicationType.NEW, content(), catalog())


def decision(stage: str, when: str | datetime, verdict: str = "Approve", by: str = "wang") -> Decision:
    moment = at(when) if isinstance(when, str) else when
    opinion = "" if verdict == "Approve" else "补正"
    return Decision.model_validate(
        {"stage": stage, "verdict": verdict, "by": by, "opinion": opinion, "at": moment}
    )


def approval(*decisions: Decision, state: str | None = None, created: datetime | None = CREATED) -> Approval:
    manifest: dict[str, Any] = {
        "metadata": {"name": "doc-approval-1", "namespace": "n", "creationTimestamp": created},
        "spec": {
            "request": {"name": "doc-approval", "uid": "u"},
            "revision": 1,
            "application": "New",
            "policy": "yiyang-2025",
            "submissionHash": "0" * 64,
            "content": content().model_dump(by_alias=True),
            "steps": [step.model_dump(by_alias=True) for step in STEPS],
            "decisions": [one.model_dump(by_alias=True) for one in decisions],
        },
    }
    return Approval.model_validate(manifest | ({"status": {"state": state}} if state else {}))


def judged(*decisions: Decision, now: datetime = LATER, **more: Any) -> Judgement:
    return judge(approval(*decisions, **more), policy=YIYANG, now=now)


ACCEPTED = decision("Acceptance", "2026-11-24 10:00")
REVIEWED = decision("Review", "2026-11-25 10:00", by="li")


def test_yy_19_2_an_application_waits_for_acceptance_first() -> None:
    found = judged()
    assert (found.state, found.step, found.role) == (
        ApprovalState.PENDING,
        Stage.ACCEPTANCE,
        Role.ACCEPTOR,
    )
    assert (found.since, found.due) == (CREATED, end_of("2026-12-07"))


@pytest.mark.parametrize(
    ("now", "overdue"), [("2026-12-07 23:59:59", False), ("2026-12-08 00:00:00", True), ("2029-01-01", True)]
)
def test_yy_19_2_acceptance_within_ten_working_days(now: str, overdue: bool) -> None:
    found = judged(now=at(now))
    assert found.overdue is overdue
    assert found.state is ApprovalState.PENDING


def test_yy_19_2_the_review_has_ten_working_days_of_its_own() -> None:
    found = judged(ACCEPTED)
    assert (found.step, found.role, found.last) == (Stage.REVIEW, Role.REVIEWER, ACCEPTED)
    assert (found.since, found.due) == (ACCEPTED.at, end_of("2026-12-08"))


def test_yy_19_2_approved_when_every_step_is() -> None:
    found = judged(ACCEPTED, REVIEWED)
    assert (found.state, found.decided_at, found.last) == (ApprovalState.APPROVED, REVIEWED.at, REVIEWED)
    assert (found.step, found.role, found.due, found.overdue) == (None, None, None, False)


@pytest.mark.parametrize(
    ("verdict", "state"), [("Refuse", ApprovalState.REFUSED), ("Return", ApprovalState.RETURNED)]
)
def test_yy_19_2_a_refusal_ends_it_at_any_step(verdict: str, state: ApprovalState) -> None:
    at_once = decision("Acceptance", "2026-11-24 10:00", verdict)
    assert judged(at_once).state is state
    assert judged(at_once, REVIEWED).state is state
    assert judged(ACCEPTED, decision("Review", "2026-11-25 10:00", verdict)).state is state


def test_a_decision_before_its_turn_waits_for_it() -> None:
    found = judged(REVIEWED)
    assert (found.state, found.step, found.last) == (ApprovalState.PENDING, Stage.ACCEPTANCE, None)
    assert [one.key for one in found.ignored] == ["rules.approval.not-its-turn"]
    late = decision("Acceptance", "2026-11-26 10:00")
    found = judged(REVIEWED, late)
    assert (found.state, found.decided_at, found.ignored) == (ApprovalState.APPROVED, late.at, ())


def test_a_refused_step_is_not_passed_by_a_later_one() -> None:
    found = judged(REVIEWED, decision("Acceptance", "2026-11-24 10:00", "Refuse"))
    assert found.state is ApprovalState.REFUSED


@pytest.mark.parametrize(("minutes", "counts"), [(5, True), (6, False)])
def test_a_decision_of_tomorrow_does_not_count(minutes: int, counts: bool) -> None:
    now = at("2026-11-24 10:00")
    found = judged(decision("Acceptance", now + timedelta(minutes=minutes)), now=now)
    assert (found.step is Stage.REVIEW) is counts
    assert [one.key for one in found.ignored] == ([] if counts else ["rules.approval.in-the-future"])


@pytest.mark.parametrize(("minutes", "counts"), [(5, True), (6, False)])
def test_a_decision_older_than_the_approval_does_not_count(minutes: int, counts: bool) -> None:
    found = judged(decision("Acceptance", CREATED - timedelta(minutes=minutes)))
    assert (found.step is Stage.REVIEW) is counts
    assert [one.key for one in found.ignored] == ([] if counts else ["rules.approval.before-creation"])


def test_skew_never_starts_a_clock_before_the_approval_was_made() -> None:
    assert judged(decision("Acceptance", CREATED - timedelta(minutes=5))).since == CREATED


def test_the_first_decision_on_a_step_stands() -> None:
    second = decision("Acceptance", "2026-11-24 11:00", "Refuse")
    found = judged(ACCEPTED, second)
    assert (found.state, found.step) == (ApprovalState.PENDING, Stage.REVIEW)
    assert len(found.ignored) == 1


def test_a_decision_on_no_step_is_told() -> None:
    found = judged(decision("ExpertReview", "2026-11-24 10:00"))
    assert found.last is None
    assert len(found.ignored) == 1


def test_a_superseded_approval_stays_so() -> None:
    assert judged(ACCEPTED, REVIEWED, state="Superseded").state is ApprovalState.SUPERSEDED


def test_one_that_is_being_made_counts_as_made_now() -> None:
    assert judged(created=None).since == LATER


@given(st.datetimes(datetime(2026, 11, 24), datetime(2040, 1, 1)))
def test_no_clock_ever_decides(now: datetime) -> None:
    now = at(now.isoformat())
    for given_, step in (((), Stage.ACCEPTANCE), ((ACCEPTED,), Stage.REVIEW)):
        found = judged(*given_, now=max(now, LATER))
        assert (found.state, found.step) == (ApprovalState.PENDING, step)


STAGES = st.sampled_from(["Acceptance", "Review", "Completeness", "ExpertReview"])
DECISIONS = st.lists(
    st.builds(
        decision,
        STAGES,
        st.datetimes(datetime(2026, 11, 20), datetime(2026, 12, 5)).map(lambda t: at(t.isoformat())),
        st.sampled_from(["Approve", "Refuse", "Return"]),
    ),
    max_size=4,
)


@given(DECISIONS)
def test_approved_only_if_somebody_approved_every_step(decisions: list[Decision]) -> None:
    found = judged(*decisions)
    approved = {one.stage for one in decisions if one.verdict is Verdict.APPROVE}
    if found.state is ApprovalState.APPROVED:
        assert {step.stage for step in STEPS} <= approved
        assert found.decided_at is not None
        assert found.decided_at <= LATER + timedelta(minutes=5)
    if found.last is not None:
        assert found.last in decisions


def test_the_order_in_the_list_is_no_order() -> None:
    for order in permutations([ACCEPTED, REVIEWED]):
        assert judged(*order).state is ApprovalState.APPROVED
