"""An API server that holds one work order, and the runs of that order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from effects_ground import HandClock, order_of, running, versioned

from govpool.api.base import Resource
from govpool.api.workorder import (
    WorkOrder,
    WorkOrderStatus,
)
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.kube import Kube, KubeError
from govpool.effects.runs import Runs
from govpool.effects.store import Key

OK = OrderResult(True, "done")
UNAVAILABLE = KubeError(503, "ServiceUnavailable", "not now")


class OneOrder(Kube):
    """An API server that holds one work order, and fails where it is told to."""

    def __init__(self, order: WorkOrder) -> None:
        self.order = order
        self.written: list[WorkOrderStatus] = []
        self.created: list[Resource] = []
        self.read = 0
        self.fail: list[KubeError | None] = []
        """What befalls the next writes; afterwards all is well."""
        self.refuse_creates: KubeError | None = None
        self.changed = asyncio.Event()

    def _put(self, status: WorkOrderStatus) -> WorkOrder:
        version = int(self.order.metadata.resource_version) + 1
        self.order = versioned(self.order, version).model_copy(update={"status": status})
        self.changed.set()
        return self.order

    def take_over(self, holder: str) -> None:
        """Another operator runs the order from now on."""
        assert self.order.status is not None
        attempts = self.order.status.attempts + 1
        self._put(running(holder, attempts=attempts))

    async def get(self, kind: type[Any], name: str, namespace: str | None = None) -> Any:
        await asyncio.sleep(0)
        self.read += 1
        return self.order

    async def write_status(self, resource: Any, status: Any) -> Any:
        await asyncio.sleep(0)
        if self.fail and (fault := self.fail.pop(0)) is not None:
            raise fault
        if resource.metadata.resource_version != self.order.metadata.resource_version:
            raise KubeError(409, "Conflict", "written meanwhile")
        self.written.append(status)
        return self._put(status)

    async def create(self, resource: Any) -> Any:
        if self.refuse_creates is not None:
            raise self.refuse_creates
        self.created.append(resource)
        return resource

    @property
    def status(self) -> WorkOrderStatus:
        assert self.order.status is not None
        return self.order.status


class Bench:
    """Runs of one order, and who is told of what."""

    def __init__(self, work: str = "Baseline") -> None:
        self.clock = HandClock()
        self.kube = OneOrder(versioned(order_of(work=work), 1))
        self.woken = asyncio.Event()
        self.took: list[Resource] = []
        self.runs = Runs(self.kube, self.clock, self._wake, self.took.append)
        self.order = self.kube._put(running(self.runs.me))

    def _wake(self, key: Key) -> None:
        self.woken.set()

    def start(self, executor: Callable[[OrderContext], Awaitable[OrderResult]]) -> None:
        self.runs.start(self.order, executor, lambda said, record: cast(OrderContext, Said(said, record)))

    async def ended(self) -> None:
        await asyncio.wait_for(self.woken.wait(), 10)
        assert not self.runs.running(self.order.key)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self.kube.changed.clear()
                await self.kube.changed.wait()


class Said:
    """The part of a context that these executors use."""

    def __init__(self, said: dict[str, str], record: Any) -> None:
        self.said, self.record = said, record

    def progress(self, text: str) -> None:
        self.said["progress"] = text


async def succeeds(_: OrderContext) -> OrderResult:
    return OK


async def for_ever(_: OrderContext) -> OrderResult:
    await asyncio.Event().wait()
    return OK
