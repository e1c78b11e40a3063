"""One channel at work: what it has to tell, in which order, and what it does when it can't."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from govpool.effects import metrics
from govpool.effects.kube import KubeError
from govpool.effects.notify.channel import (
    Channel,
    DeliveryError,
    FailedError,
    Item,
    RefusedError,
    UnknownError,
)
from govpool.effects.notify.config import ChannelConfig, InDoubt
from govpool.effects.notify.ledger import Ledger

log = logging.getLogger(__name__)
ATTEMPTS = 4
"""Tries of one message in a row."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 20.0
"""Seconds between them."""
FIRST_REST, LONGEST_REST = 30.0, 900.0
"""Seconds for which a channel rests that does not take anything."""
APART = 3600.0
"""Seconds until one message is tried again that was refused while others are not."""


class Outbox:
    """What a channel has to tell. Put in and taken out at any time; told by :meth:`run`."""

    def __init__(
        self,
        config: ChannelConfig,
        channel: Channel,
        ledger: Ledger,
        in_doubt: InDoubt,
    ) -> None:
        self.config, self.channel = config, channel
        self._ledger = ledger
        self._in_doubt = in_doubt
        self._items: dict[str, Item] = {}
        self._since: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._current: set[str] = set()
        self._unwritten: set[str] = set()
        self._doubtful: frozenset[str] = frozenset()
        self._wake = asyncio.Event()
        self._rest = FIRST_REST

    # -- what there is to tell --------------------------------------------------------------------
    def offer(self, item: Item) -> None:
        """It is true; tell it unless it was told."""
        self._current.add(item.id)
        if item.id not in self._since:
            self._since[item.id] = time.monotonic()
        self._items[item.id] = item
        self._wake.set()

    def withdraw(self, item_id: str) -> None:
        """It is no longer true: whoever was not told of it yet need not be."""
        self._current.discard(item_id)
        self._forget(item_id)

    def _forget(self, item_id: str) -> None:
        for table in (self._items, self._since, self._not_before):
            table.pop(item_id, None)

    @property
    def pending(self) -> int:
        """How much is to be told."""
        return len(self._items)

    @property
    def oldest(self) -> float:
        """How many seconds the oldest of it waits; 0 when there is none."""
        since = list(self._since.values())
        return time.monotonic() - min(since) if since else 0.0

    # -- telling it -------------------------------------------------------------------------------
    async def run(self) -> None:
        """Tell what there is, until cancelled. Nothing that goes wrong with one channel ends it."""
        await self._begin()
        while True:
            self._drop_told()
            ready, wait = self._ready()
            if not ready:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                continue
            try:
                await self._tell(ready)
            except KubeError as error:
                log.warning("channel %s rests: its record could not be written: %s", self.config.name, error)
                await self._pause()
                continue
            except RefusedError as error:
                self._told_of(error, "refused")
                await self._pause()
                continue
            except FailedError as error:
                self._told_of(error, "failed")
                await self._pause(error.after)
                continue
            self._rest = FIRST_REST
            await asyncio.sleep(self.channel.pause)

    async def close(self) -> None:
        """Give up the channel's connections."""
        await self.channel.close()

    def _told_of(self, error: DeliveryError, result: str) -> None:
        metrics.NOTIFICATIONS.labels(self.config.name, result).inc()
        log.warning(
            "channel %s rests for %.0f s, %d messages wait: %s",
            self.config.name,
            self._rest,
            self.pending,
            error,
        )

    async def _pause(self, asked: float = 0.0) -> None:
        rest, self._rest = max(self._rest, asked), min(self._rest * 2, LONGEST_REST)
        await asyncio.sleep(rest)

    async def _begin(self) -> None:
        """Read the record; what was going out when the last operator ended is in doubt."""
        while True:
            try:
                doubtful = await self._ledger.load()
                break
            except KubeError as error:
                log.warning("channel %s waits: its record could not be read: %s", self.config.name, error)
                await self._pause()
        self._rest = FIRST_REST
        if not doubtful:
            return
        repeat = self._in_doubt is InDoubt.REPEAT
        what = "are sent again under their ids" if repeat else "are not sent again"
        log.warning("channel %s: %d messages may have gone out and %s", self.config.name, len(doubtful), what)
        metrics.NOTIFICATIONS.labels(self.config.name, "unknown").inc(len(doubtful))
        if repeat:
            self._doubtful = doubtful

    def _drop_told(self) -> None:
        for item_id in [found for found in self._items if self._was_told(found)]:
            self._forget(item_id)

    def _was_told(self, item_id: str) -> bool:
        return self._ledger.knows(item_id) and item_id not in self._doubtful

    def _ready(self) -> tuple[tuple[Item, ...], float | None]:
        """What goes into the next message; else the seconds until something may."""
        now = time.monotonic()
        ready = [item for key, item in self._items.items() if self._not_before.get(key, 0.0) <= now]
        waits = [self._not_before[key] - now for key in self._items if self._not_before.get(key, 0.0) > now]
        return tuple(ready[: self.channel.bundle]), min(waits, default=None)

    async def _tell(self, items: tuple[Item, ...]) -> None:
        ids = [item.id for item in items]
        await self._ledger.write(sending=ids, current=self._current)
        self._doubtful -= set(ids)
        try:
            sent = await self._insist(items)
        except UnknownError as error:
            metrics.NOTIFICATIONS.labels(self.config.name, "unknown").inc(len(ids))
            if self._in_doubt is InDoubt.REPEAT:
                await self._ledger.write(dropped=ids)
                raise FailedError(str(error)) from None
            log.warning("channel %s: %d messages may have gone out: %s", self.config.name, len(ids), error)
            sent = ids
        except RefusedError as error:
            await self._ledger.write(dropped=ids)
            if error.whole:
                raise
            metrics.NOTIFICATIONS.labels(self.config.name, "refused").inc(len(ids))
            log.warning("channel %s: a message was refused: %s", self.config.name, error)
            self._not_before |= {key: time.monotonic() + APART for key in ids if key in self._items}
            return
        except (FailedError, KubeError):
            await self._ledger.write(dropped=ids)
            raise
        else:
            metrics.NOTIFICATIONS.labels(self.config.name, "sent").inc(len(sent))
        for key in sent:
            self._forget(key)
        # What could not be written down goes along with the next that can.
        self._unwritten |= set(sent)
        await self._ledger.write(told=self._unwritten, dropped=set(ids) - set(sent), current=self._current)
        self._unwritten.clear()

    async def _insist(self, items: tuple[Item, ...]) -> list[str]:
        """Send them, and return the ids of those that were: what is done by then need not be told."""

        async def send() -> list[str]:
            left = tuple(item for item in items if item.id in self._items)
            if left:
                await self.channel.send(left)
            return [item.id for item in left]

        tries = AsyncRetrying(
            retry=retry_if_exception(_soon),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_patience,
            reraise=True,
        )
        sent: list[str] = await tries(send)
        return sent


_BACKOFF = wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)


def _soon(error: BaseException) -> bool:
    """Whether it may be tried again within a row of tries; who asks for more patience is left alone."""
    return isinstance(error, FailedError) and error.after <= LONGEST_WAIT


def _patience(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_BACKOFF(state), error.after if isinstance(error, FailedError) else 0.0)
