"""Kopf handlers: each puts the object into the store and its key on the queue, and does nothing else."""

from __future__ import annotations

import asyncio
import logging
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kopf
from pydantic import ValidationError

from govpool.api.base import GROUP, VERSION, Resource
from govpool.effects import kube
from govpool.effects.operator import NOT_SETTLED, SETTLING, WATCHED, Operator, Options

log = logging.getLogger(__name__)
TOKEN_LIFE = timedelta(minutes=30)


def registry(operator: Operator, kubeconfig: Path | None) -> kopf.OperatorRegistry:
    """Handlers of one operator, in a registry of its own."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        await operator.start()

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        await operator.stop()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # Kopf's own session has no bound on its connections; tokens inside a cluster are renewed hourly.
        server, session = await kube.session(kubeconfig)
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
        try:
            resource = kind.model_validate(body)
        except ValidationError as error:
            # The CRD's schema is made from this very model: an object that it lets through and the model
            # does not is from another version. It is told, and left alone.
            name = body.get("metadata", {}).get("name")
            log.error(  # noqa: TRY400 - the message is whole, the stack tells nothing
                "%s %s can't be read and is left alone: %s", kind.DEFINITION.kind, name, error
            )
            return
        if event["type"] == "DELETED":
            operator.lost(resource)
        else:
            operator.saw(resource)


def configure(settings: kopf.OperatorSettings) -> None:
    """Settings as measured: bounded requests, streams known to be alive, no events from log lines."""
    settings.queueing.worker_limit = None
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 600
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    settings.watching.initial_streaming = False
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.scanning.disabled = True
    for kind in SETTLING:
        settings.watching.label_selectors[GROUP, kind.DEFINITION.plural] = NOT_SETTLED


async def run(options: Options, *, liveness: str | None = None, stop: asyncio.Event | None = None) -> None:
    """Run the operator until ``stop`` is set or a signal comes."""
    operator = Operator(options)
    stopping = stop or asyncio.Event()
    if stop is None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
    await kopf.operator(
        registry=registry(operator, options.kubeconfig),
        clusterwide=True,
        standalone=True,
        liveness_endpoint=liveness,
        stop_flag=stopping,
    )
