"""One operator process as seen from outside: its health and its metrics, whether it leads or waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from govpool.effects import metrics
from govpool.effects.endpoint import Address, Endpoint
from govpool.effects.health import Check, Health, Heartbeat
from govpool.effects.notify.notifier import Notifier
from govpool.effects.operator import WATCHED, Operator
from govpool.effects.queue import WorkQueue
from govpool.effects.state_metrics import StateCollector, gauge
from govpool.effects.streams import Streams


class Monitor(Collector):
    """Watches one process. ``operator`` is the one that acts; None while it waits for the lead."""

    def __init__(self) -> None:
        self.heart = Heartbeat()
        self.operator: Operator | None = None
        self.port = 0
        self._none = Streams(WATCHED)
        self._state: tuple[Operator, StateCollector] | None = None

    # -- health -----------------------------------------------------------------------------------
    def live(self) -> tuple[Check, ...]:
        """See :meth:`Health.live`."""
        return self._health().live()

    def ready(self) -> tuple[Check, ...]:
        """See :meth:`Health.ready`."""
        return self._health().ready()

    def _health(self) -> Health:
        operator = self.operator
        return Health(
            self.heart,
            operator.streams if operator else self._none,
            fault=lambda: operator.fault if operator else None,
            queue=lambda: _queue(operator),
            waiting=lambda: "" if operator else "nothing: it waits for the lead",
        )

    # -- metrics ----------------------------------------------------------------------------------
    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything that is counted, and everything that the operator holds."""
        yield from metrics.REGISTRY.collect()
        yield gauge("build_info", "Always 1.", ("version",), {(version("govpool"),): 1})
        yield gauge("event_loop_lag_seconds", "How far the loop is behind.", (), {(): self.heart.lag})
        operator, queue = self.operator, _queue(self.operator)
        yield gauge("started", "Whether everything was listed.", (), {(): float(queue is not None)})
        if operator is None or queue is None:
            return
        yield from _of_queue(queue)
        yield from _of_streams(operator.streams)
        if self._state is None or self._state[0] is not operator:
            self._state = (operator, StateCollector(operator.store, operator.clock, operator.shard))
        yield from self._state[1].collect()
        if operator.notifier is not None:
            yield from _of_notifier(operator.notifier)


def _queue(operator: Operator | None) -> WorkQueue | None:
    return operator.queue if operator is not None and operator.started else None


def _of_queue(queue: WorkQueue) -> Iterator[Metric]:
    values = {
        "depth": ("Keys that wait to be taken.", queue.depth),
        "oldest_seconds": ("How long the oldest of them has waited.", queue.oldest),
        "running": ("Keys that are worked on.", queue.running),
        "scheduled": ("Keys that are looked at again at a known time.", queue.scheduled),
        "failing": ("Keys whose last reconcile failed.", queue.failing),
    }
    for name, (text, value) in values.items():
        yield gauge(f"queue_{name}", text, (), {(): value})


def _of_streams(streams: Streams) -> Iterator[Metric]:
    silence = {(kind,): seconds for kind, seconds in streams.silence().items()}
    owed = {(kind,): seconds for kind, seconds in streams.owed().items()}
    yield gauge("stream_silence_seconds", "Since the event stream was heard of.", ("kind",), silence)
    yield gauge("stream_owed_seconds", "Since a write has not come back.", ("kind",), owed)


def _of_notifier(notifier: Notifier) -> Iterator[Metric]:
    pending = {(outbox.config.name,): outbox.pending for outbox in notifier.outboxes}
    oldest = {(outbox.config.name,): outbox.oldest for outbox in notifier.outboxes}
    yield gauge("notifications_pending", "What is to be told and is not yet.", ("channel",), pending)
    yield gauge("notification_oldest_seconds", "How long the oldest of it waits.", ("channel",), oldest)


@asynccontextmanager
async def monitored(address: Address | None) -> AsyncIterator[Monitor]:
    """A monitor that is served at the address for as long; at no address it only stands there.

    Raises:
        OSError: the address is taken, or may not be.
    """
    monitor = Monitor()
    if address is None:
        yield monitor
        return
    beating = asyncio.create_task(monitor.heart.run(), name="heartbeat")
    try:
        with Endpoint(
            address.host, address.port, live=monitor.live, ready=monitor.ready, metrics=monitor
        ) as endpoint:
            monitor.port = endpoint.port
            yield monitor
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
