"""Conditions after the Kubernetes API conventions, from one pure function."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from govpool.api.base import Condition, ConditionStatus
from govpool.messages import Language, Message

MAX_MESSAGE = 4096
REMEMBERED = 4096
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def condition(
    type_: str,
    status: ConditionStatus,
    reason: str,
    message: Message,
    *,
    clause: str = "",
    generation: int,
    now: datetime,
    language: Language = "en",
) -> Condition:
    """A condition whose message ends with the clause that it follows."""
    said = _said(type_, status, reason, message, clause, generation, language)
    return said.model_copy(update={"last_transition_time": now})


@lru_cache(maxsize=REMEMBERED)
def _said(
    type_: str,
    status: ConditionStatus,
    reason: str,
    message: Message,
    clause: str,
    generation: int,
    language: Language,
) -> Condition:
    """What a condition says, whenever that is."""
    text = message.render(language)
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=(f"{text} [{clause}]" if clause else text)[:MAX_MESSAGE],
        last_transition_time=_NEVER,
        observed_generation=generation,
    )


def merged(before: Iterable[Condition], now: Iterable[Condition]) -> list[Condition]:
    """The new conditions in their order; a transition time moves only when the status does.

    A type that is no longer told is dropped: level-based, nothing of an earlier state lingers.
    """
    old = {item.type: item for item in before}
    result = []
    for item in now:
        previous = old.get(item.type)
        if previous is None or previous.status != item.status:
            result.append(item)
        elif _says(previous) == _says(item):
            result.append(previous)
        else:
            since = previous.last_transition_time
            result.append(item.model_copy(update={"last_transition_time": since}))
    return result


def _says(item: Condition) -> tuple[str, str, int | None]:
    return item.reason, item.message, item.observed_generation
