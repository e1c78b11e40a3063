"""The Kopf side: settings as measured, events that only feed the store, a run that ends as it should."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import kopf
import pytest
from effects_ground import Plane, operators, order_of, request_of, until
from kubernetes.aio.config import ConfigException

from govpool.api.workorder import WorkOrder
from govpool.effects.operator import NOT_SETTLED, SETTLING, WATCHED, Operator, Options
from govpool.effects.queue import WorkQueue
from govpool.handlers import events


def test_settings_are_as_measured() -> None:
    settings = kopf.OperatorSettings()
    events.configure(settings)
    assert settings.queueing.worker_limit is None
    assert (settings.networking.request_timeout, settings.networking.connect_timeout) == (60, 10)
    watching = settings.watching
    assert (watching.server_timeout, watching.inactivity_timeout, watching.chunk_size) == (600, 70, 500)
    assert watching.initial_streaming is True, "Kopf lists nothing by itself"
    assert settings.posting.enabled is False and settings.posting.loggers is False
    assert settings.scanning.disabled is True


def test_what_is_settled_is_left_out_of_the_watch() -> None:
    settings = kopf.OperatorSettings()
    events.configure(settings)
    selectors = settings.watching.label_selectors
    for kind in WATCHED:
        assert (("govpool.dev", kind.DEFINITION.plural) in selectors) is (kind in SETTLING)
    assert all(selectors["govpool.dev", kind.DEFINITION.plural] == NOT_SETTLED for kind in SETTLING)


def test_a_line_for_every_event_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("kopf.objects")
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger("govpool"), "level", logging.INFO)
    events.configure(kopf.OperatorSettings())
    assert not logger.isEnabledFor(logging.INFO) and logger.isEnabledFor(logging.WARNING)


def test_every_kind_is_followed_by_an_event_handler_and_nothing_else(tmp_path: Path) -> None:
    handlers = events.registry(Operator(Options(None, tmp_path)), None)
    watching = handlers._watching.get_all_handlers()
    assert {str(handler.id) for handler in watching} == {kind.DEFINITION.kind for kind in WATCHED}
    for other in (handlers._changing, handlers._spawning, handlers._indexing, handlers._webhooks):
        assert list(other.get_all_handlers()) == []  # type: ignore[attr-defined]


async def test_a_kubeconfig_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigException):
        await events.run(Options(tmp_path / "nothing", tmp_path))


async def test_it_follows_the_streams_and_stops_when_told(
    plane: Plane, tmp_path: Path, monkeypatch: Any
) -> None:
    made = operators(monkeypatch)
    stop = asyncio.Event()
    running = asyncio.create_task(events.run(Options(plane.operator_kubeconfig, tmp_path / "o"), stop=stop))
    try:
        async with asyncio.timeout(20):
            order = await plane.admin.create(order_of())
            await plane.admin.create(request_of())
            await until(lambda: bool(made) and made[0].store.find(order.key) is not None, "seen")
            await plane.admin.delete(order)
            await until(lambda: made[0].store.find(order.key) is None, "lost")
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)
    assert made[0].fault is None


async def test_it_ends_nothing_that_others_began_meanwhile(plane: Plane, tmp_path: Path) -> None:
    """Kopf by itself cancels every task of the loop: whoever answers the next request, too."""
    stop, told = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(events.run(Options(plane.operator_kubeconfig, tmp_path / "o"), stop=stop))
    await until(lambda: any(seen.verb == "watch" for seen in plane.seen), "follows a stream")
    await asyncio.gather(*(plane.admin.list(WorkOrder) for _ in range(8)))
    theirs = asyncio.create_task(told.wait())
    stop.set()
    await asyncio.wait_for(running, 20)
    assert not theirs.done()
    async with asyncio.timeout(20):
        await asyncio.gather(*(plane.admin.list(WorkOrder) for _ in range(8)))
    told.set()
    assert await theirs


async def test_a_broken_part_ends_the_run_with_its_error(
    plane: Plane, tmp_path: Path, monkeypatch: Any
) -> None:
    async def breaks(self: WorkQueue) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(WorkQueue, "run_heap", breaks)
    options = Options(plane.operator_kubeconfig, tmp_path / "o")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(events.run(options, stop=asyncio.Event()), 30)


async def test_it_stops_while_it_waits_for_the_api_server(plane: Plane, tmp_path: Path, caplog: Any) -> None:
    stop = asyncio.Event()
    options = Options(plane.server.kubeconfig("unit"), tmp_path / "o")
    running = asyncio.create_task(events.run(options, stop=stop))
    await until(lambda: "ClusterRole" in caplog.text, "told")
    stop.set()
    await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 20)
