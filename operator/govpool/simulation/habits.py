"""What people do by themselves where a scenario says nothing: everybody does his part, in good time."""

from __future__ import annotations

from collections.abc import Iterable

from govpool.api.base import Resource, WorkingDays
from govpool.api.cloudpolicy import Stage
from govpool.simulation.paths import looks_so
from govpool.simulation.scenario import Habit, Reaction


def _habit(stage: Stage, working_days: int) -> Habit:
    return Habit(stage=stage, after=WorkingDays(working_days=working_days))


HABITS: tuple[Habit, ...] = (
    _habit(Stage.COMPLETENESS, 1),
    _habit(Stage.ACCEPTANCE, 1),
    _habit(Stage.EXPERT_REVIEW, 5).model_copy(update={"opinion": "Sound: let it be decided."}),
    _habit(Stage.EVALUATION, 3),
    _habit(Stage.REVIEW, 3),
    _habit(Stage.REPORTS, 2),
    _habit(Stage.RIGHT_SIZING, 2),
    _habit(Stage.AGREEMENT, 3),
    _habit(Stage.CONFIRMATION, 1),
    _habit(Stage.BACKUP, 2),
    _habit(Stage.TERMINATION, 1),
)
REACTIONS: tuple[Reaction, ...] = (
    Reaction(
        kind="WorkOrder",
        where={"spec.executor": "person", "spec.outcome": None},
        by="provider",
        after=WorkingDays(working_days=2),
        body={"spec": {"outcome": {"by": "provider", "at": "${now}", "succeeded": True, "statement": ""}}},
    ),
)


def habit_for(habits: Iterable[Habit], stage: Stage, request: str, policy: str) -> Habit | None:
    """The first habit that is about the stage of the request; then the built-in one, if any."""
    for habit in (*habits, *HABITS):
        about = habit.stage is stage and (not habit.requests or request in habit.requests)
        if about and (not habit.policies or policy in habit.policies):
            return habit
    return None


def reaction_for(reactions: Iterable[Reaction], resource: Resource, request: str | None) -> Reaction | None:
    """The first reaction that the object meets."""
    for reaction in reactions:
        if reaction.kind != resource.DEFINITION.kind:
            continue
        if reaction.requests and request not in reaction.requests:
            continue
        if looks_so(resource, reaction.where):
            return reaction
    return None
