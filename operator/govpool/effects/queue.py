"""The work queue: one running reconcile per key, coalesced; back-off with jitter; one heap of due times."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from govpool.effects.clock import Clock
from govpool.effects.store import Key

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 60.0
SLACK = 1000
"""Overtaken times that the heap may hold besides as many as it has keys."""
NAP = 30.0
"""Longest sleep on the heap, so that a machine that was suspended catches up."""


class WorkQueue:
    """Keys to be reconciled, now or at a time of the injected clock."""

    def __init__(
        self, clock: Clock, *, seed: int | None = None, longest_backoff: float = LONGEST_BACKOFF
    ) -> None:
        self._clock, self._longest = clock, longest_backoff
        self._ready: deque[Key] = deque()
        self._queued: dict[Key, float] = {}
        self.waited: Callable[[float], None] = lambda _: None
        """Told the seconds that a key waited, whenever one is taken."""
        self.taken_at = time.monotonic()
        """When a key was last taken, or none waited; monotonic seconds."""
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._due: list[tuple[datetime, Key]] = []
        self._due_of: dict[Key, datetime] = {}
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._random = random.Random(seed)  # noqa: S311 - jitter, not a secret
        clock.on_move(self._moved.set)

    def add(self, key: Key) -> None:
        """Reconcile the key as soon as may be; once, however often it is asked for."""
        if key in self._running:
            self._again.add(key)
        elif key not in self._queued:
            if not self._queued:
                self.taken_at = time.monotonic()
            self._queued[key] = time.monotonic()
            self._ready.append(key)
            self._wake.set()

    def add_at(self, key: Key, due: datetime) -> None:
        """Reconcile the key at a time; the earlier of two times stands until it has come."""
        known = self._due_of.get(key)
        if known is None or due < known:
            self._schedule(key, due)

    def look_at(self, key: Key, due: datetime | None) -> None:
        """Reconcile the key at this time, whatever time was known before; None: at none."""
        if due is None:
            self._due_of.pop(key, None)
        elif self._due_of.get(key) != due:
            self._schedule(key, due)

    def _schedule(self, key: Key, due: datetime) -> None:
        self._due_of[key] = due
        if len(self._due) > 2 * len(self._due_of) + SLACK:
            # Times that another one overtook stay in the heap until they come, which may be in a year.
            self._due = [(at, of) for of, at in self._due_of.items()]
            heapq.heapify(self._due)
        else:
            heapq.heappush(self._due, (due, key))
        self._moved.set()

    def retry(self, key: Key) -> float:
        """Reconcile the key again after a back-off that doubles with each failure; the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(FIRST_BACKOFF * float(1 << min(failures, 16)), self._longest)
        delay *= self._random.uniform(0.5, 1.0)
        self.add_at(key, self._clock.now() + timedelta(seconds=delay))
        return delay

    def succeeded(self, key: Key) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)

    async def take(self) -> Key:
        """The next key; it counts as running until :meth:`done`."""
        while (key := self.take_now()) is None:
            self._wake.clear()
            await self._wake.wait()
        return key

    def take_now(self) -> Key | None:
        """The next key, or None when none waits; it counts as running until :meth:`done`."""
        if not self._ready:
            return None
        key = self._ready.popleft()
        self.taken_at = time.monotonic()
        self.waited(self.taken_at - self._queued.pop(key))
        self._running.add(key)
        return key

    def done(self, key: Key) -> None:
        """The reconcile of the key ended; if it was asked for meanwhile, it runs again."""
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    @property
    def depth(self) -> int:
        """Keys that wait to be taken."""
        return len(self._ready)

    @property
    def oldest(self) -> float:
        """How many seconds the key that is taken next has waited; 0 when none waits."""
        since = next(iter(self._queued.copy().values()), None)
        return time.monotonic() - since if since is not None else 0.0

    @property
    def running(self) -> int:
        """Keys that are worked on."""
        return len(self._running)

    @property
    def scheduled(self) -> int:
        """Keys that are looked at again at a known time."""
        return len(self._due_of)

    @property
    def failing(self) -> int:
        """Keys whose last reconcile failed."""
        return len(self._failures)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs; due times do not count."""
        return not self._ready and not self._running

    def strike(self) -> datetime | None:
        """Move keys whose time has come to the queue; when the next one comes, if any."""
        now = self._clock.now()
        while self._due:
            due, key = self._due[0]
            current = self._due_of.get(key) == due
            if current and due > now:
                return due
            heapq.heappop(self._due)
            if current:
                del self._due_of[key]
                self.add(key)
        return None

    async def run_heap(self) -> None:
        """Move keys whose time has come to the queue, for ever."""
        while True:
            due = self.strike()
            # Nothing awaited since the look at the heap: what is added from here on sets it again.
            self._moved.clear()
            wait = min((due - self._clock.now()).total_seconds(), NAP) if due else NAP
            try:
                # wait_for() loses a cancellation that comes in the moment in which the event is set.
                async with asyncio.timeout(max(wait, 0.001)):
                    await self._moved.wait()
            except TimeoutError:
                continue
