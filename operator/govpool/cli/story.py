"""A request's story on a terminal, in either language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from govpool.api.approval import Approval
from govpool.api.base import ConditionStatus, Resource
from govpool.api.baselinereport import BaselineReport, ControlResult
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    Deadline,
    StageState,
)
from govpool.api.cloudserver import CloudServer
from govpool.api.finding import RequestFinding
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.workorder import WorkOrder
from govpool.lifecycle.duties import duties
from govpool.messages import Language, message
from govpool.messages.words import minutes, word

R = TypeVar("R", bound=Resource)
BEIJING = timezone(timedelta(hours=8))
"""What the people who read it live by."""
MARKS = {
    StageState.DONE: "[green]✓[/]",
    StageState.WAITING: "[yellow]…[/]",
    StageState.REFUSED: "[red]✗[/]",
    StageState.FAILED: "[red]✗[/]",
    StageState.UNKNOWN: "[red]?[/]",
}
TROUBLES = ("Drifted", "Overdue", "DeletionBlocked", "Paused", "CalendarAnnounced", "Admitted", "DisksStay")
"""Conditions that somebody should know of when they are not as usual."""


@dataclass(frozen=True, slots=True)
class Story:
    """A request and everything that was made for it."""

    request: CloudResourceRequest
    now: datetime
    approvals: tuple[Approval, ...] = ()
    servers: tuple[CloudServer, ...] = ()
    orders: tuple[WorkOrder, ...] = ()
    reports: tuple[BaselineReport, ...] = ()
    notices: tuple[RectificationNotice, ...] = ()
    """Those about it, and those about its unit as a whole."""


def show(story: Story, language: Language = "en") -> Group:
    """The story, from what is to be done to what happened."""
    request, status = story.request, story.request.status
    system = request.spec.system
    title = Text.assemble(
        (request.metadata.name, "bold"),
        f"  {system.name}  ",
        (f"{request.metadata.namespace}, {moment(story.now)}", "dim"),
    )
    if status is None:
        return Group(title, Text(say("never-looked", language)))
    parts: list[RenderableType] = [title, _facts(status, language)]
    parts += _attention(status, language)
    parts += _against(story, status, language)
    parts += _stages(status, language)
    parts += _made(story, language)
    parts += _history(status, language)
    return Group(*parts)


def say(key: str, language: Language, **values: object) -> str:
    """A text of the story."""
    return message(f"cli.story.{key}", **values).render(language)


def moment(at: datetime | None) -> str:
    """Beijing time to the minute."""
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M") if at else "-"


def due_of(deadline: Deadline, language: Language) -> str:
    """When somebody must have acted."""
    if deadline.overdue:
        return say("overdue", language, due=moment(deadline.due))
    return say("due", language, due=moment(deadline.due)) if deadline.due else say("no-due", language)


# -- the parts -----------------------------------------------------------------------------------
def _facts(status: CloudResourceRequestStatus, language: Language) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(say("phase", language), f"[bold]{word(status.phase.value, language)}[/]")
    for deadline in status.deadlines:
        role, due = word(deadline.who.value, language), due_of(deadline, language)
        if deadline.escalated_to is not None:
            due += f"  {say('escalated', language, role=word(deadline.escalated_to.value, language))}"
        who = f"[bold]{role}[/]  {due}  [dim]{deadline.article}[/]"
        table.add_row(say("next", language), Text.from_markup(f"{who}\n").append(minutes(deadline.what)))
    if not status.deadlines:
        table.add_row(say("next", language), say("nobody", language))
    if status.pending_approval:
        table.add_row(say("pending", language), status.pending_approval)
    if (approved := status.approved) is not None:
        value = say(
            "revision-value",
            language,
            revision=approved.revision,
            approval=approved.approval,
            application=word(approved.application.value, language),
            by=approved.decided_by,
            at=moment(approved.at),
        )
        table.add_row(say("revision", language), value)
    if (applied := status.applied) is not None:
        value = say("applied-value", language, revision=applied.revision, at=moment(applied.at))
        table.add_row(say("applied", language), value)
    for row in _money(status, language):
        table.add_row(*row)
    return table


def _money(status: CloudResourceRequestStatus, language: Language) -> Iterator[tuple[str, str]]:
    if status.trial is not None:
        yield say("trial", language), f"{moment(status.trial.started)} – {moment(status.trial.ends)}"
    if status.approved is None:
        return
    billing = status.billing
    if billing.started is None:
        yield say("billing", language), say("billing-none", language)
    else:
        ended = f"{moment(billing.ended)} ({billing.ended_article})" if billing.ended else ""
        since = f"{moment(billing.started)} ({billing.started_article}) – {ended}"
        yield say("billing", language), since
    if status.fee_per_year:
        yield say("fee", language), f"CNY {status.fee_per_year}"
    if status.certificate:
        yield say("certificate", language), status.certificate


def _attention(status: CloudResourceRequestStatus, language: Language) -> list[RenderableType]:
    usual = {"Admitted": ConditionStatus.TRUE, "CalendarAnnounced": ConditionStatus.TRUE}
    told = [
        Text(f"{say('attention', language)}: {minutes(c.message)}", style="yellow")
        for c in status.conditions
        if c.type in TROUBLES and c.status is not usual.get(c.type, ConditionStatus.FALSE)
    ]
    failed = [s for s in status.stages if s.state in (StageState.FAILED, StageState.UNKNOWN)]
    told += [Text(f"{word(s.stage.value, language)}: {minutes(s.message)}", style="red") for s in failed]
    return list(told)


def _said(one: RequestFinding, language: Language) -> str:
    return one.words.of(language) if one.words else one.text


def _against(story: Story, status: CloudResourceRequestStatus, language: Language) -> list[RenderableType]:
    """Open notices with whose turn it is, and what was found."""
    rows = [
        (
            notice.metadata.name,
            word(notice.spec.finding.value, language),
            word(duty.who.value, language),
            moment(duty.due),
            duty.article,
            notice.detail_in(language),
        )
        for notice in story.notices
        for duty in duties(notice, story.now)
    ]
    rows += [
        ("", word(one.finding.value, language), "", moment(one.since), one.article, _said(one, language))
        for one in status.findings
    ]
    if not rows:
        return []
    table = _table(f"\n{say('against', language)}")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return [table]


def _table(title: str) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, title=title, title_justify="left")
    table.title_style = "bold"
    return table


def _stages(status: CloudResourceRequestStatus, language: Language) -> list[RenderableType]:
    if not status.stages:
        return []
    table = _table(f"\n{say('stages', language)}")
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for stage in status.stages:
        row = (MARKS[stage.state], word(stage.stage.value, language), stage.article, moment(stage.at))
        table.add_row(*row, Text(minutes(stage.message)))
    return [table]


def _made(story: Story, language: Language) -> list[RenderableType]:
    tables = [
        (say("approvals", language), [_approval(a, language) for a in _by_age(story.approvals)]),
        (say("servers", language), [_server(s, language) for s in story.servers]),
        (say("orders", language), [_order(o, language) for o in _by_age(story.orders)]),
        (say("reports", language), [_report(r) for r in _by_age(story.reports)]),
    ]
    shown: list[RenderableType] = []
    for title, rows in tables:
        if not rows:
            continue
        table = _table(f"\n{title}")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        shown.append(table)
    return shown


def _approval(approval: Approval, language: Language) -> tuple[str, ...]:
    decided = ", ".join(
        f"{word(d.stage.value, language)}: {word(d.verdict.value, language)} ({d.by})"
        for d in approval.spec.decisions
    )
    state = approval.status.state.value if approval.status else "Pending"
    application = word(approval.spec.application.value, language)
    return approval.metadata.name, application, word(state, language), decided


def _server(server: CloudServer, language: Language) -> tuple[str, ...]:
    status = server.status
    if status is None:
        return server.metadata.name, word("Pending", language), "", "", ""
    size = f"{status.vcpu} vCPU {status.memory_gib} GiB"
    disks = ", ".join(f"{d.name} {word(d.phase.value, language, of='disk')}" for d in status.disks)
    phase = word(status.phase.value, language, of="server")
    return server.metadata.name, phase, size, ", ".join(status.addresses), disks


def _order(order: WorkOrder, language: Language) -> tuple[str, ...]:
    status = order.status
    state = status.state.value if status else "Pending"
    told = (status.progress or status.message) if status else ""
    work = word(order.spec.work.value, language)
    return order.metadata.name, work, word(state, language), order.spec.article, minutes(told)


def _report(report: BaselineReport) -> tuple[str, ...]:
    spec = report.spec
    mended = sum(control.mended for control in spec.controls)
    failing = sum(c.result in (ControlResult.FAIL, ControlResult.ERROR) for c in spec.controls)
    gate = "✓" if spec.passed else "✗"
    return (
        report.metadata.name,
        f"{gate} {spec.score}%",
        f"{len(spec.controls)}/{mended}/{failing}",
        spec.page,
    )


def _by_age(items: Sequence[R]) -> list[R]:
    def age(item: R) -> tuple[datetime, str]:
        return item.metadata.creation_timestamp or datetime.max.replace(tzinfo=UTC), item.metadata.name

    return sorted(items, key=age)


def _history(status: CloudResourceRequestStatus, language: Language) -> list[RenderableType]:
    if not status.history:
        return []
    table = _table(f"\n{say('happened', language)}")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for item in status.history:
        table.add_row(
            moment(item.at), item.actor, word(item.what, language), item.article, Text(minutes(item.detail))
        )
    return [table]
