"""Rectification notices (整改通知): their clock, what may be enforced, and what is (JN-20, YY-22, BZ-38)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec, Role
from govpool.api.policy_rectification import NoticeRule
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.api.rectificationnotice import (
    EnforcementGround,
    NoticeDecision,
    NoticeState,
    NoticeVerdict,
    RectificationNotice,
)
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar

CLOSING = (NoticeVerdict.RECTIFIED, NoticeVerdict.WITHDRAWN)

_DEMANDS = {
    NoticeFinding.REDUCE: "Reduce",
    NoticeFinding.ZOMBIE: "Reduce",
    NoticeFinding.STILL_LOW: "Reduce",
    NoticeFinding.UNUSED_TRIAL: "UnusedTrial",
    NoticeFinding.EVIDENCE_LAPSED: "Evidence",
    NoticeFinding.MAKE_GOOD_OVERDUE: "Evidence",
    NoticeFinding.EMERGENCY_PAPERS_OVERDUE: "Evidence",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that has to be in force: why, by whom, since when."""

    action: Enforcement
    ground: EnforcementGround
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class NoticeJudgement:
    """How a notice stands under its policy."""

    state: NoticeState
    who: Role | None
    told: datetime | None
    due: datetime | None
    overdue: bool
    wanted: tuple[Wanted, ...]
    not_permitted: tuple[Enforcement, ...]
    """What was decided and the policy does not provide; it is not carried out."""


def notice_rule(policy: CloudPolicySpec, finding: NoticeFinding) -> NoticeRule | None:
    """What the policy says of a finding; None where it provides no notice."""
    rules = policy.rectification.notices if policy.rectification else []
    return next((rule for rule in rules if rule.finding is finding), None)


def judge(
    notice: RectificationNotice, rule: NoticeRule, policy: CloudPolicySpec, now: datetime
) -> NoticeJudgement:
    """The notice's state, whose turn it is, and what is to be in force.

    A clock that ran out enforces nothing by itself, unless the rule says ``automatic``; a statement of the
    unit that was given in time waits for a decision, and nothing is automatic over it. What is enforced at
    once stays until the notice is closed. A forced deregistration that was decided is never undone.
    """
    spec, last = notice.spec, notice.spec.decisions[-1] if notice.spec.decisions else None
    told = _told(notice, rule)
    due = WorkCalendar.of(policy).after(told, rule.clock) if told and rule.clock else None
    closed = next((d.verdict for d in spec.decisions if d.verdict in CLOSING), None)
    late = due is not None and now > due and closed is None
    wanted = _wanted(notice, rule, due if late else None, closed)
    state = _state(notice, told, closed, last, late=late, enforced=bool(wanted))
    refused = last.enforcement if last else []
    return NoticeJudgement(
        state=state,
        who=_who(state),
        told=told,
        due=due,
        overdue=late,
        wanted=wanted,
        not_permitted=tuple(action for action in refused if action not in rule.enforcement),
    )


def _told(notice: RectificationNotice, rule: NoticeRule) -> datetime | None:
    """The unit's clock starts when it is told; where experts come first, with their opinion (JN-20)."""
    if not rule.expert_review:
        return notice.spec.issued
    opinion = notice.spec.expert_opinion
    return max(opinion.at, notice.spec.issued) if opinion else None


def _wanted(
    notice: RectificationNotice, rule: NoticeRule, ran_out: datetime | None, closed: NoticeVerdict | None
) -> tuple[Wanted, ...]:
    found: dict[Enforcement, Wanted] = {}
    decisions = notice.spec.decisions
    forced = next((d for d in decisions if Enforcement.DEREGISTRATION in d.enforcement), None)
    if forced is not None and Enforcement.DEREGISTRATION in rule.enforcement:
        found[Enforcement.DEREGISTRATION] = _decided(Enforcement.DEREGISTRATION, forced)
    if closed is not None:
        return tuple(found.values())
    issued = notice.spec.issued
    for action in rule.at_once:
        found.setdefault(action, Wanted(action, EnforcementGround.AT_ONCE, notice.spec.issued_by, issued))
    if decisions:
        for action in decisions[-1].enforcement:
            if action in rule.enforcement:
                found.setdefault(action, _decided(action, decisions[-1]))
    elif ran_out is not None and not any(s.at <= ran_out for s in notice.spec.statements):
        for action in rule.automatic:
            found.setdefault(action, Wanted(action, EnforcementGround.AUTOMATIC, "govpool", ran_out))
    return tuple(found.values())


def _decided(action: Enforcement, decision: NoticeDecision) -> Wanted:
    return Wanted(action, EnforcementGround.DECISION, decision.by, decision.at)


def _state(
    notice: RectificationNotice,
    told: datetime | None,
    closed: NoticeVerdict | None,
    last: NoticeDecision | None,
    *,
    late: bool,
    enforced: bool,
) -> NoticeState:
    if closed is not None:
        return NoticeState.RECTIFIED if closed is NoticeVerdict.RECTIFIED else NoticeState.WITHDRAWN
    stated = [s for s in notice.spec.statements if last is None or s.at > last.at]
    if stated:
        return NoticeState.STATED
    if enforced:
        return NoticeState.ENFORCED
    if told is None:
        return NoticeState.EXPERT_REVIEW
    return NoticeState.OVERDUE if late else NoticeState.OPEN


def _who(state: NoticeState) -> Role | None:
    return {
        NoticeState.EXPERT_REVIEW: Role.EXPERT,
        NoticeState.OPEN: Role.UNIT,
        NoticeState.STATED: Role.REVIEWER,
        NoticeState.OVERDUE: Role.REVIEWER,
        NoticeState.ENFORCED: Role.UNIT,
    }.get(state)


def state_message(state: NoticeState, due: datetime | None, in_force: Iterable[Enforcement]) -> Message:
    """How a notice stands, for people."""
    actions = ", ".join(action.value for action in in_force) or "-"
    return message(f"notice.{state.value}", due=due.isoformat() if due else "-", actions=actions)


def demand(finding: NoticeFinding) -> Message:
    """What a notice that govpool gives demands of the unit."""
    return message(f"notice.demand.{_DEMANDS.get(finding, 'Other')}")
