"""Handover (交付): the unit gets in, the operator is locked out, and that is proven."""

from __future__ import annotations

from govpool.api.workorder import WorkOrderKind
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.stages.orders import carried_out_by
from govpool.messages import message


def decide(context: StageContext) -> StageResult:
    """Done when every wanted server was handed over."""
    servers = tuple(filter(None, (context.current(wanted) for wanted in context.plan.wanted)))
    lacking = tuple(s for s in servers if s.status is None or s.status.handover is None)
    if lacking:
        return carried_out_by(context, WorkOrderKind.HANDOVER, lacking)
    times = [s.status.handover.at for s in servers if s.status and s.status.handover]
    return context.done(message("HandedOver", servers=len(servers)), at=max([context.before, *times]))
