"""Runs of work orders: started once per run key, kept alive by a lease, and written down when they end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from govpool.api.base import Resource
from govpool.api.workorder import (
    RunLease,
    ServerResult,
    WorkOrder,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.effects.clock import Clock
from govpool.effects.executors.base import Executor, OrderContext, OrderResult
from govpool.effects.kube import Kube, KubeError
from govpool.effects.store import Key
from govpool.lifecycle.work_order import retry_after
from govpool_providers.errors import ProviderError

log = logging.getLogger(__name__)
AT_ONCE = 4
RENEW_EVERY = 20.0
TELL_EVERY = 2.0


def identity() -> str:
    """This operator's name in leases: host, process and when the process began, so that a reused process
    number is no life sign.
    """
    return f"{socket.gethostname()}/{os.getpid()}/{_began(os.getpid())}"


def holder_gone(holder: str) -> bool:
    """Whether the holder of a lease ran on this machine and is known to be dead."""
    host, _, rest = holder.partition("/")
    pid, _, began = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and _began(int(pid)) != began


def _began(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19]


class Runs:
    """The runs that this operator has under way."""

    def __init__(
        self, kube: Kube, clock: Clock, wake: Callable[[Key], None], took: Callable[[Resource], None]
    ) -> None:
        self._kube = kube
        self._took = took
        self._clock = clock
        self._wake = wake
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self.me = identity()

    def running(self, key: Key) -> bool:
        """Whether a run of the order is under way here."""
        return key in self._tasks

    def start(self, order: WorkOrder, executor: Executor, context: Callable[..., OrderContext]) -> None:
        """Begin a run unless one is under way."""
        key = order.key
        if key in self._tasks:
            return
        task = asyncio.create_task(self._run(order, executor, context), name=f"run {order.spec.run_key}")
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._ended(key))

    async def stop(self) -> None:
        """Cancel every run and wait until each is gone; they are run again by whoever comes next."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: Key) -> None:
        self._tasks.pop(key, None)
        self._wake(key)

    async def _run(self, order: WorkOrder, executor: Executor, context: Callable[..., OrderContext]) -> None:
        said = {"progress": ""}
        keeper = asyncio.create_task(self._keep(order, said))
        try:
            async with self._slots:
                result = await self._carry_out(executor, context(said, self._recorder(order)), order)
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self._write_down(order, result)

    async def _carry_out(self, executor: Executor, context: OrderContext, order: WorkOrder) -> OrderResult:
        try:
            return await executor(context)
        except ProviderError as error:
            return OrderResult(False, f"{error.code}: {error.message}", again=not error.final)
        except KubeError as error:
            return OrderResult(False, str(error), again=True)
        except Exception as error:
            # A bug must not leave the order running for ever; it is shown, logged whole, and tried again.
            log.exception("work order %s/%s", order.metadata.namespace, order.metadata.name)
            return OrderResult(False, f"{type(error).__name__}: {error}", again=True)

    def _recorder(self, order: WorkOrder) -> Callable[[tuple[ServerResult, ...]], Awaitable[None]]:
        async def record(servers: tuple[ServerResult, ...]) -> None:
            await self._update(order, lambda status: status.model_copy(update={"servers": list(servers)}))

        return record

    async def _keep(self, order: WorkOrder, said: dict[str, str]) -> None:
        """Renew the lease and tell the progress, until cancelled."""
        told, renewed = "", asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(TELL_EVERY)
            late = asyncio.get_running_loop().time() - renewed >= RENEW_EVERY
            if not late and said["progress"] == told:
                continue
            told, renewed = said["progress"], asyncio.get_running_loop().time()
            lease = RunLease(holder=self.me, renewed=self._clock.now())
            update = {"lease": lease, "progress": told[:256]}
            with contextlib.suppress(KubeError):
                await self._update(order, lambda status: status.model_copy(update=update))  # noqa: B023

    async def _write_down(self, order: WorkOrder, result: OrderResult) -> None:
        """Reports first, then the result, then what may only follow it. Repeated until it is on record:
        a result that got lost would only be found out again by another run.
        """
        attempt = 0
        while True:
            try:
                for resource in result.creates:
                    await self._kube.create(resource)
                now = self._clock.now()
                await self._update(order, lambda status: _after(status, result, now))  # noqa: B023
                for step in result.afterwards:
                    await step()
            except KubeError as error:
                if error.absent or not (error.passing or error.conflict):
                    log.warning("result of %s was not written: %s", order.metadata.name, error)
                    return
                attempt += 1
                await asyncio.sleep(min(0.2 * 2**attempt, 30))
            else:
                return

    async def _update(self, order: WorkOrder, change: Callable[[WorkOrderStatus], WorkOrderStatus]) -> None:
        """Change the newest status; on a conflict with the newest again."""
        for _ in range(8):
            current = await self._kube.get(WorkOrder, order.metadata.name, order.metadata.namespace)
            if current.metadata.uid != order.metadata.uid:
                raise KubeError(404, "NotFound", f"work order {order.metadata.name} was replaced")
            status = current.status or WorkOrderStatus()
            if status.lease is not None and status.lease.holder != self.me:
                raise KubeError(
                    404, "LeaseLost", f"{order.metadata.name} is run by {status.lease.holder} now"
                )
            try:
                self._took(await self._kube.write_status(current, change(status)))
            except KubeError as error:
                if not error.conflict:
                    raise
            else:
                return
        raise KubeError(409, "Conflict", f"{order.metadata.name} is written by somebody all the time")


def _after(status: WorkOrderStatus, result: OrderResult, now: datetime) -> WorkOrderStatus:
    """The status once the run has ended."""
    if result.succeeded:
        state = WorkOrderState.SUCCEEDED
    else:
        state = WorkOrderState.PENDING if result.again else WorkOrderState.FAILED
    return status.model_copy(
        update={
            "state": state,
            "finished": None if result.again else now,
            "message": result.message[:4096],
            "progress": "",
            "lease": status.lease if result.again else None,
            "next_attempt": now + retry_after(status.attempts) if result.again else None,
            "servers": list(result.servers) or status.servers,
            "disks": list(result.disks) or status.disks,
            "evidence": list(result.evidence) or status.evidence,
            "receipt_sha256": result.receipt_sha256 or status.receipt_sha256,
        }
    )
