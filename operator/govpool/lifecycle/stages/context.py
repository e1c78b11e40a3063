"""What a stage looks at, and the answers that most stages give."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from govpool.api.cloudpolicy import ApplicationType, CloudPolicy, CloudPolicySpec, Role, Stage, StageRule
from govpool.api.cloudpool import OperatingMode
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequest,
    CloudResourceRequestStatus,
    StageState,
)
from govpool.api.cloudserver import CloudServer, ServerPhase
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.workorder import WorkOrder, WorkOrderKind
from govpool.lifecycle.actions import Action
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.wanted import Plan, server_phase
from govpool.messages import Message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause

OPEN_PHASES = (ServerPhase.OPEN, ServerPhase.HANDED_OVER)
CARRIED_OUT = (Stage.PROVISION, Stage.BASELINE, Stage.HANDOVER)
"""Stages that carry an approval out and share one clock (YY-20)."""


class StageContext(NamedTuple):
    """A stage's rule and everything that it may look at."""

    rule: StageRule
    observation: RequestObservation
    policy: CloudPolicy
    catalog: ServiceCatalog
    approved: ApprovedRevision
    status: CloudResourceRequestStatus
    plan: Plan
    before: datetime
    """When the stage before was done: the start of this stage's clock."""

    @property
    def request(self) -> CloudResourceRequest:
        """The request."""
        return self.observation.request

    @property
    def regulation(self) -> CloudPolicySpec:
        """The policy's content."""
        return self.policy.spec

    @property
    def now(self) -> datetime:
        """The time that was observed."""
        return self.observation.now

    @property
    def clause(self) -> str:
        """The clause that the stage follows."""
        return clause(self.regulation, self.rule.article)

    @property
    def calendar(self) -> WorkCalendar:
        """The policy's working days."""
        return WorkCalendar.of(self.regulation)

    @property
    def due(self) -> datetime | None:
        """When this stage must be done: counted from the stage before, or by the clock that all stages of
        carrying out share.
        """
        if self.rule.clock:
            return self.calendar.after_working_days(self.before, self.rule.clock)
        return self.execution_due if self.rule.stage in CARRIED_OUT else None

    @property
    def execution_due(self) -> datetime | None:
        """When carrying out an approval must be done (YY-20): counted once, from its approval. What follows
        from it later, a period's turn or the end of a temporary use, has days of its own.
        """
        if self.rule.clock:
            return self.calendar.after_working_days(self.before, self.rule.clock)
        if self.carried_out_before:
            return None
        execution = self.regulation.execution
        changing = self.approved.application in (ApplicationType.CHANGE, ApplicationType.MAJOR_CHANGE)
        span = execution.change if changing else execution.new
        return self.calendar.after_working_days(self.approved.at, span) if span else None

    @property
    def live(self) -> tuple[CloudServer, ...]:
        """Servers that were not seen to be gone."""
        return tuple(s for s in self.observation.servers if server_phase(s) is not ServerPhase.GONE)

    def current(self, wanted: CloudServer) -> CloudServer | None:
        """The server as it is stored, for one that is wanted."""
        name = wanted.metadata.name
        return next((s for s in self.observation.servers if s.metadata.name == name), None)

    @property
    def by_hand(self) -> bool:
        """Whether only people reach the pool."""
        return self.observation.pool is not None and self.observation.pool.by_hand

    @property
    def purchased(self) -> bool:
        """Whether the provider executes (YY-4, YY-19: 购买服务类); else the technical organ does."""
        pool = self.observation.pool
        return pool is not None and pool.spec.operating_mode is OperatingMode.PURCHASED_SERVICE

    def order(self, work: WorkOrderKind, servers: Iterable[CloudServer]) -> WorkOrder | None:
        """The work order of that kind for these servers under the approved revision, while not settled."""
        names = {server.metadata.name for server in servers}
        return next((order for order in self.orders(work) if names <= set(order.spec.servers)), None)

    def orders(self, work: WorkOrderKind) -> tuple[WorkOrder, ...]:
        """The work orders of that kind for the approved revision that are not settled."""
        revision = self.approved.revision
        found = (order for order in self.observation.orders if order.spec.revision == revision)
        return tuple(order for order in found if order.spec.work is work)

    @property
    def carried_out_before(self) -> bool:
        """Whether the approved revision was carried out to its end once: its orders may be settled."""
        applied = self.status.applied
        return applied is not None and applied.revision == self.approved.revision

    def done(self, message: Message, at: datetime) -> StageResult:
        """The stage is done, since ``at``."""
        return StageResult(self.rule.stage, StageState.DONE, message, self.clause, at=at)

    def waiting(
        self,
        message: Message,
        *,
        who: Role | None = None,
        due: datetime | None = None,
        look_again: datetime | None = None,
        actions: tuple[Action, ...] = (),
    ) -> StageResult:
        """Somebody or something must act first."""
        return StageResult(
            self.rule.stage,
            StageState.WAITING,
            message,
            self.clause,
            who=who or self.rule.role,
            since=self.before,
            due=due if due is not None else self.due,
            look_again=look_again,
            actions=actions,
        )

    def failed(self, message: Message) -> StageResult:
        """It was tried and its result is a failure; a person must mend the cause."""
        return StageResult(
            self.rule.stage,
            StageState.FAILED,
            message,
            self.clause,
            who=Role.OPERATOR,
            since=self.before,
            due=self.due,
        )
