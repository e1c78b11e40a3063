"""Virtual time: it jumps, it is exact, and nothing waits for real."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from govpool.simulation.loop import StandstillError, VirtualClock, VirtualLoop, run

STARTS = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)


def test_years_pass_to_the_microsecond() -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop, STARTS)
    wanted = STARTS + timedelta(days=1200, microseconds=1)

    async def wait() -> datetime:
        await clock.until(wanted)
        return clock.now()

    assert run(loop, wait()) == wanted


def test_timers_strike_in_their_order_and_at_their_times() -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop, STARTS)
    struck: list[tuple[str, timedelta]] = []

    async def after(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        struck.append((name, clock.now() - STARTS))

    async def all_() -> None:
        await asyncio.gather(after("late", 90_000), after("soon", 2), after("between", 3600))

    run(loop, all_())
    assert [name for name, _ in struck] == ["soon", "between", "late"]
    assert struck[1][1] == timedelta(hours=1)


def test_idle_comes_when_nothing_goes_on_without_time() -> None:
    loop = VirtualLoop()
    seen: list[str] = []

    async def work() -> None:
        for step in range(3):
            seen.append(f"step {step}")
            await asyncio.sleep(0)
        await asyncio.sleep(60)
        seen.append("a minute later")

    async def watch() -> tuple[list[str], float]:
        task = asyncio.ensure_future(work())
        await loop.idle()
        quiet = list(seen), loop.time()
        await task
        return quiet

    before, at = run(loop, watch())
    assert before == ["step 0", "step 1", "step 2"] and at == 0.0
    assert seen[-1] == "a minute later"


def test_waiting_for_what_never_comes_is_told() -> None:
    loop = VirtualLoop()

    async def wait() -> None:
        await loop.create_future()

    with pytest.raises(StandstillError):
        loop.run_until_complete(wait())
    loop.close()
