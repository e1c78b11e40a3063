"""Runs of work orders: one holder at a time, a result written once, and nothing lost or left on the way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from effects_ground import NOW, HandClock, order_of, running, server_of, versioned

from govpool.api.base import Resource
from govpool.api.workorder import (
    DiskResult,
    Evidence,
    RunLease,
    ServerResult,
    WorkOrder,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.effects import runs as runs_module
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.kube import Kube, KubeError
from govpool.effects.runs import Runs, holder_gone, identity
from govpool.effects.store import Key
from govpool_providers.errors import ErrorCode, ProviderError

OK = OrderResult(True, "done")
UNAVAILABLE = KubeError(503, "ServiceUnavailable", "not now")


class OneOrder(Kube):
    """An API server that holds one work order, and fails where it is told to."""

    def __init__(self, order: WorkOrder) -> None:
        self.order = order
        self.written: list[WorkOrderStatus] = []
        self.created: list[Resource] = []
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


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("TELL_EVERY", 0.01), ("RENEW_EVERY", 0.03), ("FIRST_WAIT", 0.0), ("GRACE", 0.3)):
        monkeypatch.setattr(runs_module, name, seconds)


async def succeeds(_: OrderContext) -> OrderResult:
    return OK


async def for_ever(_: OrderContext) -> OrderResult:
    await asyncio.Event().wait()
    return OK


# -- results -------------------------------------------------------------------------------------
async def test_a_result_is_written_once_and_what_follows_it_comes_after() -> None:
    bench, seen = Bench(), []

    async def destroy() -> None:
        seen.append(bench.kube.status.state)

    async def executor(_: OrderContext) -> OrderResult:
        return OrderResult(
            True,
            "done",
            servers=(ServerResult(server="a", ok=True),),
            evidence=(Evidence(name="e", sha256="0" * 64, place="/e"),),
            creates=(server_of("report"),),
            afterwards=(destroy,),
        )

    bench.clock.move(timedelta(minutes=5))
    bench.start(executor)
    bench.start(executor)
    await bench.ended()
    status = bench.kube.status
    assert len(bench.kube.written) == 1 and len(bench.kube.created) == 1
    assert status.state is WorkOrderState.SUCCEEDED and status.lease is None
    assert status.finished == NOW + timedelta(minutes=5)
    assert seen == [WorkOrderState.SUCCEEDED], "keys go only once the result is on record"
    assert bench.took == [bench.kube.order]


async def test_what_follows_a_result_is_repeated_without_writing_it_again() -> None:
    bench, tries = Bench(), 0

    async def destroy() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise UNAVAILABLE

    async def executor(_: OrderContext) -> OrderResult:
        return OrderResult(True, afterwards=(destroy,))

    bench.start(executor)
    await bench.ended()
    assert tries == 3 and len(bench.kube.written) == 1


async def test_keys_are_not_destroyed_while_the_result_can_not_be_written() -> None:
    bench, destroyed = Bench(), asyncio.Event()
    bench.kube.fail = [UNAVAILABLE] * 5
    left_at: list[int] = []

    async def destroy() -> None:
        left_at.append(len(bench.kube.fail))
        destroyed.set()

    async def executor(_: OrderContext) -> OrderResult:
        return OrderResult(True, afterwards=(destroy,))

    bench.start(executor)
    await bench.ended()
    assert left_at == [0] and bench.kube.status.state is WorkOrderState.SUCCEEDED


async def test_a_result_whose_writing_was_not_answered_counts_as_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, destroyed = Bench(), asyncio.Event()
    write = bench.kube.write_status

    async def unanswered(resource: Any, status: Any) -> Any:
        await write(resource, status)
        raise KubeError(0, "NoAnswer", "cut")

    monkeypatch.setattr(bench.kube, "write_status", unanswered)

    async def executor(_: OrderContext) -> OrderResult:
        async def step() -> None:
            destroyed.set()

        return OrderResult(True, afterwards=(step,))

    bench.start(executor)
    await bench.ended()
    assert len(bench.kube.written) == 1 and destroyed.is_set()


async def test_a_conflict_is_answered_with_the_newest_version() -> None:
    bench = Bench()
    bench.kube.fail = [KubeError(409, "Conflict", "meanwhile")] * 3
    bench.start(succeeds)
    await bench.ended()
    assert bench.kube.status.state is WorkOrderState.SUCCEEDED


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (ProviderError(ErrorCode.UNREACHABLE, "no route"), WorkOrderState.PENDING, "Unreachable: no route"),
        (ProviderError(ErrorCode.INVALID, "no such image"), WorkOrderState.FAILED, "Invalid: no such image"),
        (KubeError(500, "InternalError", "etcd"), WorkOrderState.PENDING, "etcd"),
        (KeyError("disk"), WorkOrderState.PENDING, "KeyError"),
    ],
)
async def test_what_an_executor_raises_becomes_a_result(
    error: Exception, state: WorkOrderState, told: str
) -> None:
    bench = Bench()

    async def executor(_: OrderContext) -> OrderResult:
        raise error

    bench.start(executor)
    await bench.ended()
    status = bench.kube.status
    assert status.state is state and told in status.message
    assert (status.next_attempt is None) is (state is WorkOrderState.FAILED)
    assert status.next_attempt is None or status.next_attempt == bench.clock.now() + timedelta(seconds=5)


@pytest.mark.parametrize("code", [403, 422, 409])
async def test_a_result_that_is_refused_is_replaced_by_one_that_says_so(code: int) -> None:
    bench = Bench()
    reason = "AlreadyExists" if code == 409 else "Invalid"
    bench.kube.refuse_creates = KubeError(code, reason, "spec.score: too large")

    async def executor(_: OrderContext) -> OrderResult:
        return OrderResult(True, creates=(server_of("report"),))

    bench.start(executor)
    await bench.ended()
    status = bench.kube.status
    assert status.state is WorkOrderState.PENDING and "spec.score: too large" in status.message
    assert status.next_attempt is not None, "or the order would be run again at once, for ever"


# -- the lease -----------------------------------------------------------------------------------
async def test_the_lease_is_renewed_and_progress_is_told() -> None:
    bench = Bench()
    renewed = []

    async def executor(context: OrderContext) -> OrderResult:
        context.progress("host: task 7")
        await bench.until(lambda: bench.kube.status.progress == "host: task 7")
        bench.clock.move(timedelta(seconds=30))
        await bench.until(
            lambda: bench.kube.status.lease is not None and bench.kube.status.lease.renewed > NOW
        )
        renewed.append(bench.kube.status.lease)
        return OK

    bench.start(executor)
    await bench.ended()
    assert renewed == [RunLease(holder=bench.runs.me, renewed=NOW + timedelta(seconds=30))]
    assert bench.kube.status.progress == ""


async def test_progress_that_does_not_change_is_not_written() -> None:
    bench = Bench()

    async def executor(context: OrderContext) -> OrderResult:
        context.progress("same")
        await bench.until(lambda: bench.kube.status.progress == "same")
        count = len(bench.kube.written)
        context.progress("same")
        await asyncio.sleep(0.015)
        assert len(bench.kube.written) == count
        return OK

    bench.start(executor)
    await bench.ended()
    assert bench.kube.status.state is WorkOrderState.SUCCEEDED, bench.kube.status.message


async def test_a_run_whose_lease_another_took_ends_and_writes_nothing() -> None:
    bench, cancelled = Bench(), asyncio.Event()

    async def executor(_: OrderContext) -> OrderResult:
        bench.kube.take_over("elsewhere/1/1")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return OK

    bench.start(executor)
    await bench.ended()
    assert cancelled.is_set() and bench.kube.written == []
    assert bench.kube.status.lease == RunLease(holder="elsewhere/1/1", renewed=NOW)


async def test_a_result_of_an_attempt_that_was_overtaken_is_not_written() -> None:
    bench = Bench()

    async def executor(_: OrderContext) -> OrderResult:
        bench.kube.take_over(bench.runs.me)
        return OK

    bench.start(executor)
    await bench.ended()
    assert bench.kube.written == [] and bench.kube.status.state is WorkOrderState.RUNNING


async def test_a_run_that_can_not_renew_gives_up_before_another_may_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs_module, "LOST_AFTER", 0.1)
    bench, cancelled = Bench(), asyncio.Event()
    bench.kube.fail = [UNAVAILABLE] * 1000

    async def executor(_: OrderContext) -> OrderResult:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return OK

    bench.start(executor)
    await bench.ended()
    assert cancelled.is_set()


async def test_an_order_that_was_replaced_is_left_alone() -> None:
    bench = Bench()

    async def executor(_: OrderContext) -> OrderResult:
        bench.kube.order = versioned(bench.kube.order, 9, "another")
        return OK

    bench.start(executor)
    await bench.ended()
    assert bench.kube.written == []


async def test_intermediate_results_are_on_record_before_it_goes_on() -> None:
    bench = Bench("Handover")
    server, disk = ServerResult(server="a", ok=False), DiskResult(server="a", disk="d", ok=False)

    async def executor(context: OrderContext) -> OrderResult:
        await context.record((server,))
        assert bench.kube.status.servers == [server] and bench.kube.status.disks == []
        await context.record(disks=(disk,))
        assert bench.kube.status.servers == [server] and bench.kube.status.disks == [disk]
        return OrderResult(False, "later", again=True)

    bench.start(executor)
    await bench.ended()
    assert bench.kube.status.servers == [server] and bench.kube.status.disks == [disk]
    assert bench.kube.status.message == "later"


# -- stopping ------------------------------------------------------------------------------------
async def test_stopping_cancels_and_gives_the_lease_up() -> None:
    bench, cleaned = Bench("Wipe"), asyncio.Event()
    begun = asyncio.Event()

    async def executor(_: OrderContext) -> OrderResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # detaching disks takes its time
            cleaned.set()
        return OK

    bench.start(executor)
    await asyncio.wait_for(begun.wait(), 5)
    await asyncio.wait_for(bench.runs.stop(), 5)
    assert cleaned.is_set() and not bench.runs.running(bench.order.key)
    status = bench.kube.status
    assert status.state is WorkOrderState.RUNNING and status.lease is None, (
        "whoever comes next begins at once"
    )


async def test_stopping_lets_a_result_that_is_being_written_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, writing, go = Bench(), asyncio.Event(), asyncio.Event()
    write = bench.kube.write_status

    async def slow(resource: Any, status: Any) -> Any:
        writing.set()
        await go.wait()
        return await write(resource, status)

    monkeypatch.setattr(bench.kube, "write_status", slow)
    bench.start(succeeds)
    await asyncio.wait_for(writing.wait(), 5)
    stopping = asyncio.create_task(bench.runs.stop())
    await asyncio.sleep(0)
    go.set()
    await asyncio.wait_for(stopping, 5)
    assert bench.kube.status.state is WorkOrderState.SUCCEEDED


async def test_stopping_ends_in_time_though_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    async def silence(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.kube, "get", silence)
    bench.start(for_ever)
    await asyncio.sleep(0)
    await asyncio.wait_for(bench.runs.stop(), 2)


async def test_what_takes_hours_does_not_hold_up_what_takes_minutes() -> None:
    long = Bench("Wipe")
    started = []

    async def wiping(context: OrderContext) -> OrderResult:
        started.append(context)
        await asyncio.Event().wait()
        return OK

    for number in range(runs_module.AT_ONCE + 2):
        order = order_of(f"wipe-{number}", "Wipe").model_copy(update={"status": long.kube.status})
        long.runs.start(order, wiping, lambda said, record: cast(OrderContext, Said(said, record)))
    short = asyncio.Event()

    async def baseline(_: OrderContext) -> OrderResult:
        short.set()
        return OK

    order = order_of("baseline").model_copy(update={"status": long.kube.status})
    long.runs.start(order, baseline, lambda said, record: cast(OrderContext, Said(said, record)))
    await asyncio.wait_for(short.wait(), 5)
    assert len(started) == runs_module.AT_ONCE, "no more at once than there are places"
    await long.runs.stop()


# -- who holds it --------------------------------------------------------------------------------
def test_a_holder_on_this_machine_is_known_to_live_or_to_be_gone() -> None:
    host, pid, began = identity().split("/")
    assert int(pid) == os.getpid() and began.isdigit()
    assert not holder_gone(identity())
    assert holder_gone(f"{host}/{pid}/1"), "the number was given to another process"
    assert holder_gone(f"{host}/999999999/{began}")
    assert not holder_gone(f"elsewhere/999999999/{began}"), "of another machine nothing is known"
    assert not holder_gone("somebody")
