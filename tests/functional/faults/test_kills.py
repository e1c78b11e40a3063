"""The operator is killed with SIGKILL again and again while the whole life cycle runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.functional.faults.endings import nothing_lost_nothing_leaked, pool_of
from tests.functional.faults.nursery import Death, Nursery, Reaper, obituaries
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import World, world

KILLS = 30


@contextlib.asynccontextmanager
async def beside(reaper: Reaper) -> AsyncIterator[None]:
    """Run the reaper meanwhile; what goes wrong with it goes wrong here."""
    task = asyncio.create_task(reaper.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def whole_story(town: World) -> None:
    """From the application to the certificate."""
    await story.apply_and_approve(town)
    await story.into_service(town)
    await story.change(town)
    await story.deregister(town)


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_random(tmp_path: Path, operators: Nursery, seed: int) -> None:
    async with world(tmp_path) as town:
        town.patience = 100
        reaper = Reaper(town, operators, seed, effects=12, seconds=1.5)
        async with beside(reaper):
            await whole_story(town)
        last = await operators.begin(town, Death())
        await nothing_lost_nothing_leaked(town, pool_of(tmp_path))
        await last.kill()
        ordered = obituaries(town)
    assert reaper.kills >= KILLS
    assert {"before", "after"} <= {death["when"] for death in ordered}
