"""From what changes to the lines of a result."""

from __future__ import annotations

from datetime import datetime, timedelta

from govpool.api.approval import Approval
from govpool.api.base import Resource
from govpool.api.cloudpolicy import CloudPolicySpec, Role, Stage
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    StageState,
    StageStatus,
)
from govpool.api.cloudserver import CloudServer, ServerPhase
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.tenantquota import Amounts, TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import Executor, WorkOrder, WorkOrderState
from govpool.rules.citation import clause
from govpool.simulation.result import (
    BillingSpan,
    Clock,
    ConditionTold,
    Counts,
    DecisionTold,
    FeeStep,
    NoticeSpan,
    PhaseSpan,
    RequestLine,
    ReservedStep,
    ServerSpan,
    StageSpan,
    StandingSpan,
    UnitLine,
)
from govpool.simulation.town import Change

THERE = frozenset(ServerPhase) - {
    ServerPhase.PENDING,
    ServerPhase.BUILDING,
    ServerPhase.RELEASED,
    ServerPhase.GONE,
}
"""Phases in which a server that was opened takes its place in the pool."""
SAME_CLOCK = timedelta(minutes=1)
"""A clock's start is known to the second only once its Approval is stored."""


def _clock_key(stage: Stage | None, who: Role, article: str, what: str) -> tuple[str, ...]:
    # What a stage waits for is told in other words as it goes on; it is one clock all the same.
    return (stage or what, who, article)


class RequestRecorder:
    """Keeps the line of one request."""

    def __init__(self, name: str, unit: str, unit_name: str) -> None:
        self.line = RequestLine(name=name, unit=unit, unit_name=unit_name, system="")
        self.phases: list[PhaseSpan] = []
        self.stages: list[StageSpan] = []
        self.clocks: list[Clock] = []
        self.running: dict[tuple[str, ...], int] = {}
        """Places of the clocks that did not end."""
        self.decisions: dict[tuple[str, Stage], DecisionTold] = {}
        self.servers: list[ServerSpan] = []
        self.fees: list[FeeStep] = []
        self.notices: dict[tuple[str, str], NoticeSpan] = {}
        self.cited: dict[str, None] = {}
        self.last: CloudResourceRequest | None = None
        self.applied: datetime | None = None
        self.gone: datetime | None = None

    # -- the request itself -----------------------------------------------------------------------
    def request(
        self, at: datetime, before: CloudResourceRequest | None, after: CloudResourceRequest | None
    ) -> None:
        """A version of the request."""
        if after is None:
            self.gone = at
            self._close_all(at)
            return
        self.applied = self.applied or after.metadata.creation_timestamp or at
        self.last = after
        status = after.status
        if status is None or (before is not None and status is before.status):
            return
        if not self.phases or self.phases[-1].phase is not status.phase:
            self._close(self.phases, at)
            self.phases.append(PhaseSpan(phase=status.phase, since=at))
        known = before.status if before is not None else None
        if known is None or known.stages != status.stages:
            self._stages(at, status)
        if known is None or known.citations != status.citations:
            self._cite(*status.citations)
        if known is None or known.deadlines != status.deadlines:
            self._cite(*(clock.article for clock in status.deadlines))
            self._clocks(at, status)
        fee = status.fee_per_year
        if fee is not None and (not self.fees or self.fees[-1].fee_per_year != fee):
            self.fees.append(FeeStep(since=at, fee_per_year=fee))

    def _stages(self, at: datetime, status: CloudResourceRequestStatus) -> None:
        waiting: dict[tuple[Stage, StageState], StageStatus] = {
            (s.stage, s.state): s for s in status.stages if s.state is not StageState.DONE
        }
        still = set()
        for place, span in enumerate(self.stages):
            if span.until is not None:
                continue
            now = waiting.get((span.stage, span.state))
            if now is None or now.who is not span.who:
                self.stages[place] = span.model_copy(update={"until": at})
                continue
            still.add((span.stage, span.state))
            if now.message != span.message:
                self.stages[place] = span.model_copy(update={"message": now.message})
        for key, stage in waiting.items():
            if key not in still:
                self.stages.append(
                    StageSpan(
                        stage=stage.stage,
                        state=stage.state,
                        since=at,
                        who=stage.who,
                        article=stage.article,
                        message=stage.message,
                    )
                )

    def _clocks(self, at: datetime, status: CloudResourceRequestStatus) -> None:
        due = {_clock_key(d.stage, d.who, d.article, d.what): d for d in status.deadlines}
        for key, place in tuple(self.running.items()):
            clock, now = self.clocks[place], due.get(key)
            if now is None or abs(now.since - clock.since) > SAME_CLOCK:
                self.clocks[place] = clock.model_copy(update={"ended": at})
                del self.running[key]
                continue
            del due[key]
            overdue_since = clock.overdue_since or (at if now.overdue else None)
            if (now.since, now.due, overdue_since) != (clock.since, clock.due, clock.overdue_since):
                update = {"since": now.since, "due": now.due, "overdue_since": overdue_since}
                self.clocks[place] = clock.model_copy(update=update)
        for key, now in due.items():
            self.running[key] = len(self.clocks)
            self.clocks.append(
                Clock(
                    what=now.what,
                    stage=now.stage,
                    who=now.who,
                    article=now.article,
                    since=now.since,
                    due=now.due,
                    overdue_since=at if now.overdue else None,
                )
            )

    # -- what was made for it ---------------------------------------------------------------------
    def approval(self, approval: Approval, policy: CloudPolicySpec) -> None:
        """A version of an Approval: what was decided on it."""
        spec = approval.spec
        for decision in spec.decisions:
            key = (approval.metadata.name, decision.stage)
            if key not in self.decisions:
                steps = (step for step in spec.steps if step.stage is decision.stage)
                article = next((clause(policy, step.article) for step in steps), "")
                self._cite(article)
                self.decisions[key] = DecisionTold(
                    at=decision.at,
                    actor=decision.by,
                    stage=decision.stage,
                    verdict=decision.verdict.value,
                    opinion=decision.opinion,
                    article=article,
                    approval=approval.metadata.name,
                    application=spec.application,
                    revision=spec.revision,
                )

    def server(self, at: datetime, server: CloudServer, *, gone: bool) -> None:
        """A version of a server."""
        status, name = server.status, server.metadata.name
        place = next(
            (i for i, span in enumerate(self.servers) if span.server == name and span.until is None), None
        )
        there = not gone and status is not None and status.phase in THERE and status.opened_at is not None
        if status is None or not there:
            if place is not None:
                self.servers[place] = self.servers[place].model_copy(update={"until": at})
            return
        size = (status.vcpu, status.memory_gib, sum(disk.size_gib for disk in server.spec.disks))
        if place is not None:
            span = self.servers[place]
            if (span.vcpu, span.memory_gib, span.storage_gib) == size:
                if span.phase != status.phase:
                    self.servers[place] = span.model_copy(update={"phase": status.phase.value})
                return
            self.servers[place] = span.model_copy(update={"until": at})
        vcpu, memory_gib, storage_gib = size
        self.servers.append(
            ServerSpan(
                server=name,
                group=server.spec.group,
                since=at,
                phase=status.phase.value,
                vcpu=vcpu,
                memory_gib=memory_gib,
                storage_gib=storage_gib,
            )
        )

    def notice(self, at: datetime, notice: RectificationNotice, *, gone: bool) -> None:
        """A version of a rectification notice."""
        status = notice.status
        settled = gone or notice.closed
        self._notice(
            at,
            NoticeSpan(
                kind=notice.DEFINITION.kind,
                name=notice.metadata.name,
                since=notice.spec.issued,
                about=notice.spec.finding.value,
                detail={"en": notice.detail_in("en"), "zh": notice.detail_in("zh")},
                article=(status.article if status else "") or notice.spec.article,
                due=status.due if status else None,
                state=status.state.value if status else "",
            ),
            settled=settled,
        )

    def order(self, at: datetime, order: WorkOrder, *, gone: bool) -> None:
        """A version of a work order that a person carries out."""
        if order.spec.executor is not Executor.PERSON:
            return
        state = order.status.state if order.status else WorkOrderState.PENDING
        self._notice(
            at,
            NoticeSpan(
                kind=order.DEFINITION.kind,
                name=order.metadata.name,
                since=order.metadata.creation_timestamp or at,
                about=order.spec.work.value,
                article=order.spec.article,
                due=order.spec.due,
                state=state.value,
            ),
            settled=gone or state in (WorkOrderState.SUCCEEDED, WorkOrderState.FAILED),
        )

    def _notice(self, at: datetime, notice: NoticeSpan, *, settled: bool) -> None:
        key = (notice.kind, notice.name)
        known = self.notices.get(key)
        until = (known.until if known else None) or (at if settled else None)
        self.notices[key] = notice.model_copy(update={"until": until})
        self._cite(notice.article)

    # -- the end ----------------------------------------------------------------------------------
    def finished(self) -> RequestLine:
        """The whole line."""
        request = self.last
        if request is None:
            return self.line
        status = request.status or CloudResourceRequestStatus()
        billing = status.billing
        spans = None
        if billing.started is not None:
            spans = BillingSpan(
                since=billing.started,
                started_article=billing.started_article or "",
                until=billing.ended,
                ended_article=billing.ended_article or "",
            )
        self._cite(*(happening.article for happening in status.history))
        return self.line.model_copy(
            update={
                "system": request.spec.system.name,
                "applied": self.applied,
                "phases": self.phases,
                "stages": self.stages,
                "clocks": self.clocks,
                "decisions": sorted(self.decisions.values(), key=lambda d: d.at),
                "history": list(status.history),
                "servers": self.servers,
                "billing": spans,
                "fees": self.fees,
                "notices": list(self.notices.values()),
                "conditions": [
                    ConditionTold(
                        type=c.type,
                        status=c.status.value,
                        reason=c.reason,
                        message=c.message,
                        since=c.last_transition_time,
                    )
                    for c in status.conditions
                ],
                "citations": list(self.cited),
                "certificate": status.certificate,
                "trial_started": status.trial.started if status.trial else None,
                "trial_ends": status.trial.ends if status.trial else None,
                "keep_old_environment_until": status.keep_old_environment_until,
                "gone": self.gone,
            }
        )

    def _cite(self, *articles: str) -> None:
        self.cited.update(dict.fromkeys(article for article in articles if article))

    def _close_all(self, at: datetime) -> None:
        self._close(self.phases, at)
        self.stages = [s if s.until else s.model_copy(update={"until": at}) for s in self.stages]
        self.servers = [s if s.until else s.model_copy(update={"until": at}) for s in self.servers]
        for place in self.running.values():
            self.clocks[place] = self.clocks[place].model_copy(update={"ended": at})
        self.running.clear()

    def _close(self, spans: list[PhaseSpan], at: datetime) -> None:
        if spans:
            spans[-1] = spans[-1].model_copy(update={"until": at})


class UnitRecorder:
    """Keeps the line of one unit."""

    def __init__(self, unit: str, unit_name: str) -> None:
        self.unit, self.unit_name = unit, unit_name
        self.standings: list[StandingSpan] = []
        self.reserved: list[ReservedStep] = []

    def quota(self, at: datetime, quota: TenantQuota) -> None:
        """A version of the unit's TenantQuota."""
        status = quota.status
        if status is None:
            return
        last = self.standings[-1] if self.standings else None
        if last is None or last.standing is not status.standing:
            if last is not None:
                self.standings[-1] = last.model_copy(update={"until": at})
            cause = status.standing_cause or ""
            self.standings.append(StandingSpan(standing=status.standing, since=at, cause=cause))
        total = Amounts.total(reservation.amounts for reservation in status.reservations)
        if not self.reserved or self.reserved[-1].reserved != total:
            self.reserved.append(ReservedStep(since=at, reserved=total))

    def finished(self) -> UnitLine:
        """The whole line."""
        return UnitLine(
            unit=self.unit, unit_name=self.unit_name, standings=self.standings, reserved=self.reserved
        )


class Recorder:
    """Keeps the lines of all requests and units."""

    def __init__(self, policy: CloudPolicySpec) -> None:
        self._policy = policy
        self._requests: dict[tuple[str, str], RequestRecorder] = {}
        self._units: dict[str, UnitRecorder] = {}
        self._made: dict[str, int] = {}

    def unit(self, namespace: str, unit_name: str) -> None:
        """A unit of the scenario."""
        self._units[namespace] = UnitRecorder(namespace, unit_name)

    def request(self, namespace: str, name: str) -> None:
        """A request of the scenario."""
        unit = self._units[namespace]
        self._requests[(namespace, name)] = RequestRecorder(name, namespace, unit.unit_name)

    def take(self, change: Change) -> None:
        """Something changed."""
        resource = change.resource
        if change.before is None:
            kind = resource.DEFINITION.kind
            self._made[kind] = self._made.get(kind, 0) + 1
        if isinstance(resource, TenantQuota):
            unit = self._units.get(resource.metadata.namespace)
            if unit is not None:
                unit.quota(change.at, resource)
            return
        found = self._of(resource)
        if found is None:
            return
        match resource:
            case CloudResourceRequest():
                before = change.before if isinstance(change.before, CloudResourceRequest) else None
                after = change.after if isinstance(change.after, CloudResourceRequest) else None
                found.request(change.at, before, after)
            case Approval():
                found.approval(resource, self._policy)
            case CloudServer():
                found.server(change.at, resource, gone=change.after is None)
            case WorkOrder():
                found.order(change.at, resource, gone=change.after is None)
            case RectificationNotice():
                found.notice(change.at, resource, gone=change.after is None)

    def _of(self, resource: Resource) -> RequestRecorder | None:
        match resource:
            case CloudResourceRequest():
                name = resource.metadata.name
            case Approval() | CloudServer() | WorkOrder():
                name = resource.spec.request.name
            case RectificationNotice() if resource.spec.request is not None:
                name = resource.spec.request.name
            case _:
                return None
        return self._requests.get((resource.metadata.namespace, name))

    def last(self, namespace: str, name: str) -> CloudResourceRequest | None:
        """The request as it was last seen, also when it is gone."""
        return self._requests[(namespace, name)].last

    def there(self, namespace: str, name: str) -> int:
        """Servers of the request that take their place now."""
        return sum(span.until is None for span in self._requests[(namespace, name)].servers)

    def requests(self) -> list[RequestLine]:
        """Every request's line, in the scenario's order."""
        return [recorder.finished() for recorder in self._requests.values()]

    def units(self) -> list[UnitLine]:
        """Every unit's line."""
        return [recorder.finished() for recorder in self._units.values()]

    def counts(self, so_far: Counts) -> Counts:
        """The counts, with what was made."""
        clocks = (clock for recorder in self._requests.values() for clock in recorder.clocks)
        return so_far.model_copy(
            update={
                "requests": self._made.get(CloudResourceRequest.DEFINITION.kind, 0),
                "approvals": self._made.get(Approval.DEFINITION.kind, 0),
                "servers": self._made.get(CloudServer.DEFINITION.kind, 0),
                "orders": self._made.get(WorkOrder.DEFINITION.kind, 0),
                "certificates": self._made.get(WipeCertificate.DEFINITION.kind, 0),
                "overdue": sum(clock.overdue_since is not None for clock in clocks),
            }
        )
