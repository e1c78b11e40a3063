"""The operator's clock: injected, so that tests and the embedded control plane can move it on."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from govpool.effects.kube import Kube, KubeError

log = logging.getLogger(__name__)


class Clock(Protocol):
    """What time it is, and who wants to know when somebody moves it."""

    def now(self) -> datetime:
        """The present time, aware, UTC."""
        ...

    @property
    def ahead(self) -> timedelta:
        """How far this clock is ahead of the machine's."""
        ...

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call the listener whenever the clock was moved."""
        ...


class SystemClock:
    """The machine's own clock. Nobody moves it."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        """The present time, UTC."""
        return datetime.now(UTC)

    def on_move(self, listener: Callable[[], None]) -> None:
        """Nothing ever calls the listener."""


class MovableClock:
    """A clock that runs with the machine's, ahead of it by an offset that only grows."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self._ahead = ahead
        self._listeners: list[Callable[[], None]] = []

    @property
    def ahead(self) -> timedelta:
        """How far this clock is ahead of the machine's."""
        return self._ahead

    def now(self) -> datetime:
        """The machine's time and the offset."""
        return datetime.now(UTC) + self._ahead

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call the listener whenever the offset grew."""
        self._listeners.append(listener)

    def set_ahead(self, ahead: timedelta) -> None:
        """Move the clock on; never back."""
        if ahead <= self._ahead:
            return
        self._ahead = ahead
        for listener in self._listeners:
            listener()


CLOCK_PATH = "/govpool/clock"
AGAIN = 1.0
"""Seconds until a stream that ended is taken up again."""


async def clock_of(kube: Kube) -> tuple[Clock, asyncio.Task[None] | None]:
    """The control plane's clock: the embedded one has a clock of its own that is followed; any other has
    none, and the machine's is used. The task follows it; the caller ends it.
    """
    try:
        document = await kube.get_path(CLOCK_PATH)
    except KubeError as error:
        if error.status in (401, 403, 404, 405):
            return SystemClock(), None
        raise
    clock = MovableClock(timedelta(seconds=float(str(document["offsetSeconds"]))))
    return clock, asyncio.create_task(_follow(kube, clock), name="follow-clock")


async def _follow(kube: Kube, clock: MovableClock) -> None:
    while True:
        try:
            async for line in kube.stream(CLOCK_PATH, {"watch": "1"}):
                clock.set_ahead(timedelta(seconds=float(json.loads(line)["offsetSeconds"])))
        except (KubeError, ValueError, KeyError, TypeError) as error:
            # The control plane went away, maybe within a line: the clock goes on with what it knows.
            log.debug("the clock is followed again in a moment: %s", error)
        await asyncio.sleep(AGAIN)
