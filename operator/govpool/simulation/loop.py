"""An event loop on virtual time: whenever nothing is left to run, its clock jumps to the next timer.

Everything that waits by asyncio (back-off, leases, renewals, due times) follows this one clock, so that years
pass as fast as the work in them is done, and the same run gives the same order every time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

T = TypeVar("T")
WRITE_TAKES = 0.001
"""Seconds of virtual time that a write takes, so that no two happen at once."""


class StandstillError(RuntimeError):
    """Something waits for what can never come: nothing runs and no timer is set."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that waits for no socket and no thread, whose time is made of its own timers."""

    def __init__(self) -> None:
        self._passed = 0.0
        self._idle: list[asyncio.Future[None]] = []
        super().__init__(_Jumping(self))
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Seconds that have passed since the loop was made."""
        return self._passed

    def take(self, seconds: float) -> None:
        """Let time pass at once, as a call that blocks does."""
        self._passed += seconds

    async def idle(self) -> None:
        """Return when nothing else can go on without time passing."""
        waiter: asyncio.Future[None] = self.create_future()
        self._idle.append(waiter)
        await waiter

    def next_timer(self) -> float | None:
        """When the next timer strikes, in seconds of this loop."""
        timers = cast("list[asyncio.TimerHandle]", self._scheduled)  # type: ignore[attr-defined]
        return min((timer.when() for timer in timers if not timer.cancelled()), default=None)

    def nothing_ready(self, timeout: float | None) -> None:
        """Wake whoever waits for quiet; else jump."""
        if self._idle:
            waiters, self._idle = self._idle, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        elif timeout is None:
            raise StandstillError("nothing runs and nothing is due: the simulation stands still")
        else:
            self._passed += timeout


class _Jumping(selectors.SelectSelector):
    """Asked to wait, it does not."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._loop.nothing_ready(timeout)
        return []


class VirtualClock:
    """The loop's time as a date: what the operator's clock is in a simulation."""

    ahead = timedelta(0)
    """Machines of the simulation live by this very clock."""

    def __init__(self, loop: VirtualLoop, starts: datetime) -> None:
        self._loop = loop
        self._starts = starts.astimezone(UTC)
        self._asked, self._told = 0.0, self._starts

    def now(self) -> datetime:
        """The present time, UTC, to the microsecond."""
        seconds = self._loop.time()
        if seconds != self._asked:
            self._asked, self._told = seconds, self.at(seconds)
        return self._told

    def at(self, seconds: float) -> datetime:
        """A time of the loop as a date."""
        return self._starts + timedelta(microseconds=round(seconds * 1_000_000))

    def epoch(self) -> float:
        """Seconds since 1970."""
        return self.now().timestamp()

    def on_move(self, listener: Callable[[], None]) -> None:
        """Nothing ever calls the listener: the loop wakes whoever waits."""

    async def until(self, at: datetime) -> None:
        """Return when it is that time, or at once when it was."""
        seconds = (at - self._starts) / timedelta(seconds=1)
        if seconds > self._loop.time():
            struck: asyncio.Future[None] = self._loop.create_future()
            self._loop.call_at(seconds, struck.set_result, None)
            await struck


def run(loop: VirtualLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on the loop and close it."""
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
