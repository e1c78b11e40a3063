"""The clock: follows the control plane's own where it has one, and never goes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from effects_ground import Plane

from govpool.effects import clock as clocks
from govpool.effects.clock import MovableClock, SystemClock, clock_of
from govpool.effects.kube import Kube, KubeError


def test_a_clock_never_goes_back() -> None:
    moves: list[timedelta] = []
    clock = MovableClock(timedelta(days=1))
    clock.on_move(lambda: moves.append(clock.ahead))
    clock.set_ahead(timedelta(hours=1))
    clock.set_ahead(timedelta(days=1))
    assert clock.ahead == timedelta(days=1) and moves == []
    clock.set_ahead(timedelta(days=2))
    assert moves == [timedelta(days=2)]
    assert (
        timedelta(days=2)
        <= clock.now() - datetime.now(UTC) + timedelta(seconds=1)
        <= timedelta(days=2, seconds=2)
    )


async def test_it_follows_the_embedded_control_plane(plane: Plane) -> None:
    clock, following = await clock_of(plane.kube)
    assert following is not None
    moved = asyncio.Event()
    clock.on_move(moved.set)
    try:
        await plane.admin.post_path("/govpool/clock", {"advance": "P31D"})
        await asyncio.wait_for(moved.wait(), 5)
        assert clock.ahead >= timedelta(days=31)
        assert abs(clock.now() - datetime.now(UTC) - clock.ahead) < timedelta(seconds=1)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


class OtherPlane(Kube):
    """An API server that answers the clock's path with a status."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def get_path(self, path: str) -> dict[str, Any]:
        raise KubeError(self.status, "", path)


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_any_other_control_plane_has_the_machines_clock(status: int) -> None:
    clock, following = await clock_of(OtherPlane(status))
    assert isinstance(clock, SystemClock) and following is None
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)


@pytest.mark.parametrize("status", [0, 429, 500, 503])
async def test_a_control_plane_that_could_not_answer_is_not_taken_for_another(status: int) -> None:
    with pytest.raises(KubeError):
        await clock_of(OtherPlane(status))


class Stuttering(Kube):
    """A clock stream that breaks, tells nonsense, and then the time."""

    def __init__(self, *chapters: list[bytes]) -> None:
        self.chapters = list(chapters)

    async def get_path(self, path: str) -> dict[str, Any]:
        return {"offsetSeconds": 0}

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        if not self.chapters:
            await asyncio.Event().wait()
        for line in self.chapters.pop(0):
            yield line
        raise KubeError(0, "NoAnswer", "cut")


async def test_a_broken_stream_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "AGAIN", 0.0)
    lines = [
        [b'{"offsetSeconds": 5}'],
        [b"<html>", b"{}"],
        [b'{"offsetSeconds": 60}', b'{"offsetSeconds": 7}'],
    ]
    clock, following = await clock_of(Stuttering(*lines))
    assert following is not None
    moved = asyncio.Event()
    clock.on_move(lambda: moved.set() if clock.ahead >= timedelta(seconds=60) else None)
    try:
        await asyncio.wait_for(moved.wait(), 5)
        assert not following.done() and clock.ahead == timedelta(seconds=60)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
