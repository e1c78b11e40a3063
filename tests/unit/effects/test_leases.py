"""Leases of runs: one holder at a time, given up on leaving, and never by two at once."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any, cast

import pytest
from effects_ground import NOW, order_of, versioned
from runs_ground import OK, UNAVAILABLE, Bench, Said, for_ever, succeeds

from govpool.api.workorder import (
    DiskResult,
    RunLease,
    ServerResult,
    WorkOrderState,
)
from govpool.effects import runs as runs_module
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.identity import holder_gone, identity


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("TELL_EVERY", 0.01), ("RENEW_EVERY", 0.03), ("FIRST_WAIT", 0.0), ("GRACE", 0.3)):
        monkeypatch.setattr(runs_module, name, seconds)


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
