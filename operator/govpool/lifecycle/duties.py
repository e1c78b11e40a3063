"""Who must act, by when, under which article: read from what statuses say, for whoever shows or tells it.

``govpool status`` shows it of one request, ``govpool top`` of all, the metrics count it, and whoever must act
is told. None of them works anything out anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from govpool.api.base import Resource
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, Deadline, RequestPhase, StageState
from govpool.api.finding import TextInBoth
from govpool.api.policy_roles import Role
from govpool.api.rectificationnotice import NoticeState, RectificationNotice
from govpool.api.workorder import Executor, WorkOrder, WorkOrderState

TERM = "Term"
"""The step of what is due while a system is in use."""
RECTIFICATION = "Rectification"
"""The step of a notice."""
Clock = tuple[str | int | datetime | None, ...]
"""What tells one clock from another. Written out only where somebody is told of it."""
UNFINISHED = (WorkOrderState.PENDING, WorkOrderState.RUNNING)


class Urgency(StrEnum):
    """How a duty stands."""

    RUNNING = "running"
    """Its clock runs, or it has none."""
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    """Overdue, and somebody else was told of it."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that somebody must do."""

    about: Resource
    """The request, notice, pool or work order."""
    step: str
    """A stage, :data:`TERM`, :data:`RECTIFICATION`, the periodic report, or the kind of work."""
    who: Role
    what: str
    """For people, in the operator's language."""
    article: str
    """With the policy's code; may be empty."""
    since: datetime | None
    due: datetime | None
    urgency: Urgency
    escalated_to: Role | None = None
    clock: Clock = ()
    """Which clock it is: stays while it runs, whatever its text says by then."""
    failed: bool = False
    """Whether it waits because something failed, and not by its nature."""
    words: TextInBoth | None = None
    """``what`` in both languages, where govpool wrote it so."""


def duties(resource: Resource, now: datetime) -> Iterator[Duty]:
    """What somebody must do about the object, as its status has it."""
    match resource:
        case CloudResourceRequest():
            yield from _of_request(resource, now)
        case RectificationNotice():
            yield from _of_notice(resource, now)
        case CloudPool():
            yield from _of_pool(resource)
        case WorkOrder():
            yield from _of_order(resource, now)


def _of_request(request: CloudResourceRequest, now: datetime) -> Iterator[Duty]:
    status = request.status
    if status is None or status.phase is RequestPhase.DEREGISTERED:
        return
    last = status.stages[-1] if status.stages else None
    failed = last.stage if last and last.state is StageState.FAILED else None
    for one in status.deadlines:
        # What passes by itself is nobody's duty.
        if not one.by_itself:
            yield Duty(
                about=request,
                step=one.stage.value if one.stage else TERM,
                who=one.who,
                what=one.what,
                article=one.article,
                since=one.since,
                due=one.due,
                urgency=_urgency(one, now),
                escalated_to=one.escalated_to,
                clock=_clock(request, one),
                failed=failed is not None and one.stage is failed,
            )


def _urgency(one: Deadline, now: datetime) -> Urgency:
    if one.escalated_to is not None:
        return Urgency.ESCALATED
    late = one.overdue or (one.due is not None and now > one.due)
    return Urgency.OVERDUE if late else Urgency.RUNNING


def _clock(request: CloudResourceRequest, one: Deadline) -> Clock:
    """Where no time is set, ``since`` may be the last look: what was put forward tells one from the next."""
    status, put_forward = request.status, ""
    if status is not None:
        in_force = status.approved.approval if status.approved else ""
        put_forward = status.pending_approval or in_force
    return (one.stage or TERM, one.who, one.article, put_forward, one.due)


def _of_notice(notice: RectificationNotice, now: datetime) -> Iterator[Duty]:
    status = notice.status
    if status is None or status.who is None or notice.closed:
        return
    late = status.state is NoticeState.OVERDUE or (
        status.state is NoticeState.OPEN and status.due is not None and now > status.due
    )
    words = notice.spec.words
    yield Duty(
        about=notice,
        step=RECTIFICATION,
        who=status.who,
        what=notice.spec.demand if status.who is Role.UNIT else notice.spec.detail,
        article=status.article or notice.spec.article,
        since=status.told or notice.spec.issued,
        due=status.due,
        urgency=Urgency.OVERDUE if late else Urgency.RUNNING,
        clock=(status.state, len(notice.spec.statements), len(notice.spec.decisions)),
        words=(words.demand if status.who is Role.UNIT else words.detail) if words else None,
    )


def _of_pool(pool: CloudPool) -> Iterator[Duty]:
    for one in pool.status.reports_due if pool.status else ():
        yield Duty(
            about=pool,
            step=one.duty.value,
            who=one.who,
            what=one.detail or one.duty.value,
            article=one.article,
            since=None,
            due=one.due,
            urgency=Urgency.OVERDUE if one.overdue else Urgency.RUNNING,
            clock=(one.duty, one.every, str(one.period_ends)),
        )


def _of_order(order: WorkOrder, now: datetime) -> Iterator[Duty]:
    """A person's order, and one that failed for good. The request's clock stands beside it."""
    spec, status = order.spec, order.status
    state = status.state if status else WorkOrderState.PENDING
    by_hand = spec.executor is Executor.PERSON and state in UNFINISHED
    if not by_hand and state is not WorkOrderState.FAILED:
        return
    late = by_hand and spec.due is not None and now > spec.due
    yield Duty(
        about=order,
        step=spec.work.value,
        who=spec.role,
        what=(status.message if status else "") or spec.work.value,
        article=spec.article,
        since=spec.started_by,
        due=spec.due if by_hand else None,
        urgency=Urgency.OVERDUE if late else Urgency.RUNNING,
        clock=(state, status.attempts if status else 0),
        failed=not by_hand,
    )
