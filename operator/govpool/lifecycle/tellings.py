"""What people have to be told of an object: each thing under a key that stays for as long as it is true.

It follows from what the statuses say and from nothing else, so that whoever was told of it once is never told
again: neither after a restart nor by another operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from govpool.api.base import Resource
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.finding import TextInBoth
from govpool.api.policy_roles import Role
from govpool.api.rectificationnotice import EnforcementTaken, RectificationNotice
from govpool.api.workorder import Executor, WorkOrder, WorkOrderState
from govpool.lifecycle.duties import RECTIFICATION, UNFINISHED, Duty, Urgency, duties
from govpool.messages import Language


class Topic(StrEnum):
    """What a message is about. Channels choose by it."""

    DUE = "Due"
    """Somebody must act."""
    OVERDUE = "Overdue"
    """... and the time has passed."""
    ESCALATED = "Escalated"
    """... and whoever supervises is told."""
    FAILED = "Failed"
    """Something failed, and a person must mend the cause."""
    ORDER = "Order"
    """A work order for a person."""
    REPORT = "Report"
    """A periodic report is overdue."""
    FINDING = "Finding"
    """Something was found that stands against a system."""
    NOTICE = "Notice"
    """A rectification notice, at each turn that it takes."""
    COPY = "Copy"
    """What was enforced, for who gets a copy (抄送)."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing that somebody has to be told."""

    key: str
    """UID, topic and what tells it from the next."""
    topic: Topic
    about: Resource
    step: str
    what: str
    """In the operator's language."""
    article: str
    to: Role | None
    """Who is told; None for a copy."""
    who: Role | None = None
    """Who must act, where that is somebody else."""
    recipient: str = ""
    """Who gets a copy, by the name that the policy has."""
    due: datetime | None = None
    enforced: EnforcementTaken | None = None
    soft: bool = False
    """Whether it only proposes."""
    words: TextInBoth | None = None
    """``what`` in both languages, where it is known so."""

    def what_in(self, language: Language) -> str:
        """What it is about, in the reader's language where it is known so."""
        return self.words.of(language) if self.words else self.what


def tellings(resource: Resource, now: datetime, orders: Iterable[WorkOrder] = ()) -> Iterator[Telling]:
    """What people have to be told of the object as it is. ``orders`` are those of a request: what is a
    person's order is told as such, and not as a clock of the request beside it.
    """
    told = tuple(orders)
    ordered = frozenset(order.spec.role for order in told if _by_hand(order))
    broken = any(order.status and order.status.state is WorkOrderState.FAILED for order in told)
    for duty in duties(resource, now):
        if not (duty.failed and broken and isinstance(resource, CloudResourceRequest)):
            yield from _of_duty(duty, ordered)
    match resource:
        case CloudResourceRequest():
            yield from _findings(resource)
        case RectificationNotice():
            yield from _copies(resource)


def _by_hand(order: WorkOrder) -> bool:
    state = order.status.state if order.status else WorkOrderState.PENDING
    return order.spec.executor is Executor.PERSON and state in UNFINISHED


def _of_duty(duty: Duty, ordered: frozenset[Role]) -> Iterator[Telling]:
    topic = _topic(duty)
    if topic is Topic.DUE and (duty.who in ordered or duty.who is Role.OPERATOR):
        # What govpool does by itself is no news, and an order tells more than the clock beside it.
        return
    if topic is not None:
        yield _told(topic, duty, duty.who)
    if duty.urgency is not Urgency.RUNNING and not isinstance(duty.about, CloudPool | WorkOrder):
        yield _told(Topic.OVERDUE, duty, duty.who)
    if duty.urgency is Urgency.ESCALATED:
        yield _told(Topic.ESCALATED, duty, duty.escalated_to)


def _topic(duty: Duty) -> Topic | None:
    """None where nothing is told yet, or something else is told in its place."""
    if duty.step == RECTIFICATION:
        return Topic.NOTICE
    if isinstance(duty.about, CloudPool):
        return Topic.REPORT if duty.urgency is Urgency.OVERDUE else None
    if isinstance(duty.about, WorkOrder):
        return Topic.FAILED if duty.failed else Topic.ORDER
    if duty.failed:
        return Topic.FAILED
    return Topic.DUE if duty.urgency is Urgency.RUNNING else None


def _told(topic: Topic, duty: Duty, to: Role | None) -> Telling:
    return Telling(
        key="/".join((duty.about.metadata.uid, topic.value, *map(_written, duty.clock))),
        topic=topic,
        about=duty.about,
        step=duty.step,
        what=duty.what,
        article=duty.article,
        to=to,
        who=duty.who,
        due=duty.due,
        words=duty.words,
    )


def _written(part: str | int | datetime | None) -> str:
    """The same for the same moment, in whatever zone it is told."""
    return str(int(part.timestamp())) if isinstance(part, datetime) else str(part)


def _findings(request: CloudResourceRequest) -> Iterator[Telling]:
    for one in request.status.findings if request.status else ():
        yield Telling(
            key=f"{request.metadata.uid}/{Topic.FINDING.value}/{one.key}/{one.since.isoformat()}",
            topic=Topic.FINDING,
            about=request,
            step=one.finding.value,
            what=one.text,
            article=one.article,
            to=Role.UNIT,
            soft=one.soft,
            words=one.words,
        )


def _copies(notice: RectificationNotice) -> Iterator[Telling]:
    status = notice.status
    if status is None:
        return
    for taken in status.enforcement:
        if taken.lifted is not None:
            continue
        for name in status.copies:
            yield Telling(
                key=f"{notice.metadata.uid}/{Topic.COPY.value}/{name}/{taken.action.value}/{taken.since.isoformat()}",
                topic=Topic.COPY,
                about=notice,
                step=RECTIFICATION,
                what=notice.spec.detail,
                article=taken.article,
                to=None,
                recipient=name,
                enforced=taken,
                words=notice.spec.words.detail if notice.spec.words else None,
            )
