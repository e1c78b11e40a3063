"""Right-sizing (资源调整建议): advice is filed with the authority before the delivery order (YY-19(4))."""

from __future__ import annotations

from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message


def decide(context: StageContext) -> StageResult:
    """Done at once: the advice is the stage's own record, filed in the request's status and story.

    Without usage figures the only honest advice is to keep what was approved, and it says so.
    """
    return context.done(message("AdviceFiled"), at=context.before)
