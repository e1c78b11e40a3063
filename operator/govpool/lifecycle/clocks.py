"""Clocks that ran out: shown, counted, escalated and told. None of it approves or refuses anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, Deadline, Happening
from govpool.lifecycle.actions import Announce
from govpool.lifecycle.conditions import MAX_MESSAGE
from govpool.lifecycle.observation import RequestObservation
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.escalation import escalated

MAX_KEY = 256


def with_escalations(
    due: Iterable[Deadline], policy: CloudPolicySpec, now: datetime
) -> tuple[list[Deadline], list[datetime]]:
    """The deadlines, with who was told of those that ran out; and when others will be told."""
    found, looks = [], []
    for one in due:
        told = escalated(policy, one.due, now) if one.overdue and one.due else None
        if told is not None:
            one = one.model_copy(update={"escalated_to": told.role, "escalated_at": told.at})  # noqa: PLW2901
        found.append(one)
        looks += _escalates_at(one, policy)
    return found, looks


def _escalates_at(one: Deadline, policy: CloudPolicySpec) -> list[datetime]:
    rule = policy.escalation
    if rule is None or rule.after is None or one.due is None or one.by_itself or one.escalated_to:
        return []
    return [WorkCalendar.of(policy).after_working_days(one.due, rule.after) + timedelta(seconds=1)]


def _clock(one: Deadline) -> str:
    """Which clock it is: texts change while it runs, these do not."""
    stage = one.stage.value if one.stage else "-"
    return f"{stage}/{one.who.value}/{one.article}/{one.since.isoformat()}"


def newly_overdue(before: CloudResourceRequestStatus, due: Iterable[Deadline]) -> int:
    """How many clocks ran out since the status was written."""
    known = {_clock(one) for one in before.deadlines if one.overdue}
    return sum(1 for one in due if one.overdue and _clock(one) not in known)


def clocks_announced(
    observation: RequestObservation, before: CloudResourceRequestStatus, after: CloudResourceRequestStatus
) -> list[Announce]:
    """One Event for each clock that ran out, and one when somebody is told of it; never a second one."""
    late = {_clock(one) for one in before.deadlines if one.overdue}
    told = {_clock(one) for one in before.deadlines if one.escalated_to}
    announced: list[Announce] = []
    for one in after.deadlines:
        if one.escalated_to and _clock(one) not in told:
            reason = "ClockEscalated"
        elif one.overdue and _clock(one) not in late:
            reason = "ClockRanOut"
        else:
            continue
        note = overdue_text(one).render(observation.language)[:MAX_MESSAGE]
        announced.append(Announce(observation.request, reason, note, warning=True))
    return announced


def overdue_text(one: Deadline) -> Message:
    """What an overdue clock says, and who was told of it."""
    if one.escalated_to is None:
        return message("Overdue", what=one.what, who=one.who.value)
    return message("terms.overdue-escalated", what=one.what, who=one.who.value, role=one.escalated_to.value)


def clocks_told(after: CloudResourceRequestStatus, policy: CloudPolicySpec) -> Iterator[Happening]:
    """Each clock that ran out, and who was told of it, for the request's story."""
    for one in after.deadlines:
        if one.overdue and one.due:
            yield happening("Overdue", one.due, one.what, one.article, f"overdue/{_clock(one)}")
        if one.escalated_to and one.escalated_at and policy.escalation:
            under = clause(policy, policy.escalation.article)
            what = f"Escalated: {one.escalated_to.value}"
            yield happening(what, one.escalated_at, one.what, under, f"escalated/{_clock(one)}")


def happening(
    what: str, at: datetime, detail: str, under: str, key: str, actor: str = "govpool"
) -> Happening:
    """Something for the request's story."""
    return Happening(
        at=at, actor=actor, what=what, detail=detail[:MAX_MESSAGE], article=under, key=key[:MAX_KEY]
    )
