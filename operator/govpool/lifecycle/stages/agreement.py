"""Agreement (三方协议): signed before formal operation (BZ-21)."""

from __future__ import annotations

from govpool.api.cloudpolicy import Role
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message


def decide(context: StageContext) -> StageResult:
    """Done when the unit says that it was signed."""
    signed = context.request.spec.confirmations.agreement
    if signed is None:
        return context.waiting(message("AgreementMissing"), who=Role.UNIT)
    return context.done(message("AgreementSigned", by=signed.by), at=max(context.before, signed.at))
