"""The town on a terminal: who must act, which orders run, how full pools and quotas are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from govpool.api.base import Resource
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, RequestPhase
from govpool.api.policy_roles import Role
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.tenantquota import Amounts, Standing, TenantQuota
from govpool.api.workorder import WorkOrder, WorkOrderState
from govpool.cli.story import moment
from govpool.lifecycle.duties import Duty, Urgency, duties
from govpool.messages import Language, message
from govpool.messages.words import word

TIGHT, FULL = 0.8, 0.95
"""Shares from which on a number is yellow, and red."""
REPORTS_AHEAD = timedelta(days=30)
"""How long before they are due periodic reports are shown."""
FAR = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Town:
    """Everything that the view is made of."""

    now: datetime
    requests: tuple[CloudResourceRequest, ...] = ()
    notices: tuple[RectificationNotice, ...] = ()
    orders: tuple[WorkOrder, ...] = ()
    """Those that are not settled."""
    pools: tuple[CloudPool, ...] = ()
    quotas: tuple[TenantQuota, ...] = ()


def show(town: Town, language: Language = "en", rows: int = 15) -> Group:
    """The whole view; ``rows`` is how many lines a table has at most."""
    return View(town, language, rows).whole()


class View:
    """One town in one language."""

    def __init__(self, town: Town, language: Language, rows: int) -> None:
        self._town, self._language, self._rows = town, language, rows
        self._units = {quota.metadata.namespace: quota.spec.unit_name for quota in town.quotas}
        self._due = sorted(self._duties(), key=self._order_of)
        self._orders = sorted(
            (order for order in town.orders if _state(order) is not WorkOrderState.SUCCEEDED),
            key=lambda order: (_state(order) is not WorkOrderState.FAILED, order.spec.started_by),
        )

    def whole(self) -> Group:
        """Everything, one part below the other."""
        parts: list[RenderableType] = [self._head(), self._duty_table(), self._order_table()]
        if self._town.pools:
            parts.append(self._pool_table())
        if self._town.quotas:
            parts.append(self._quota_table())
        return Group(*parts)

    # -- who must act -----------------------------------------------------------------------------
    def _duties(self) -> Iterator[Duty]:
        resources: tuple[Resource, ...] = (*self._town.requests, *self._town.notices, *self._town.pools)
        for resource in resources:
            for duty in duties(resource, self._town.now):
                # What govpool carries out stands among the orders, unless it can't or is late.
                running = duty.urgency is Urgency.RUNNING and not duty.failed
                quiet = running and (duty.who is Role.OPERATOR or self._next_years(duty))
                if not quiet:
                    yield duty

    def _next_years(self, duty: Duty) -> bool:
        """Whether it is a periodic report that nobody thinks of yet."""
        soon = self._town.now + REPORTS_AHEAD
        return isinstance(duty.about, CloudPool) and duty.due is not None and duty.due > soon

    def _order_of(self, duty: Duty) -> tuple[bool, datetime]:
        return duty.urgency is Urgency.RUNNING, duty.due or self._town.now + FAR

    def _head(self) -> Text:
        late = sum(duty.urgency is not Urgency.RUNNING for duty in self._due)
        states = [_state(order) for order in self._orders]
        live = [
            r for r in self._town.requests if not r.status or r.status.phase is not RequestPhase.DEREGISTERED
        ]
        text = self._say(
            "counts",
            requests=len(live),
            overdue=late,
            due=len(self._due) - late,
            running=states.count(WorkOrderState.RUNNING),
            failed=states.count(WorkOrderState.FAILED),
        )
        return Text.assemble((moment(self._town.now), "bold"), f"  {text}")

    def _duty_table(self) -> RenderableType:
        if not self._due:
            return self._empty("duties", "nothing-due")
        table = self._table("duties", "due", "who", "step", "article", "about", "unit")
        for duty in self._due[: self._rows]:
            style = {Urgency.RUNNING: "", Urgency.OVERDUE: "red", Urgency.ESCALATED: "bold red"}[duty.urgency]
            who = self._word(duty.who.value)
            if duty.escalated_to is not None:
                who = f"{who} → {self._word(duty.escalated_to.value)}"
            cells = (
                Text(self._until(duty.due), style=style or "yellow"),
                Text(who, style="bold"),
                Text(self._word(duty.step), style="red" if duty.failed else ""),
                Text(duty.article, style="dim"),
                Text(duty.about.metadata.name),
                Text(self._unit(duty.about.metadata.namespace)),
            )
            table.add_row(*cells)
        return self._with_rest(table, len(self._due))

    # -- orders -----------------------------------------------------------------------------------
    def _order_table(self) -> RenderableType:
        if not self._orders:
            return self._empty("orders", "no-orders")
        table = self._table("orders", "work", "state", "age", "unit", "about", "progress")
        for order in self._orders[: self._rows]:
            state, status = _state(order), order.status
            told = (status.message if state is WorkOrderState.FAILED else status.progress) if status else ""
            table.add_row(
                Text(self._word(order.spec.work.value)),
                Text(self._word(state.value), style="red" if state is WorkOrderState.FAILED else ""),
                Text(self._span(self._town.now - order.spec.started_by)),
                Text(self._unit(order.metadata.namespace)),
                Text(order.metadata.name),
                Text(told.splitlines()[0] if told else ""),
            )
        return self._with_rest(table, len(self._orders))

    # -- pools and quotas -------------------------------------------------------------------------
    def _pool_table(self) -> RenderableType:
        table = self._table("pools", "pool", "state", "reachable", "servers", "vCPU", "memory", "storage")
        for pool in self._town.pools[: self._rows]:
            limit, status = pool.spec.capacity, pool.status
            taken = status.allocated if status else None
            reachable = {True: "yes", False: "no", None: "unknown"}[status.reachable if status else None]
            vcpu = limit.vcpu * limit.vcpu_overcommit_percent // 100 if limit.vcpu is not None else None
            memory = (
                limit.memory_gib * limit.memory_overcommit_percent // 100
                if limit.memory_gib is not None
                else None
            )
            table.add_row(
                Text(pool.metadata.name),
                Text(word(pool.spec.state.value, self._language, of="pool")),
                Text(self._say(reachable), style="red" if reachable == "no" else ""),
                measure(taken.servers if taken else 0, limit.servers),
                measure(taken.vcpu if taken else 0, vcpu),
                measure(taken.memory_gib if taken else 0, memory),
                measure(taken.storage_gib if taken else 0, limit.storage_gib),
            )
        return self._with_rest(table, len(self._town.pools))

    def _quota_table(self) -> RenderableType:
        table = self._table("quotas", "unit", "pool", "servers", "vCPU", "memory", "storage", "standing")
        lines = sorted(
            (
                (quota, limit.pool, limit.hard, _held(quota, limit.pool))
                for quota in self._town.quotas
                for limit in quota.spec.limits
            ),
            key=lambda line: -_share(line[3], line[2]),
        )
        for quota, pool, hard, held in lines[: self._rows]:
            stopped = quota.status is not None and quota.status.standing is Standing.ISSUING_STOPPED
            standing = quota.status.standing if quota.status else Standing.GOOD
            table.add_row(
                Text(quota.spec.unit_name),
                Text(pool),
                measure(held.servers, hard.servers),
                measure(held.vcpu, hard.vcpu),
                measure(held.memory_gib, hard.memory_gib),
                measure(held.storage_gib, hard.storage_gib),
                Text(self._word(standing.value), style="red" if stopped else "dim"),
            )
        return self._with_rest(table, len(lines))

    # -- words ------------------------------------------------------------------------------------
    def _say(self, key: str, **values: object) -> str:
        return message(f"top.{key}", **values).render(self._language)

    def _word(self, text: str) -> str:
        return word(text, self._language)

    def _unit(self, namespace: str) -> str:
        return self._units.get(namespace, namespace)

    def _until(self, due: datetime | None) -> str:
        if due is None:
            return self._say("no-due")
        left = due - self._town.now
        if left >= timedelta(0):
            return self._say("in", span=self._span(left))
        return self._say("late", span=self._span(-left))

    def _span(self, span: timedelta) -> str:
        if span >= timedelta(days=2):
            return self._say("days", count=span.days)
        if span >= timedelta(hours=1):
            return self._say("hours", count=span // timedelta(hours=1))
        return self._say("minutes", count=max(span // timedelta(minutes=1), 0))

    def _table(self, name: str, *columns: str) -> Table:
        table = Table(box=None, pad_edge=False, title=f"\n{self._say(name)}", title_justify="left")
        table.title_style, table.header_style = "bold", "dim"
        for number, column in enumerate(columns):
            last = number == len(columns) - 1
            head = column if column == "vCPU" else self._say(column)
            table.add_column(head, no_wrap=not last, overflow="ellipsis" if not last else "fold")
        return table

    def _empty(self, name: str, told: str) -> Text:
        return Text.assemble((f"\n{self._say(name)}\n", "bold"), (self._say(told), "dim"))

    def _with_rest(self, table: Table, count: int) -> RenderableType:
        if count <= self._rows:
            return table
        return Group(table, Text(f"  {self._say('more', count=count - self._rows)}", style="dim"))


def measure(used: int, limit: int | None) -> Text:
    """How much is used of a limit, and how near that is; only the number where there is none."""
    if limit is None:
        return Text(str(used))
    share = used / limit if limit else float(used > 0)
    style = "red" if share >= FULL else "yellow" if share >= TIGHT else ""
    return Text(f"{used}/{limit}", style=style)


def _held(quota: TenantQuota, pool: str) -> Amounts:
    total = Amounts()
    for one in quota.status.reservations if quota.status else ():
        if one.pool == pool:
            total = total.plus(one.amounts)
    return total


def _share(held: Amounts, hard: Amounts) -> float:
    """The largest share of any dimension."""
    pairs = _pairs((held, hard))
    return max((used / limit for used, limit in pairs if limit), default=0.0)


def _pairs(both: Sequence[Amounts]) -> Iterable[tuple[int, int]]:
    names = type(both[0]).model_fields
    return [(getattr(both[0], name), getattr(both[1], name)) for name in names]


def _state(order: WorkOrder) -> WorkOrderState:
    return order.status.state if order.status else WorkOrderState.PENDING
