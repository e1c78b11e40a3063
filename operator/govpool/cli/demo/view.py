"""What the demo sees of the control plane: watched, so that every wait is for a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from govpool.api.approval import Approval, ApprovalState
from govpool.api.base import ConditionStatus, Resource
from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudpolicy import Role, Stage
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    StageState,
    StageStatus,
)
from govpool.api.cloudserver import CloudServer
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderState
from govpool.cli.api import Api
from govpool.cli.errors import CliError

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
KINDS: tuple[type[Resource], ...] = (
    CloudResourceRequest,
    Approval,
    CloudServer,
    WorkOrder,
    BaselineReport,
    WipeCertificate,
)


class View:
    """The objects of one namespace, as the watch streams tell them."""

    def __init__(self, namespace: str, request: str) -> None:
        self._namespace = namespace
        self._name = request
        self._objects: dict[tuple[str, str, str], Resource] = {}
        self._changed = asyncio.Condition()

    async def follow(self, api: Api) -> None:
        """Follow every kind; never returns."""
        async with asyncio.TaskGroup() as group:
            for kind in KINDS:
                group.create_task(self._follow(api, kind))

    async def _follow(self, api: Api, kind: type[Resource]) -> None:
        async for what, item in api.watch(kind, namespace=self._namespace):
            async with self._changed:
                if what == "DELETED":
                    self._objects.pop(item.key, None)
                else:
                    self._objects[item.key] = item
                self._changed.notify_all()

    def all(self, kind: type[R]) -> list[R]:
        """Every object of a kind, by name."""
        found = [item for item in self._objects.values() if isinstance(item, kind)]
        return sorted(found, key=lambda item: item.metadata.name)

    @property
    def request(self) -> CloudResourceRequest | None:
        """The demo's request."""
        return next((r for r in self.all(CloudResourceRequest) if r.metadata.name == self._name), None)

    @property
    def status(self) -> CloudResourceRequestStatus:
        """Its status; an empty one as long as nobody looked at it."""
        request = self.request
        return (request.status if request else None) or CloudResourceRequestStatus()

    async def until(
        self,
        reached: Callable[[], T | None],
        *,
        seconds: float,
        says: Callable[[str], None] = lambda _: None,
    ) -> T:
        """Wait until ``reached`` returns something; tells meanwhile what is going on.

        Raises:
            CliError: a stage or work order failed, the request was refused, or it takes too long.
        """
        try:
            async with asyncio.timeout(seconds), self._changed:
                while True:
                    found = reached()
                    if found is not None:
                        return found
                    self._check()
                    says(self.doing())
                    await self._changed.wait()
        except TimeoutError:
            raise CliError(f"not after {seconds:.0f} s; it stands at: {self.doing() or 'nothing'}") from None

    def doing(self) -> str:
        """What is going on, in the operator's own words."""
        running = [o for o in self.all(WorkOrder) if o.status and o.status.state is WorkOrderState.RUNNING]
        told = [o.status.progress for o in running if o.status and o.status.progress]
        stages = self.status.stages
        waiting = [stages[-1].message] if stages and stages[-1].state is not StageState.DONE else []
        return (told or waiting or [d.what for d in self.status.deadlines] or [""])[0]

    def _check(self) -> None:
        """Nothing but a person's mending makes a failure go on: say so at once."""
        status = self.status
        failed = next((s for s in status.stages if s.state in (StageState.FAILED, StageState.REFUSED)), None)
        if failed is not None:
            raise CliError(f"{failed.stage.value} failed: {failed.message}")
        refused = next(
            (c for c in status.conditions if c.type == "Admitted" and c.status is ConditionStatus.FALSE), None
        )
        current = self.request is not None and status.observed_generation == self.request.metadata.generation
        if refused is not None and current:
            raise CliError(f"the application is refused: {refused.message}")

    # -- what the tour waits for ------------------------------------------------------------------
    def pending(self, after: int) -> Approval | None:
        """The open Approval of a revision later than ``after``, once its status says who must act."""
        name = self.status.pending_approval
        found = next((a for a in self.all(Approval) if a.metadata.name == name), None)
        ready = found is not None and found.status is not None and found.status.step is not None
        return found if found is not None and ready and found.spec.revision > after else None

    def superseded(self, name: str) -> Approval | None:
        """The Approval, once it was overtaken."""
        found = next((a for a in self.all(Approval) if a.metadata.name == name), None)
        state = found.status.state if found is not None and found.status is not None else None
        return found if state is ApprovalState.SUPERSEDED else None

    def done(self, stage: Stage, revision: int) -> StageStatus | None:
        """The stage of that revision, once it is done."""
        return self._stage(stage, revision, lambda s: s.state is StageState.DONE)

    def waits_for_unit(self, stage: Stage, revision: int) -> StageStatus | None:
        """The stage of that revision, once the unit must act."""
        return self._stage(stage, revision, lambda s: s.state is StageState.WAITING and s.who is Role.UNIT)

    def _stage(self, stage: Stage, revision: int, true: Callable[[StageStatus], bool]) -> StageStatus | None:
        approved = self.status.approved
        if approved is None or approved.revision != revision:
            return None
        return next((s for s in self.status.stages if s.stage is stage and true(s)), None)

    def applied(self, revision: int) -> CloudResourceRequestStatus | None:
        """The status, once that revision was carried out to its end."""
        applied = self.status.applied
        return self.status if applied is not None and applied.revision == revision else None

    def order(self, work: WorkOrderKind, revision: int) -> WorkOrder | None:
        """The work order of that kind for that revision."""
        orders = (o for o in self.all(WorkOrder) if o.spec.work is work and o.spec.revision == revision)
        return next(orders, None)
