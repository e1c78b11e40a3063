"""What a decision is, and what a stage answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from govpool.api.cloudpolicy import Role, Stage, StageRule
from govpool.api.cloudresourcerequest import StageState
from govpool.lifecycle.actions import Action
from govpool.messages import Message


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now and when to look again: ``look_again``, an absolute time, or None: on an event."""

    actions: tuple[Action, ...] = ()
    look_again: datetime | None = None


class StageResult(NamedTuple):
    """What a stage answers: Done, Waiting, Refused, Failed or Unknown. One is made for each stage of each
    look.

    ``at`` is when it was done; ``who`` and ``due`` say who must act until when; ``actions`` carry it on.
    """

    stage: Stage
    state: StageState
    message: Message
    clause: str
    who: Role | None = None
    since: datetime | None = None
    due: datetime | None = None
    at: datetime | None = None
    look_again: datetime | None = None
    actions: tuple[Action, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the next stage may begin."""
        return self.state is StageState.DONE


def earliest(*times: datetime | None) -> datetime | None:
    """The first of the times that are known."""
    known = [time for time in times if time is not None]
    return min(known) if known else None


def stage_title(rule: StageRule) -> str:
    """How a stage is named in lists."""
    return rule.stage.value
