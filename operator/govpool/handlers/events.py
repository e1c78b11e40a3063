"""Kopf handlers: each puts the object into the store and its key on the queue, and does nothing else."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import kopf

from govpool.api.base import GROUP, VERSION, Resource
from govpool.effects import election, kube
from govpool.effects.fence import Fence
from govpool.effects.kube import Json
from govpool.effects.monitor import Monitor, monitored
from govpool.effects.operator import NOT_SETTLED, SETTLING, WATCHED, Operator, Options, readable
from govpool.effects.store import Key

log = logging.getLogger(__name__)
STREAMS_END = 5.0
"""Seconds that Kopf has to end its streams, once everything that has an effect has ended."""
TOKEN_LIFE = timedelta(minutes=30)
COLLECT_EVERY = (50_000, 20, 100)
"""Thresholds of the garbage collector. It finds next to nothing here, and with Python's own thresholds going
through all objects takes as long as reading them did.
"""


def registry(
    operator: Operator,
    kubeconfig: Path | None,
    stopping: asyncio.Event | None = None,
    listen: Callable[[], None] = lambda: None,
) -> kopf.OperatorRegistry:
    """Handlers of one operator, in a registry of its own. ``stopping`` is set once the operator stopped;
    ``listen`` is called when Kopf has set up its signal handlers.
    """
    handlers = kopf.OperatorRegistry()

    # Kopf would repeat a start that failed half-way, on top of that half.
    @kopf.on.startup(registry=handlers, errors=kopf.ErrorsMode.PERMANENT)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        gc.set_threshold(*COLLECT_EVERY)
        await operator.start()
        # Not earlier: Kopf puts its own handlers of signals in place while this runs.
        listen()

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        await operator.stop()
        if stopping is not None:
            # Ended by a signal, Kopf would wait another five seconds for whoever waits for this flag.
            stopping.set()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # Kopf's own session has no bound on its connections; tokens inside a cluster are renewed hourly.
        server, session = await kube.session(
            kubeconfig, operator.streams.tracing(), operator.listing.middleware
        )
        return kopf.AiohttpSession(
            server=server, aiohttp_session=session, expiration=datetime.now(UTC) + TOKEN_LIFE
        )

    for kind in WATCHED:
        _follow(handlers, operator, kind)
    return handlers


def _follow(handlers: kopf.OperatorRegistry, operator: Operator, kind: type[Resource]) -> None:
    @kopf.on.event(GROUP, VERSION, kind.DEFINITION.plural, id=kind.DEFINITION.kind, registry=handlers)
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        body = event["object"]
        operator.streams.event(kind.DEFINITION.kind, body["metadata"]["resourceVersion"])
        if not operator.keeps(kind, body["metadata"].get("namespace", "")):
            return
        if event["type"] != "DELETED" and operator.store.knows(*_version(kind, body)):
            # Most events are echoes of the operator's own writes and listings: not worth a validation.
            return
        resource = readable(kind, cast(Json, body))
        if resource is None:
            return
        if event["type"] == "DELETED":
            operator.lost(resource)
        else:
            operator.saw(resource)


def _version(kind: type[Resource], body: kopf.RawBody) -> tuple[Key, str, str]:
    meta = body["metadata"]
    key = (kind.DEFINITION.kind, meta.get("namespace", ""), meta["name"])
    return key, meta["uid"], meta["resourceVersion"]


def configure(settings: kopf.OperatorSettings) -> None:
    """Settings as measured: bounded requests, streams known to be alive, no events from log lines."""
    settings.queueing.worker_limit = None
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 600
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    # What there is the operator has listed: see govpool.effects.listing.
    settings.watching.initial_streaming = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.scanning.disabled = True
    for kind in SETTLING:
        settings.watching.label_selectors[GROUP, kind.DEFINITION.plural] = NOT_SETTLED
    if not log.isEnabledFor(logging.DEBUG):
        # A line for every event ("Handler ... succeeded") tells nothing and costs as much as the event.
        logging.getLogger("kopf.objects").setLevel(logging.WARNING)


async def run(options: Options, *, liveness: str | None = None, stop: asyncio.Event | None = None) -> None:
    """Run the operator until ``stop`` is set or a signal comes.

    With an election it first waits until it leads; until then it lists nothing and follows no stream.

    Raises:
        ConfigException: there is no usable kubeconfig.
        DeposedError: another operator leads now; everything here has ended.
        Exception: a bug ended a part of the operator that must always run; start it anew.
    """
    await kube.configuration(options.kubeconfig)
    streams = _Streams(stop or asyncio.Event(), liveness, signals=stop is None)
    streams.listen()
    try:
        async with monitored(options.address) as monitor:
            if options.election is None:
                await _act(options, streams, None, monitor)
                return
            candidate, connection = await election.elector(
                options.kubeconfig, options.election, options.shard
            )
            try:
                await election.lead(
                    candidate, streams.stopping, lambda fence: _act(options, streams, fence, monitor)
                )
            finally:
                await connection.close()
    finally:
        await streams.end()


class _Streams:
    """Kopf at work, and how it ends: it may take its time with its streams, which nobody has to wait for."""

    def __init__(self, stopping: asyncio.Event, liveness: str | None, *, signals: bool) -> None:
        self.stopping, self._liveness, self._signals = stopping, liveness, signals
        self._serving: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Stop at SIGTERM and Ctrl-C. Kopf puts handlers of its own in the place of these when it starts."""
        if self._signals:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stopping.set)

    async def serve(self, handlers: kopf.OperatorRegistry) -> None:
        """Follow the streams until Kopf ends or it is told to stop; what Kopf failed by is raised."""
        self._serving = asyncio.create_task(self._kopf(handlers), name="streams")
        told = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({self._serving, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
        if self._serving.done():
            self._serving.result()

    async def _kopf(self, handlers: kopf.OperatorRegistry) -> None:
        tasks = await kopf.spawn_tasks(
            registry=handlers,
            clusterwide=True,
            standalone=True,
            liveness_endpoint=self._liveness,
            stop_flag=self.stopping,
        )
        # kopf.operator() would cancel in the end whatever began in this loop meanwhile, whosoever it is.
        await kopf.run_tasks(tasks, ignored=_Everything())

    async def end(self) -> None:
        """See to it that nothing of Kopf is left."""
        if self._serving is None or self._serving.done():
            return
        self.stopping.set()
        for hint in (lambda: None, self._serving.cancel):
            hint()
            await asyncio.wait({self._serving}, timeout=STREAMS_END)
            if self._serving.done():
                break
        if self._serving.done() and not self._serving.cancelled() and (fault := self._serving.exception()):
            log.info("Kopf ended with %r", fault)


class _Everything(Collection[asyncio.Task[Any]]):
    """All tasks that there are."""

    def __contains__(self, task: object) -> bool:
        return True

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(asyncio.all_tasks())

    def __len__(self) -> int:
        return len(asyncio.all_tasks())


async def _act(options: Options, streams: _Streams, fence: Fence | None, monitor: Monitor) -> None:
    """Be an operator until told to stop; nothing that has an effect is left after that."""
    operator = monitor.operator = Operator(options, on_broken=streams.stopping.set, fence=fence)
    try:
        await streams.serve(registry(operator, options.kubeconfig, streams.stopping, streams.listen))
    finally:
        # Kopf's own clean-up comes late, or never where it is ended before or while it starts.
        await operator.stop()
    if operator.fault is not None:
        raise operator.fault
