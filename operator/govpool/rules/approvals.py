"""How an Approval (审批单) stands, from its steps and the decisions that were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from govpool.api.approval import Approval, ApprovalState, Decision, Step, Verdict
from govpool.api.cloudpolicy import CloudPolicySpec, Role, Stage
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of whoever decides may differ from that of the API server."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an Approval stands at one instant."""

    state: ApprovalState
    step: Stage | None = None
    """The step that waits; None once it is settled."""
    role: Role | None = None
    """Who must act."""
    since: datetime | None = None
    """When the step's clock started."""
    due: datetime | None = None
    """When it ends; None where the regulation sets no time."""
    overdue: bool = False
    """Whether it has passed. That decides nothing."""
    decided_at: datetime | None = None
    """When the last decision that settled it was given."""
    last: Decision | None = None
    """The last decision that counts."""
    ignored: tuple[Message, ...] = ()
    """Decisions that do not count, or not yet, and why."""


_SETTLES = {Verdict.REFUSE: ApprovalState.REFUSED, Verdict.RETURN: ApprovalState.RETURNED}


def judge(approval: Approval, *, policy: CloudPolicySpec, now: datetime) -> Judgement:
    """How the Approval stands at ``now``.

    Decisions count in the order of the steps: one that was given before its turn waits for it. One that is
    dated before the Approval was made, or after ``now``, does not count (five minutes of clock skew are
    forgiven). Only decisions decide: an overdue clock neither approves nor refuses. One that is being made
    and was not stored yet counts as made now.
    """
    created = approval.metadata.creation_timestamp or now
    if approval.status is not None and approval.status.state is ApprovalState.SUPERSEDED:
        return Judgement(ApprovalState.SUPERSEDED)
    dated, ignored = _dated(approval.spec.decisions, created=created, now=now)
    counting, waiting = _in_turn(approval.spec.steps, dated)
    ignored += [message("rules.approval.not-its-turn", stage=found.stage, by=found.by) for found in waiting]
    judgement = _stand(approval, counting, policy, created, now)
    return replace(judgement, ignored=tuple(ignored)) if ignored else judgement


def _stand(
    approval: Approval,
    counting: Sequence[Decision],
    policy: CloudPolicySpec,
    created: datetime,
    now: datetime,
) -> Judgement:
    last = counting[-1] if counting else None
    since = max((created, *(decision.at for decision in counting)))
    if last is not None and last.verdict in _SETTLES:
        return Judgement(_SETTLES[last.verdict], decided_at=since, last=last)
    if last is not None and len(counting) == len(approval.spec.steps):
        return Judgement(ApprovalState.APPROVED, decided_at=since, last=last)
    step = approval.spec.steps[len(counting)]
    due = None if step.clock is None else WorkCalendar.of(policy).after_working_days(since, step.clock)
    return Judgement(
        ApprovalState.PENDING,
        step=step.stage,
        role=step.role,
        since=since,
        due=due,
        overdue=due is not None and now > due,
        last=last,
    )


def _dated(
    decisions: Sequence[Decision], *, created: datetime, now: datetime
) -> tuple[list[Decision], list[Message]]:
    """The decisions whose date can be true, and why the others do not count."""
    counting: list[Decision] = []
    ignored: list[Message] = []
    for decision in decisions:
        if decision.at < created - CLOCK_SKEW:
            key = "rules.approval.before-creation"
        elif decision.at > now + CLOCK_SKEW:
            key = "rules.approval.in-the-future"
        else:
            counting.append(decision)
            continue
        ignored.append(message(key, stage=decision.stage, by=decision.by, at=decision.at.isoformat()))
    return counting, ignored


def _in_turn(steps: Sequence[Step], decisions: Sequence[Decision]) -> tuple[list[Decision], list[Decision]]:
    """The decisions that count, one per step from the first on, and those that do not, or not yet."""
    counting: list[Decision] = []
    for step in steps:
        found = next((decision for decision in decisions if decision.stage is step.stage), None)
        if found is None:
            break
        counting.append(found)
        if found.verdict is not Verdict.APPROVE:
            break
    return counting, [decision for decision in decisions if not any(decision is one for one in counting)]
