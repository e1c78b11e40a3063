"""Whether the operator can do its work. Asked by a kubelet, answered by a thread of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from govpool.effects.queue import WorkQueue
from govpool.effects.streams import Streams

BEAT = 1.0
"""Seconds between two signs of life of the event loop."""
LOOP_STILL = 30.0
"""Seconds without one after which the loop stands still."""
QUEUE_STILL = 600.0
"""Seconds in which keys waited and none was taken."""


@dataclass(frozen=True, slots=True)
class Check:
    """One answer."""

    name: str
    ok: bool
    text: str

    def __str__(self) -> str:
        """As the API server writes its own."""
        return f"[{'+' if self.ok else '-'}]{self.name}: {self.text}"


class Heartbeat:
    """The event loop's signs of life. Times are monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat = clock()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beat = self._clock()
            await asyncio.sleep(BEAT)

    @property
    def lag(self) -> float:
        """How many seconds the loop is behind."""
        return max(self._clock() - self._beat - BEAT, 0.0)


class Health:
    """Puts the checks together. Everything that it reads may be read from any thread."""

    def __init__(
        self,
        heart: Heartbeat,
        streams: Streams,
        *,
        fault: Callable[[], BaseException | None],
        queue: Callable[[], WorkQueue | None],
        waiting: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``queue`` is None until all was listed; ``waiting`` says what for until then, empty for a fault to
        be told by :meth:`ready`.
        """
        self._heart, self._streams = heart, streams
        self._fault, self._queue, self._waiting = fault, queue, waiting
        self._clock = clock

    def live(self) -> tuple[Check, ...]:
        """Whether a new start is no remedy."""
        return (self._loop(), self._parts(), self._queued(), self._some_streams())

    def ready(self) -> tuple[Check, ...]:
        """Whether it does its work, or waits for its turn."""
        return (self._loop(), self._parts(), self._begun(), self._all_streams())

    def _loop(self) -> Check:
        lag = self._heart.lag
        return Check("loop", lag < LOOP_STILL, f"{lag:.1f} s behind")

    def _parts(self) -> Check:
        fault = self._fault()
        # What it says may hold anything; its type is enough here, the log has it whole.
        return Check("parts", fault is None, "all run" if fault is None else f"ended: {type(fault).__name__}")

    def _queued(self) -> Check:
        queue = self._queue()
        if queue is None or queue.depth == 0:
            return Check("queue", True, "nothing waits")
        still = self._clock() - queue.taken_at
        return Check("queue", still < QUEUE_STILL, f"{queue.depth} wait, one was taken {still:.0f} s ago")

    def _begun(self) -> Check:
        if self._queue() is not None:
            return Check("listed", True, "everything")
        what = self._waiting()
        return Check("listed", bool(what), what or "not yet")

    def _some_streams(self) -> Check:
        """Where none moves the API server is away, and a new start would not bring it back."""
        still, known = self._streams.still(), self._streams.silence()
        return Check("streams", not still or len(still) == len(known), _told(still))

    def _all_streams(self) -> Check:
        still = self._streams.still()
        return Check("streams", not still, _told(still))


def _told(still: dict[str, str]) -> str:
    return "; ".join(f"{kind} {how}" for kind, how in sorted(still.items())) or "all move"


def page(checks: tuple[Check, ...]) -> tuple[bool, str]:
    """Whether all is well, and one line for each check."""

    def lines() -> Iterator[str]:
        yield from (str(check) for check in checks)

    return all(check.ok for check in checks), "\n".join(lines()) + "\n"
