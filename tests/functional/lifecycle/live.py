"""A live town: an embedded control plane and an operator, for playing a scenario as the simulator does."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TypeVar

from govpool.api.approval import Approval
from govpool.api.base import REQUEST_LABEL, Resource, Scope
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer, Desired, ServerPhase
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import Executor, WorkOrder, WorkOrderState
from govpool.effects.kube import Json, KubeError
from govpool.simulation.result import Counts
from govpool.simulation.town import Change, Drifted
from govpool_providers.fixture import FaultPlan
from tests.functional.lifecycle.world import World

R = TypeVar("R", bound=Resource)
FOLLOWED: tuple[type[Resource], ...] = (TenantQuota, CloudResourceRequest, Approval, WorkOrder, CloudServer)
THERE = {Desired.RELEASED: (ServerPhase.RELEASED, ServerPhase.GONE), Desired.GONE: (ServerPhase.GONE,)}
"""Where a server is that has left as far as is wanted: until then its pool is looked at again and again."""
QUIET = 0.8
"""Seconds without any write after which the operator has done what it can do."""
PATIENCE = 120.0


class LiveTown:
    """What :class:`govpool.simulation.town.Town` asks for, over HTTP."""

    def __init__(self, world: World, now: datetime) -> None:
        self._world, self._now = world, now
        self._known: dict[tuple[str, str, str], Resource] = {}
        self._reported: dict[tuple[str, str, str], Resource] = {}

    def now(self) -> datetime:
        return self._now

    async def settle(self) -> None:
        """Until nothing was written for a while and no order is under way."""
        loop = asyncio.get_running_loop()
        last, since, began = "", loop.time(), loop.time()
        while loop.time() - since < QUIET:
            assert loop.time() - began < PATIENCE, await self._world.tell()
            versions = await self._versions()
            if versions != last:
                last, since = versions, loop.time()
            await asyncio.sleep(0.1)

    async def _versions(self) -> str:
        found, busy = [], False
        for kind in FOLLOWED:
            for item in await self._world.kube.list(kind):
                self._known[item.key] = item
                found.append(item.metadata.resource_version)
                busy = busy or (isinstance(item, WorkOrder) and _under_way(item))
                busy = busy or (isinstance(item, CloudServer) and _on_its_way(item))
        return f"{sorted(found)}{asyncio.get_running_loop().time() if busy else ''}"

    def next_look(self) -> datetime | None:
        """The earliest time that the operator wrote down."""
        looks = (
            item.status.next_look
            for item in self._known.values()
            if isinstance(item, CloudResourceRequest) and item.status is not None
        )
        return min((at for at in looks if at is not None and at > self._now), default=None)

    async def move_to(self, at: datetime) -> None:
        ahead = at - await self._world.now()
        if ahead > timedelta(0):
            await self._world.advance(f"PT{int(ahead.total_seconds()) + 1}S")
        # People act at the time they meant: seconds that settling took must not carry them past midnight.
        self._now = at

    async def changes(self) -> tuple[Change, ...]:
        told = []
        for key, item in self._known.items():
            before = self._reported.get(key)
            if before is None or before.metadata.resource_version != item.metadata.resource_version:
                told.append(Change(self._now, before, item))
                self._reported[key] = item
        return tuple(told)

    async def find(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        try:
            return await self._world.kube.get(kind, name, namespace or None)
        except KubeError as error:
            if error.absent:
                return None
            raise

    async def list(self, kind: type[R], namespace: str | None = None) -> tuple[R, ...]:
        return await self._world.kube.list(kind, namespace=namespace)

    async def made_for(self, kind: type[R], request: CloudResourceRequest) -> tuple[R, ...]:
        meta = request.metadata
        labels = f"{REQUEST_LABEL}={meta.uid}"
        return await self._world.kube.list(kind, namespace=meta.namespace, labels=labels)

    async def namespace(self, name: str) -> None:
        await self._world.kube.ensure_namespace(name)

    async def create(self, document: Json, *, by: str) -> None:
        await self._world.apply(document)

    async def patch(
        self, kind: type[Resource], name: str, namespace: str, body: Json, *, by: str, status: bool = False
    ) -> None:
        definition = kind.DEFINITION
        space = f"/namespaces/{namespace}" if definition.scope is Scope.NAMESPACED else ""
        path = f"/apis/govpool.dev/v1alpha1{space}/{definition.plural}/{name}{'/status' if status else ''}"
        patch = "application/merge-patch+json"
        await self._world.kube._request("PATCH", path, body=body, content_type=patch)

    async def delete(self, kind: type[Resource], name: str, namespace: str, *, by: str) -> None:
        await self._world.kube.delete(await self._world.kube.get(kind, name, namespace))

    async def set_faults(self, pool: str, plan: FaultPlan) -> None:
        raise NotImplementedError("no fault is played live")

    async def drift(self, pool: str, key: str, drift: Drifted) -> None:
        raise NotImplementedError("no drift is played live")

    def counts(self) -> Counts:
        return Counts()


def _under_way(order: WorkOrder) -> bool:
    done = order.status is not None and order.status.state in (
        WorkOrderState.SUCCEEDED,
        WorkOrderState.FAILED,
    )
    return order.spec.executor is not Executor.PERSON and not done


def _on_its_way(server: CloudServer) -> bool:
    phase = server.status.phase if server.status else ServerPhase.PENDING
    if (there := THERE.get(server.spec.desired)) is not None:
        return phase not in there
    return phase in (ServerPhase.PENDING, ServerPhase.BUILDING, ServerPhase.RESIZING)
