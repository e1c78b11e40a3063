"""Which function carries out a stage: govpool's own, or that of a pool that only people reach."""

from __future__ import annotations

from collections.abc import Callable

from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages import STAGES, by_hand
from govpool.lifecycle.stages.context import StageContext


def stage_of(context: StageContext) -> Callable[[StageContext], StageResult]:
    """The stage's function for the pool."""
    if context.by_hand and context.rule.stage in by_hand.STAGES:
        return by_hand.STAGES[context.rule.stage]
    return STAGES[context.rule.stage]
