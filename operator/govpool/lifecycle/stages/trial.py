"""Trial (测试、试运行): runs by the calendar from the first handover (YY-19(3), JN-15)."""

from __future__ import annotations

from govpool.api.cloudpolicy import Role
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message
from govpool.rules.trial import trial


def decide(context: StageContext) -> StageResult:
    """Done when its last day is over, or at once where the policy has none."""
    days = context.status.trial or trial(context.regulation, context.before)
    if days is None:
        return context.done(message("NoTrial"), at=context.before)
    if context.now < days.ends:
        return context.waiting(
            message("TrialRuns", ends=days.ends.isoformat()),
            who=Role.UNIT,
            due=days.ends,
            look_again=days.ends,
        )
    return context.done(message("TrialOver", ends=days.ends.isoformat()), at=days.ends)
