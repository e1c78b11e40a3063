"""Runs of work orders: started once per run key, kept alive by a lease, and written down when they end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from time import perf_counter

from govpool.api.base import Resource
from govpool.api.workorder import (
    DiskResult,
    RunLease,
    ServerResult,
    WorkOrder,
    WorkOrderKind,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.effects.clock import Clock
from govpool.effects.executors.base import Executor, OrderContext, OrderResult, Recorder
from govpool.effects.identity import identity
from govpool.effects.kube import Kube, KubeError
from govpool.effects.observed import count_run
from govpool.effects.store import Key
from govpool.lifecycle.work_order import FINISHED, retry_after
from govpool_providers.errors import ProviderError

log = logging.getLogger(__name__)
AT_ONCE = 4
LASTING = (WorkOrderKind.BACKUP, WorkOrderKind.WIPE)
"""What may take hours."""
TELL_EVERY = 2.0
RENEW_EVERY = 20.0
LOST_AFTER = 45.0
"""Seconds without a renewal after which a run is given up: what remains of the lease is for ending it."""
GRACE = 5.0
"""Seconds that a result has to be written, and a lease to be given up, when the operator stops."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0
"""Seconds between two tries to write a result."""
MakeContext = Callable[[dict[str, str], Recorder], OrderContext]


class Runs:
    """The runs that this operator has under way."""

    def __init__(
        self, kube: Kube, clock: Clock, wake: Callable[[Key], None], took: Callable[[Resource], None]
    ) -> None:
        self._kube = kube
        self._took = took
        self._clock = clock
        self._wake = wake
        # What takes hours has places of its own, so that it never holds up what takes minutes.
        self._slots = {lasting: asyncio.Semaphore(AT_ONCE) for lasting in (True, False)}
        self._tasks: dict[Key, tuple[WorkOrder, asyncio.Task[None]]] = {}
        self._newest: dict[Key, WorkOrder] = {}
        """What the run itself knows of its order; who else wrote it shows in a conflict."""
        self.me = identity()

    def running(self, key: Key) -> bool:
        """Whether a run of the order is under way here."""
        return key in self._tasks

    def start(self, order: WorkOrder, executor: Executor, context: MakeContext) -> None:
        """Begin a run of the order, whose status says so already, unless one is under way."""
        key = order.key
        if key in self._tasks:
            return
        task = asyncio.create_task(self._run(order, executor, context), name=f"run {order.spec.run_key}")
        self._tasks[key] = (order, task)
        self._newest[key] = order
        task.add_done_callback(lambda task: self._ended(key, task))

    async def stop(self) -> None:
        """Cancel every run, wait until each is gone, and give up its lease: whoever comes next runs it again
        at once. A result that is being written has :data:`GRACE` seconds.
        """
        under_way = list(self._tasks.values())
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await asyncio.gather(*(self._release(order) for order, _ in under_way))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        self._tasks.pop(key, None)
        self._newest.pop(key, None)
        if not task.cancelled() and (bug := task.exception()) is not None:
            log.error("%s", task.get_name(), exc_info=bug)
        self._wake(key)

    # -- a run ------------------------------------------------------------------------------------
    async def _run(self, order: WorkOrder, executor: Executor, context: MakeContext) -> None:
        said = {"progress": ""}
        work = asyncio.create_task(self._carry_out(order, executor, context, said))
        keeper = asyncio.create_task(self._keep(order, said))
        keeper.add_done_callback(lambda _: work.cancel())
        try:
            result = await work
        except asyncio.CancelledError:
            if not keeper.done():
                raise
            why = keeper.exception()
            log.warning("the run of %s is given up: its lease is lost", order.metadata.name, exc_info=why)
            return
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        writing = asyncio.create_task(self._write_down(order, result))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing}, timeout=GRACE)
            writing.cancel()
            raise

    async def _carry_out(
        self, order: WorkOrder, executor: Executor, context: MakeContext, said: dict[str, str]
    ) -> OrderResult:
        async with self._slots[order.spec.work in LASTING]:
            began = perf_counter()
            result = await self._execute(order, executor, context, said)
            count_run(order.spec.work, result, perf_counter() - began)
            return result

    async def _execute(
        self, order: WorkOrder, executor: Executor, context: MakeContext, said: dict[str, str]
    ) -> OrderResult:
        try:
            return await executor(context(said, self._recorder(order)))
        except ProviderError as error:
            return OrderResult(False, f"{error.code}: {error.message}", again=not error.final)
        except KubeError as error:
            return OrderResult(False, str(error), again=True)
        except Exception as error:
            # A bug must not leave the order running for ever; it is shown, logged whole, and tried again.
            log.exception("work order %s/%s", order.metadata.namespace, order.metadata.name)
            return OrderResult(False, f"{type(error).__name__}: {error}", again=True)

    def _recorder(self, order: WorkOrder) -> Recorder:
        async def record(servers: tuple[ServerResult, ...] = (), disks: tuple[DiskResult, ...] = ()) -> None:
            update: dict[str, object] = {"servers": list(servers)} if servers else {}
            update |= {"disks": list(disks)} if disks else {}
            await self._update(order, lambda status: status.model_copy(update=update))

        return record

    async def _keep(self, order: WorkOrder, said: dict[str, str]) -> None:
        """Renew the lease and tell the progress; returns when the lease is lost, or soon will be."""
        seconds = asyncio.get_running_loop().time
        told, renewed = "", seconds()
        while seconds() - renewed < LOST_AFTER:
            await asyncio.sleep(TELL_EVERY)
            progress = said["progress"]
            if progress == told and seconds() - renewed < RENEW_EVERY:
                continue
            lease = RunLease(holder=self.me, renewed=self._clock.now())
            update = {"lease": lease, "progress": progress[:256]}
            try:
                async with asyncio.timeout(max(LOST_AFTER - (seconds() - renewed), 0)):
                    await self._update(order, lambda status: status.model_copy(update=update))  # noqa: B023
                told, renewed = progress, seconds()
            except KubeError as error:
                if error.absent:
                    return
            except TimeoutError:
                return

    # -- what is written --------------------------------------------------------------------------
    async def _write_down(self, order: WorkOrder, result: OrderResult) -> None:
        """Reports first, then the result, then what may only follow it. Repeated until it is on record:
        a result that got lost would only be found out again by another run.
        """
        written, attempt = False, 0
        while True:
            try:
                if not written:
                    await self._record(order, result)
                    written = True
                for step in result.afterwards:
                    await step()
            except KubeError as error:
                if error.absent or (written and not error.passing):
                    log.warning("not written after the run of %s: %s", order.metadata.name, error)
                    return
                if not (error.passing or error.conflict):
                    result = _refused(order, error)
            except Exception as bug:
                if written:
                    raise
                log.exception("result of %s", order.metadata.name)
                result = _refused(order, bug)
            else:
                return
            attempt += 1
            await asyncio.sleep(min(FIRST_WAIT * 2**attempt, LONGEST_WAIT))

    async def _record(self, order: WorkOrder, result: OrderResult) -> None:
        for resource in result.creates:
            await self._kube.create(resource)
        now = self._clock.now()
        await self._update(order, lambda status: _after(status, result, now))

    async def _release(self, order: WorkOrder) -> None:
        update = {"lease": None, "progress": ""}
        try:
            await self._update(order, lambda status: status.model_copy(update=update))
        except KubeError as error:
            log.info("the lease of %s was not given up: %s", order.metadata.name, error)

    async def _update(self, order: WorkOrder, change: Callable[[WorkOrderStatus], WorkOrderStatus]) -> None:
        """Change the newest status; on a conflict with the newest again. An attempt that ended stays as is.

        Raises:
            KubeError: ``absent`` when the order is gone or somebody else runs it.
        """
        for _ in range(8):
            current = self._newest.pop(order.key, None) or await self._kube.get(
                WorkOrder, order.metadata.name, order.metadata.namespace
            )
            if current.metadata.uid != order.metadata.uid:
                raise KubeError(404, "NotFound", f"work order {order.metadata.name} was replaced")
            status = current.status or WorkOrderStatus()
            holder = status.lease.holder if status.lease else "nobody"
            if order.status is None or status.attempts != order.status.attempts:
                raise KubeError(404, "LeaseLost", f"{order.metadata.name}: attempt {status.attempts} began")
            if status.lease is None and status.state in FINISHED:
                return
            if holder != self.me:
                raise KubeError(404, "LeaseLost", f"{order.metadata.name} is run by {holder} now")
            try:
                written = await self._kube.write_status(current, change(status))
            except KubeError as error:
                if not error.conflict:
                    raise
            else:
                if order.key in self._tasks:
                    self._newest[order.key] = written
                self._took(written)
                return
        raise KubeError(409, "Conflict", f"{order.metadata.name} is written by somebody all the time")


def _refused(order: WorkOrder, why: Exception) -> OrderResult:
    """What is put on record when the result itself is not taken; without it the order would run for ever."""
    log.error("result of %s was not taken: %s", order.metadata.name, why)
    return OrderResult(False, f"the result was not taken: {why}"[:1000], again=True)


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
            "job": None,
            "next_attempt": now + retry_after(status.attempts) if result.again else None,
            "servers": list(result.servers) or status.servers,
            "disks": list(result.disks) or status.disks,
            "evidence": list(result.evidence) or status.evidence,
            "receipt_sha256": result.receipt_sha256 or status.receipt_sha256,
        }
    )
