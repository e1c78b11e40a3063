"""What ``govpool explain`` says would have made it otherwise does make it otherwise: each is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    request,
    servers,
    stage,
    updated,
    wiped,
)
from rules_support import at, policy
from test_stages_delivery import BY_LIU, ENDS, after_trial, report
from test_stages_leaving import LATER, leave, saved

from govpool.api.approval import Approval, ApprovalState, Verdict
from govpool.api.cloudpolicy import CloudPolicySpec, Stage
from govpool.api.cloudresourcerequest import Confirmations, StageState
from govpool.lifecycle.actions import Create
from govpool.lifecycle.grounds import Clock, Ground, other_billing_starts, otherwise_decided
from govpool.lifecycle.request import decide
from govpool.lifecycle.stage_grounds import stage as rests
from govpool.lifecycle.stages.choice import stage_of
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import Message
from govpool.rules.approvals import judge
from govpool.rules.billing import billing_start
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
