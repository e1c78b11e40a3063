"""decide: how an Approval stands, for people to see. The request's own decision judges it again."""

from __future__ import annotations

from datetime import timedelta

from govpool.api.approval import ApprovalState, ApprovalStatus
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import ApprovalObservation
from govpool.rules.approvals import judge


def decide(observation: ApprovalObservation) -> Decision:
    """The status after the decisions given so far, and when its clock runs out."""
    approval, policy = observation.approval, observation.policy
    status = approval.status or ApprovalStatus()
    if policy is None or status.state is ApprovalState.SUPERSEDED:
        return Decision()
    judgement = judge(approval, policy=policy.spec, now=observation.now)
    after = status.model_copy(
        update={
            "observed_generation": approval.metadata.generation,
            "state": judgement.state,
            "step": judgement.step,
            "role": judgement.role,
            "since": judgement.since,
            "due": judgement.due,
            "overdue": judgement.overdue,
        }
    )
    look = judgement.due + timedelta(seconds=1) if judgement.due and not judgement.overdue else None
    if after == approval.status:
        return Decision(look_again=look)
    return Decision((WriteStatus(approval, after),), look)
