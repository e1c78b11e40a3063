"""What ``govpool explain`` says would have made it otherwise does make it otherwise: each is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from lifecycle_builders import (
    NOW,
    backed_up,
    decided,
    handed_over,
    hardened,
    leaving,
    observe,
    opened,
    request,
    servers,
    stage,
    updated,
    wiped,
)
from rules_support import Obj, at, policy, quota
from test_enforcement import in_trial, unused
from test_stages_delivery import BY_LIU, ENDS, after_trial, report
from test_stages_leaving import LATER, leave, saved

from govpool.api.approval import Approval, ApprovalState, Verdict
from govpool.api.cloudpolicy import CloudPolicySpec, Stage
from govpool.api.cloudresourcerequest import (
    CloudResourceRequestStatus,
    Confirmations,
    Happening,
    StageState,
)
from govpool.api.policy_rectification import NoticeRule
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.api.rectificationnotice import (
    EnforcementTaken,
    RectificationNotice,
    RectificationNoticeStatus,
)
from govpool.lifecycle.actions import Create
from govpool.lifecycle.grounds import Clock, Ground, other_billing_starts, otherwise_decided
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.request import decide
from govpool.lifecycle.stage_grounds import stage as rests
from govpool.lifecycle.stages.choice import stage_of
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.turn_grounds import happening as turned
from govpool.messages import Message
from govpool.rules.approvals import judge
from govpool.rules.billing import billing_start
from govpool.rules.notice import NoticeJudgement
from govpool.rules.notice import judge as judge_notice
from govpool.rules.trial import trial

A_DAY = timedelta(days=1)
AFTER = at("2026-12-23")


# -- stages --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Turn:
    """A stage that is done, what is said of it, and the same one with only that changed."""

    done: Callable[[], StageContext]
    key: str
    otherwise: Callable[[], StageContext]


def both(make: Callable[..., Any], **more: Any) -> tuple[Any, ...]:
    return tuple(make(server, **more) for server in servers())


def half(good: Callable[..., Any], bad: Callable[..., Any]) -> tuple[Any, Any]:
    app, db = servers()
    return good(app), bad(db)


def filed(*reports: str) -> Any:
    return after_trial({"confirmations": {"reports": [report(kind) for kind in reports]}})


def confirmed(**given: Any) -> Any:
    return request({"confirmations": given})


BOZHOU = policy("bozhou-2024")
TURNS = {
    "baseline": Turn(
        lambda: stage(Stage.BASELINE, servers=both(hardened)),
        "audit.otherwise.baseline-not-met",
        lambda: stage(Stage.BASELINE, servers=half(hardened, lambda one: hardened(one, passed=False))),
    ),
    "handover": Turn(
        lambda: stage(Stage.HANDOVER, servers=both(handed_over)),
        "audit.otherwise.locked-out",
        lambda: stage(Stage.HANDOVER, servers=half(handed_over, hardened)),
    ),
    "reports": Turn(
        lambda: stage(Stage.REPORTS, filed("Trial"), before=ENDS, now=AFTER),
        "audit.otherwise.report",
        lambda: stage(Stage.REPORTS, filed(), before=ENDS, now=AFTER),
    ),
    "confirmation": Turn(
        lambda: stage(Stage.CONFIRMATION, confirmed(delivery=BY_LIU), now=AFTER),
        "audit.otherwise.confirmation",
        lambda: stage(Stage.CONFIRMATION, confirmed(), now=AFTER),
    ),
    "agreement": Turn(
        lambda: stage(Stage.AGREEMENT, confirmed(agreement=BY_LIU), under=BOZHOU, now=AFTER),
        "audit.otherwise.agreement",
        lambda: stage(Stage.AGREEMENT, confirmed(), under=BOZHOU, now=AFTER),
    ),
    "backup": Turn(
        lambda: leave(
            Stage.BACKUP,
            "backup",
            servers=both(lambda one: backed_up(leaving(one))),
            orders=(saved(),),
            now=LATER,
        ),
        "audit.otherwise.receipt",
        lambda: leave(
            Stage.BACKUP, servers=both(lambda one: backed_up(leaving(one))), orders=(saved(),), now=LATER
        ),
    ),
    "wipe": Turn(
        lambda: leave(Stage.WIPE, servers=both(lambda one: wiped(leaving(one)))),
        "audit.otherwise.unwiped",
        lambda: leave(
            Stage.WIPE,
            servers=half(lambda one: wiped(leaving(one)), lambda one: backed_up(leaving(one))),
        ),
    ),
    "termination": Turn(
        lambda: leave(Stage.TERMINATION, "termination", now=LATER),
        "audit.otherwise.termination",
        lambda: leave(Stage.TERMINATION, now=LATER),
    ),
}


def said(context: StageContext) -> tuple[StageState, tuple[Message, ...]]:
    """How far the stage is, and what would have made it otherwise."""
    answer = stage_of(context)(context)
    ground = Ground(context.observation, context.policy, context.catalog, context.status)
    return answer.state, rests(ground, context.approved, answer).otherwise


@pytest.mark.parametrize("name", TURNS)
def test_what_is_said_of_a_stage_turns_it(name: str) -> None:
    turn = TURNS[name]
    state, told = said(turn.done())
    assert state is StageState.DONE
    assert turn.key in {text.key for text in told}
    assert said(turn.otherwise())[0] is not StageState.DONE


def test_a_baseline_that_failed_names_what_would_have_met_it() -> None:
    app, db = servers()
    there = (hardened(app), updated(hardened(db, passed=False)))
    state, told = said(stage(Stage.BASELINE, servers=there))
    assert state is not StageState.DONE
    (text,) = (one for one in told if one.key == "audit.otherwise.baseline-met")
    assert dict(text.values)["servers"] == db.metadata.name
    assert said(stage(Stage.BASELINE, servers=(hardened(app), hardened(db))))[0] is StageState.DONE


# -- days ----------------------------------------------------------------------------------------
POLICIES = ("yiyang-2025", "bozhou-2024", "jinan-startup-area-2025", "weihai-2025", "template")


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("delivered", ["2026-12-01", "2027-02-01"])
def test_the_days_that_would_have_moved_billing_move_it_to_the_day_that_is_told(
    name: str, delivered: str
) -> None:
    rules, opened = policy(name).spec, at("2026-11-21 15:30")
    given = Confirmations.model_validate(
        {
            "delivery": {"by": "liu", "at": f"{delivered}T09:00:00+08:00"},
            "agreement": {"by": "liu", "at": f"{delivered}T11:00:00+08:00"},
        }
    )
    told = {text.key: dict(text.values)["day"] for text in _told(rules, opened, given)}
    assert told, "nothing would have moved the start"
    for key, day in told.items():
        what = key.rpartition(".")[2]
        later = given
        if what != "handover":
            one = getattr(given, what)
            later = given.model_copy(update={what: one.model_copy(update={"at": one.at + A_DAY})})
        moved = opened + A_DAY if what == "handover" else opened
        start = _start(rules, moved, later)
        assert start is not None and start.isoformat() == day
        assert start != _start(rules, opened, given)


def _told(rules: CloudPolicySpec, opened: datetime, given: Confirmations) -> tuple[Message, ...]:
    return other_billing_starts(rules, opened, trial(rules, opened), given)


def _start(rules: CloudPolicySpec, opened: datetime, given: Confirmations) -> datetime | None:
    found = billing_start(rules, handed_over=opened, trial=trial(rules, opened), confirmations=given)
    return found[0] if found else None


# -- decisions of people -------------------------------------------------------------------------
def asked() -> Approval:
    """The Approval that the example's application becomes."""
    (made,) = (
        action.resource
        for action in decide(observe(request())).actions
        if isinstance(action, Create) and isinstance(action.resource, Approval)
    )
    meta = made.metadata.model_copy(update={"creation_timestamp": NOW})
    return made.model_copy(update={"metadata": meta})


def state(*verdicts: Verdict) -> ApprovalState:
    later = NOW + timedelta(days=3)
    return judge(decided(asked(), *verdicts), policy=policy().spec, now=later).state


def test_one_step_undecided_waits_and_one_refused_never_comes_into_force() -> None:
    steps = len(asked().spec.steps)
    approved = [Verdict.APPROVE] * steps
    assert state(*approved) is ApprovalState.APPROVED
    for place in range(steps):
        assert state(*approved[:place]) is ApprovalState.PENDING
        refused = [*approved[:place], Verdict.REFUSE]
        assert state(*refused) is ApprovalState.REFUSED


def test_the_other_verdict_and_the_clock_of_a_decision() -> None:
    open_ = asked()
    due = judge(open_, policy=policy().spec, now=NOW).due
    assert due is not None
    keys = [text.key for text in otherwise_decided(True, Clock(NOW, due))]
    assert keys == ["audit.otherwise.approved", "audit.otherwise.late"]
    assert [text.key for text in otherwise_decided(False, Clock(NOW, None))] == [
        "audit.otherwise.not-approved"
    ]
    seen = [
        judge(open_, policy=policy().spec, now=moment).overdue for moment in (due, due + timedelta(seconds=1))
    ]
    assert seen == [False, True]


def test_approved_in_the_place_of_refused_goes_on_to_the_next_step() -> None:
    steps = [step.stage for step in asked().spec.steps]
    for first, second in pairwise(steps):
        place = steps.index(first)
        before = [Verdict.APPROVE] * place
        went_on = judge(
            decided(asked(), *before, Verdict.APPROVE), policy=policy().spec, now=NOW + timedelta(days=3)
        )
        assert went_on.step is second
        assert state(*before, Verdict.RETURN) is ApprovalState.RETURNED


# -- lead times, quota ---------------------------------------------------------------------------
JINAN = policy("jinan-startup-area-2025")


def test_jn_19_the_lead_time_that_is_told_holds_it_up() -> None:
    """Applied for a day later, nothing is taken away before the day that is told."""
    context = leave(
        Stage.BACKUP,
        "backup",
        under=JINAN,
        servers=both(lambda one: backed_up(leaving(one))),
        orders=(saved(),),
        now=LATER + timedelta(days=30),
    )
    context = asked_at(context, LATER - timedelta(days=5))
    state, told = said(context)
    assert state is StageState.DONE
    (text,) = (one for one in told if one.key == "audit.otherwise.lead")
    opens = datetime.fromisoformat(dict(text.values)["opens"])
    a_day_later = asked_at(context, LATER - timedelta(days=4))
    just_before = observed_at(a_day_later, opens - timedelta(seconds=1))
    assert said(just_before)[0] is StageState.WAITING
    assert said(observed_at(a_day_later, opens))[0] is StageState.DONE


def test_bz_25_the_limit_and_the_amounts_that_are_told_fit() -> None:
    small = quota(limits=[{"pool": "local-pool", "hard": {"servers": 1, "vcpu": 1, "memoryGiB": 1}}])
    context = stage(Stage.QUOTA, quota=small)
    state, told = said(context)
    assert state is not StageState.DONE
    (text,) = (one for one in told if one.key == "audit.otherwise.limit")
    wanted = dict(part.split(" ") for part in dict(text.values)["limit"].split(", "))
    hard = {"servers": 1, "vcpu": 1, "memoryGiB": 1} | {name: int(value) for name, value in wanted.items()}
    fits = quota(limits=[{"pool": "local-pool", "hard": hard}])
    assert answer(stage(Stage.QUOTA, quota=fits)) == "QuotaReserving"
    tight = max(wanted, key=lambda name: int(wanted[name]))
    less = quota(limits=[{"pool": "local-pool", "hard": hard | {tight: hard[tight] - 1}}])
    assert answer(stage(Stage.QUOTA, quota=less)).startswith("rules.quota.")


def answer(context: StageContext) -> str:
    return stage_of(context)(context).message.key


def asked_at(context: StageContext, moment: datetime) -> StageContext:
    approved = context.approved.model_copy(update={"asked_at": moment})
    return context._replace(approved=approved)


def observed_at(context: StageContext, moment: datetime) -> StageContext:
    return context._replace(observation=replace(context.observation, now=moment))


# -- notices -------------------------------------------------------------------------------------
def unused_notices(**patch: Any) -> list[RectificationNotice]:
    of = request({"confirmations": patch} if patch else {}, status=in_trial())
    there = tuple(unused(handed_over(opened(server))) for server in servers())
    return given_notices(replace(observe(of), policy=JINAN, servers=there))


def given_notices(seen: RequestObservation) -> list[RectificationNotice]:
    made = [action.resource for action in decide(seen).actions if isinstance(action, Create)]
    return [one for one in made if isinstance(one, RectificationNotice)]


def test_jn_15_without_the_finding_that_is_told_there_is_no_notice() -> None:
    (notice,) = unused_notices()
    assert notice.spec.finding is NoticeFinding.UNUSED_TRIAL
    assert unused_notices(delivery=BY_LIU) == [], "a unit that confirmed delivery has used it"
    used = tuple(handed_over(opened(server)) for server in servers())
    assert given_notices(replace(observe(request(status=in_trial())), policy=JINAN, servers=used)) == []


AUTOMATIC = NoticeRule.model_validate(
    {"finding": "OtherUse", "clock": "P1M", "automatic": ["StopIssuing"], "article": "9"}
)
AT_ONCE = NoticeRule.model_validate({"finding": "GraveDanger", "atOnce": ["Isolation"], "article": "9"})
DECIDED = NoticeRule.model_validate(
    {"finding": "OtherUse", "clock": "P1M", "enforcement": ["StopIssuing", "Deregistration"], "article": "9"}
)
OVER = NOW + timedelta(days=60)


def enforced(rule: NoticeRule, **given: Any) -> tuple[list[Enforcement], RectificationNotice]:
    notice = RectificationNotice.model_validate(
        {
            "kind": "RectificationNotice",
            "apiVersion": "govpool.dev/v1alpha1",
            "metadata": {"name": "n", "namespace": "ns", "uid": "u"},
            "spec": {
                "policy": "drawn",
                "finding": rule.finding.value,
                "detail": "-",
                "demand": "-",
                "issued": NOW.isoformat(),
                "issuedBy": "reviewer",
                **given,
            },
        }
    )
    return [one.action for one in notice_judged(notice, rule).wanted], notice


def notice_judged(notice: RectificationNotice, rule: NoticeRule) -> NoticeJudgement:
    return judge_notice(notice, rule, JINAN.spec, OVER)


def spoken_of(rule: NoticeRule, **given: Any) -> str:
    """What is told of the enforcement, by its key."""
    actions, notice = enforced(rule, **given)
    (wanted,) = (one for one in notice_judged(notice, rule).wanted if one.action is actions[0])
    record = EnforcementTaken(
        action=wanted.action, ground=wanted.ground, by=wanted.by, since=wanted.since, article="RND-9"
    )
    status = RectificationNoticeStatus(enforcement=[record], due=notice_judged(notice, rule).due)
    told = Happening(
        at=wanted.since,
        actor=wanted.by,
        what=wanted.action.value,
        article="RND-9",
        key=f"notice/n/{wanted.action.value}/{wanted.since.isoformat()}",
    )
    seen = replace(observe(request()), notices=(notice.model_copy(update={"status": status}),))
    assert seen.policy is not None and seen.catalog is not None
    (text,) = turned(Ground(seen, seen.policy, seen.catalog, CloudResourceRequestStatus()), told).otherwise
    return text.key.removeprefix("audit.otherwise.")


def decision(*actions: str, verdict: str = "NotRectified") -> Obj:
    return {
        "verdict": verdict,
        "enforcement": list(actions),
        "by": "zhou",
        "at": (NOW + timedelta(days=40)).isoformat(),
        "opinion": "-",
    }


def test_what_follows_by_itself_would_not_once_stated_or_rectified_in_time() -> None:
    assert spoken_of(AUTOMATIC) == "notice-enforced"
    in_time = {"by": "liu", "at": (NOW + timedelta(days=20)).isoformat(), "statement": "整改完成"}
    assert enforced(AUTOMATIC)[0] == [Enforcement.STOP_ISSUING]
    assert enforced(AUTOMATIC, statements=[in_time])[0] == []
    assert enforced(AUTOMATIC, decisions=[decision(verdict="Rectified")])[0] == []


def test_jn_25_what_is_done_at_once_ends_with_its_notice_only() -> None:
    assert spoken_of(AT_ONCE) == "notice-at-once"
    stated = {"by": "liu", "at": NOW.isoformat(), "statement": "已处置"}
    assert enforced(AT_ONCE, statements=[stated])[0] == [Enforcement.ISOLATION]
    assert enforced(AT_ONCE, decisions=[decision(verdict="Rectified")])[0] == []


def test_jn_20_without_the_decision_that_is_told_nothing_is_enforced() -> None:
    assert enforced(DECIDED)[0] == [], "a clock alone enforces nothing"
    assert spoken_of(DECIDED, decisions=[decision("StopIssuing")]) == "notice-decided"
    closed = [decision("StopIssuing"), decision(verdict="Rectified")]
    assert enforced(DECIDED, decisions=closed)[0] == []


def test_jn_20_a_forced_deregistration_that_was_decided_is_never_undone() -> None:
    assert spoken_of(DECIDED, decisions=[decision("Deregistration")]) == "notice-forced-out"
    closed = [decision("Deregistration"), decision(verdict="Rectified")]
    assert enforced(DECIDED, decisions=closed)[0] == [Enforcement.DEREGISTRATION]
