"""Runs of work orders: a result is written once, and what follows it follows it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from effects_ground import NOW, server_of
from runs_ground import UNAVAILABLE, Bench, succeeds

from govpool.api.workorder import (
    Evidence,
    ServerResult,
    WorkOrderState,
)
from govpool.effects import runs as runs_module
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.kube import KubeError
from govpool_providers.errors import ErrorCode, ProviderError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("TELL_EVERY", 0.01), ("RENEW_EVERY", 0.03), ("FIRST_WAIT", 0.0), ("GRACE", 0.3)):
        monkeypatch.setattr(runs_module, name, seconds)


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
    assert bench.kube.read == 3


async def test_an_order_that_nobody_else_writes_is_not_read_again() -> None:
    bench = Bench()

    async def executor(context: OrderContext) -> OrderResult:
        for number in range(3):
            await context.record((ServerResult(server=f"server-{number}", ok=True),))
        return OrderResult(True)

    bench.start(executor)
    await bench.ended()
    assert bench.kube.status.state is WorkOrderState.SUCCEEDED
    assert bench.kube.status.servers[0].server == "server-2"
    assert bench.kube.read == 0 and bench.runs._newest == {}


async def test_what_somebody_else_wrote_meanwhile_is_kept() -> None:
    bench = Bench()

    async def executor(_: OrderContext) -> OrderResult:
        bench.kube._put(bench.kube.status.model_copy(update={"retry_seen": "by somebody"}))
        return OrderResult(True)

    bench.start(executor)
    await bench.ended()
    assert bench.kube.status.state is WorkOrderState.SUCCEEDED
    assert bench.kube.status.retry_seen == "by somebody" and bench.kube.read == 1


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
