"""The work queue: what is asked for is done, once, one at a time, and when its time has come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from effects_ground import HandClock

from govpool.effects.queue import FIRST_BACKOFF, LONGEST_BACKOFF, SLACK, WorkQueue
from govpool.effects.store import Key

A: Key = ("CloudServer", "ns", "a")
B: Key = ("CloudServer", "ns", "b")


@contextlib.asynccontextmanager
async def heap(queue: WorkQueue) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run_heap())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def soon(queue: WorkQueue) -> Key:
    return await asyncio.wait_for(queue.take(), 5)


async def nothing_comes(queue: WorkQueue) -> bool:
    """Whether the heap had its turns and gave nothing."""
    for _ in range(10):
        await asyncio.sleep(0)
    return queue.depth == 0


async def test_a_key_asked_for_often_is_taken_once() -> None:
    queue = WorkQueue(HandClock())
    for _ in range(5):
        queue.add(A)
    queue.add(B)
    assert queue.depth == 2
    assert [await soon(queue), await soon(queue)] == [A, B]
    assert queue.depth == 0 and not queue.idle


async def test_a_running_key_is_not_taken_by_another_worker_and_runs_again_after() -> None:
    queue = WorkQueue(HandClock())
    queue.add(A)
    assert await soon(queue) == A
    queue.add(A)
    queue.add(A)
    assert queue.depth == 0
    queue.done(A)
    assert queue.depth == 1
    assert await soon(queue) == A
    queue.done(A)
    assert queue.idle


async def test_a_worker_that_waits_is_woken() -> None:
    queue = WorkQueue(HandClock())
    waiting = [asyncio.create_task(queue.take()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add(A)
    queue.add(B)
    done, pending = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 2:
        more, pending = await asyncio.wait(pending, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    assert {task.result() for task in done} == {A, B} and len(pending) == 1
    for task in pending:
        task.cancel()


async def test_a_worker_that_was_cancelled_takes_no_key_with_it() -> None:
    queue = WorkQueue(HandClock())
    leaving, staying = (asyncio.create_task(queue.take()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add(A)
    leaving.cancel()
    assert await asyncio.wait_for(staying, 5) == A


def test_back_off_doubles_within_bounds_and_is_forgotten_on_success() -> None:
    for seed in range(20):
        queue = WorkQueue(HandClock(), seed=seed)
        for failures in range(12):
            whole = min(FIRST_BACKOFF * 2**failures, LONGEST_BACKOFF)
            assert whole / 2 <= queue.retry(A) <= whole
        queue.succeeded(A)
        assert queue.retry(A) <= FIRST_BACKOFF


def test_back_off_of_many_keys_is_spread() -> None:
    queue = WorkQueue(HandClock(), seed=1)
    delays = {round(queue.retry(("CloudServer", "ns", str(n))), 4) for n in range(100)}
    assert len(delays) > 90


async def test_a_retry_comes_when_the_clock_says_so_and_not_before() -> None:
    clock = HandClock()
    queue = WorkQueue(clock, seed=3)
    async with heap(queue):
        delay = queue.retry(A)
        clock.move(timedelta(seconds=delay * 0.9))
        assert await nothing_comes(queue)
        clock.move(timedelta(seconds=delay * 0.2))
        assert await soon(queue) == A


async def test_the_earlier_of_two_times_stands() -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    async with heap(queue):
        queue.add_at(A, clock.now() + timedelta(days=1))
        queue.add_at(A, clock.now() + timedelta(days=30))
        queue.add_at(B, clock.now() + timedelta(days=30))
        queue.add_at(B, clock.now() + timedelta(days=1))
        clock.move(timedelta(days=1))
        assert {await soon(queue), await soon(queue)} == {A, B}
        queue.done(A)
        queue.done(B)
        clock.move(timedelta(days=60))
        assert await nothing_comes(queue), "what an earlier time overtook must not come again"


async def test_a_look_at_a_time_takes_the_place_of_every_time_before() -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    async with heap(queue):
        queue.look_at(A, clock.now() + timedelta(days=1))
        queue.look_at(A, clock.now() + timedelta(days=30))
        queue.look_at(B, clock.now() + timedelta(days=1))
        queue.look_at(B, None)
        clock.move(timedelta(days=29))
        assert await nothing_comes(queue)
        clock.move(timedelta(days=1))
        assert await soon(queue) == A
        queue.done(A)
        assert await nothing_comes(queue) and queue.scheduled == 0


def test_one_time_asked_for_again_and_again_stands_in_the_heap_once() -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    due = clock.now() + timedelta(days=1)
    for _ in range(10):
        queue.look_at(A, due)
    assert len(queue._due) == 1


async def test_a_clock_moved_by_a_month_brings_all_that_came_due() -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    async with heap(queue):
        for day in range(1, 29):
            queue.add_at(("CloudResourceRequest", "ns", str(day)), clock.now() + timedelta(days=day))
        queue.add_at(A, clock.now() + timedelta(days=32))
        assert await nothing_comes(queue)
        clock.move(timedelta(days=31))
        found = {(await soon(queue))[2] for _ in range(28)}
        assert found == {str(day) for day in range(1, 29)}
        assert await nothing_comes(queue)


def test_overtaken_times_do_not_pile_up() -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    for turn in range(20 * SLACK):
        queue.add_at(A, clock.now() + timedelta(days=365) - timedelta(seconds=turn))
    assert len(queue._due) <= SLACK + 4
    assert queue._due_of[A] in {due for due, _ in queue._due}


@pytest.mark.parametrize("turns", range(6))
async def test_the_heap_ends_when_told_also_in_the_moment_in_which_a_key_is_added(turns: int) -> None:
    clock = HandClock()
    queue = WorkQueue(clock)
    task = asyncio.create_task(queue.run_heap())
    assert await nothing_comes(queue)
    queue.add_at(A, clock.now() + timedelta(hours=1))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    assert await asyncio.wait({task}, timeout=10) == ({task}, set())
