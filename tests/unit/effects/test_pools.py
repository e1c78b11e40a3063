"""Pools: providers found by name, called in threads, their errors kept apart."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from effects_ground import OWN, Plane, pool_of

from govpool.effects import pools as pools_module
from govpool.effects.pools import IN_FLIGHT, Pool, Pools, factory
from govpool_providers.base import PoolConnection, Provider
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.fixture import FixtureProvider

NOBODY = cast(Provider, None)


def fails(error: Exception) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


async def test_what_a_provider_raises_comes_through_and_a_broken_pipe_is_retryable() -> None:
    pool = Pool("p", NOBODY)
    told = ProviderError(ErrorCode.QUOTA_EXCEEDED, "full")
    with pytest.raises(ProviderError) as found:
        await pool.call(fails(told))
    assert found.value is told
    with pytest.raises(ProviderError) as found:
        await pool.call(fails(BrokenPipeError("pipe")))
    assert found.value.code is ErrorCode.RETRYABLE
    with pytest.raises(ZeroDivisionError):
        await pool.call(lambda: 1 // 0)
    assert await pool.call(lambda: 7) == 7


async def test_so_many_calls_at_once_and_no_more() -> None:
    pool, lock, go = Pool("p", NOBODY), threading.Lock(), threading.Event()
    running = most = 0
    full = threading.Event()

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == IN_FLIGHT:
                full.set()
        go.wait(5)
        with lock:
            running -= 1

    calls = [asyncio.create_task(pool.call(call)) for _ in range(3 * IN_FLIGHT)]
    assert await asyncio.to_thread(full.wait, 5)
    go.set()
    await asyncio.gather(*calls)
    assert most == IN_FLIGHT


async def test_a_pool_that_hangs_does_not_take_the_threads_of_another() -> None:
    stuck, well, go = Pool("stuck", NOBODY), Pool("well", NOBODY), threading.Event()
    calls = [asyncio.create_task(stuck.call(lambda: go.wait(10))) for _ in range(40)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(well.call(lambda: "here"), 5) == "here"
    go.set()
    await asyncio.gather(*calls)


async def test_cancelled_a_call_that_has_begun_is_waited_for() -> None:
    pool, begun, go = Pool("p", NOBODY), threading.Event(), threading.Event()
    effects: list[str] = []

    def attach() -> None:
        begun.set()
        go.wait(5)
        effects.append("attached")

    async def run() -> None:
        try:
            await pool.call(attach)
        finally:
            effects.append("detached")

    task = asyncio.create_task(run())
    assert await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    assert effects == [] and not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert effects == ["attached", "detached"]


async def test_cancelled_a_call_that_has_not_begun_is_dropped() -> None:
    pool, go, calls = Pool("p", NOBODY), threading.Event(), []
    busy = [asyncio.create_task(pool.call(lambda: go.wait(5))) for _ in range(IN_FLIGHT)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.call(lambda: calls.append(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    await asyncio.gather(*busy)
    assert await pool.call(lambda: 1) == 1 and calls == []


async def test_insisting_repeats_what_may_pass_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools_module, "wait_random_exponential", lambda **_: lambda _: 0)
    pool = Pool("p", NOBODY)
    for code, tries in ((ErrorCode.UNREACHABLE, pools_module.INSISTENCE), (ErrorCode.INVALID, 1)):
        count = 0

        def call(code: ErrorCode = code) -> None:
            nonlocal count
            count += 1
            raise ProviderError(code, "no")

        with pytest.raises(ProviderError):
            await pool.insist(call)
        assert count == tries


# -- opening -------------------------------------------------------------------------------------
def test_providers_are_found_through_entry_points() -> None:
    assert factory("fixture") is FixtureProvider
    with pytest.raises(ProviderError) as told:
        factory("clouds-r-us")
    assert told.value.final and "fixture" in told.value.message and "local" in told.value.message


def test_a_provider_that_is_not_installed_whole_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise ModuleNotFoundError("No module named 'sdk'")

    entry = SimpleNamespace(name="broken", load=load)
    monkeypatch.setattr(pools_module, "entry_points", lambda group: [entry])
    with pytest.raises(ProviderError) as told:
        factory("broken")
    assert told.value.final and "sdk" in told.value.message


class Opened:
    """A provider that remembers what it was opened with."""

    def __init__(self, connection: PoolConnection) -> None:
        self.connection = connection


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools_module, "factory", lambda name: Opened)


def pool_with_secret(**settings: str) -> Any:
    return pool_of(
        connection={"provider": "x", "settings": settings, "secretRef": {"name": "cloud", "namespace": OWN}}
    )


@pytest.mark.usefixtures("opened")
async def test_a_pool_is_opened_once_and_anew_when_its_connection_changes(plane: Plane) -> None:
    pools, secret = Pools(plane.kube), {"metadata": {"name": "cloud"}, "data": {"password": "cGFzcw=="}}
    with pytest.raises(ProviderError) as told:
        await pools.of(pool_with_secret())
    assert told.value.code is ErrorCode.UNAUTHORISED and f"{OWN}/cloud" in told.value.message
    await plane.admin.core_create("secrets", OWN, secret)
    first = await pools.of(pool_with_secret())
    assert cast(Opened, first.provider).connection.secret == {"password": "pass"}
    assert await pools.of(pool_with_secret()) is first
    changed = await pools.of(pool_with_secret(region="b"))
    assert changed is not first
    current = await plane.admin.core_get("secrets", OWN, "cloud")
    await plane.admin.core_replace("secrets", OWN, "cloud", {**current, "data": {"password": "bmV3"}})  # type: ignore[dict-item]
    renewed = await pools.of(pool_with_secret(region="b"))
    assert cast(Opened, renewed.provider).connection.secret == {"password": "new"}
    assert await first.call(lambda: 1) == 1, "a run that began with the old connection comes to its end"


@pytest.mark.usefixtures("opened")
async def test_a_secret_that_may_not_be_read_is_told_with_the_right(plane: Plane) -> None:
    from govpool.effects.kube import Kube

    kube = await Kube.connect(plane.server.kubeconfig("reviewer"))
    try:
        with pytest.raises(ProviderError) as told:
            await Pools(kube).of(pool_with_secret())
    finally:
        await kube.close()
    assert told.value.code is ErrorCode.UNAUTHORISED
    assert "secrets" in told.value.message and "ClusterRole" in told.value.message


@pytest.mark.usefixtures("opened")
async def test_credentials_are_in_no_log_and_no_repr(plane: Plane, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"metadata": {"name": "cloud"}, "data": {"password": "aHVudGVyMg=="}}
    await plane.admin.core_create("secrets", OWN, secret)
    pool = await Pools(plane.kube).of(pool_with_secret())
    connection = cast(Opened, pool.provider).connection
    assert connection.secret["password"] == "hunter2"
    assert "hunter2" not in f"{connection!r} {pool!r}" + caplog.text
    assert "aHVudGVyMg" not in caplog.text
