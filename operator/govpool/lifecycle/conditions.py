"""Conditions after the Kubernetes API conventions, from one pure function."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from govpool.api.base import Condition, ConditionStatus
from govpool.messages import Language, Message

MAX_MESSAGE = 4096


class Said(NamedTuple):
    """What is said now: a condition only once it was held against what was said before."""

    type: str
    status: ConditionStatus
    reason: str
    message: str
    observed_generation: int
    last_transition_time: datetime


def condition(
    type_: str,
    status: ConditionStatus,
    reason: str,
    message: Message | str,
    *,
    clause: str = "",
    generation: int,
    now: datetime,
    language: Language = "en",
) -> Said:
    """A condition whose message ends with the clause that it follows. A text that was rendered before stays
    as it is.
    """
    text = message if isinstance(message, str) else message.render(language)
    said = (f"{text} [{clause}]" if clause else text)[:MAX_MESSAGE]
    return Said(type_, status, reason, said, generation, now)


def merged(before: Iterable[Condition], now: Iterable[Condition | Said]) -> list[Condition]:
    """The new conditions in their order; a transition time moves only when the status does.

    A type that is no longer told is dropped: level-based, nothing of an earlier state lingers.
    """
    old = {item.type: item for item in before}
    result = []
    for item in now:
        previous = old.get(item.type)
        if previous is None or previous.status != item.status:
            result.append(_since(item, item.last_transition_time))
        elif _says(previous) == _says(item):
            result.append(previous)
        else:
            result.append(_since(item, previous.last_transition_time))
    return result


def _since(item: Condition | Said, at: datetime) -> Condition:
    return Condition(
        type=item.type,
        status=item.status,
        reason=item.reason,
        message=item.message,
        last_transition_time=at,
        observed_generation=item.observed_generation,
    )


def _says(item: Condition | Said) -> tuple[str, str, int | None]:
    return item.reason, item.message, item.observed_generation
