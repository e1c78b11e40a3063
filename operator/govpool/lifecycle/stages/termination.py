"""Termination (服务终止确认): the unit confirms the end of service, and billing ends (YY-21(2), YY-39)."""

from __future__ import annotations

from govpool.api.cloudpolicy import Role
from govpool.lifecycle.certificate_draft import termination
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message


def decide(context: StageContext) -> StageResult:
    """Done when the unit confirmed the end."""
    name = context.approved.approval
    confirmed = termination(context)
    if confirmed is None or confirmed.at > context.now:
        return context.waiting(
            message("TerminationUnconfirmed", approval=name),
            who=Role.UNIT,
            look_again=confirmed.at if confirmed else None,
        )
    return context.done(
        message("TerminationConfirmed", by=confirmed.by), at=max(context.before, confirmed.at)
    )
