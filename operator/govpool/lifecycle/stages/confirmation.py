"""Confirmation (交付确认): the unit says that delivery is complete (YY-39, JN-16)."""

from __future__ import annotations

from govpool.api.cloudpolicy import Role
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message


def decide(context: StageContext) -> StageResult:
    """Done when the unit confirmed delivery."""
    confirmed = context.request.spec.confirmations.delivery
    if confirmed is None:
        return context.waiting(message("DeliveryUnconfirmed"), who=Role.UNIT)
    return context.done(message("DeliveryConfirmed", by=confirmed.by), at=max(context.before, confirmed.at))
