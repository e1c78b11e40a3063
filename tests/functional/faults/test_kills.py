"""The operator is killed with SIGKILL again and again while the whole life cycle runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.functional.faults.endings import nothing_lost_nothing_leaked, pool_of
from tests.functional.faults.nursery import Nursery, Reaper, Walker, obituaries
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import World, world

KILLS = 30
EVERY_GAP = "GOVPOOL_EVERY_GAP"
"""Set it to walk every gap between two effects; else every few, from another first one for each seed."""
STRIDE = 1 if os.environ.get(EVERY_GAP) else 8
FIRSTS = (1,) if STRIDE == 1 else (3,)


async def whole_story(town: World, reaper: Reaper, kills: tuple[int, int, int]) -> None:
    """From the application to the certificate, with kills for opening, change and deregistration."""
    reaper.allow(kills[0])
    await story.apply_and_approve(town)
    await story.into_service(town)
    reaper.allow(kills[1])
    await story.change(town)
    reaper.allow(kills[2])
    await story.deregister(town)


@pytest.mark.parametrize("seed", [1])
async def test_killed_at_random(tmp_path: Path, operators: Nursery, seed: int) -> None:
    async with world(tmp_path) as town:
        town.patience, town.hurry = 100, "PT1S"
        async with Reaper(town, operators, seed).at_work() as reaper:
            await whole_story(town, reaper, (14, 12, 14))
            reaper.rest()
            await nothing_lost_nothing_leaked(town, pool_of(tmp_path))
        ordered = obituaries(town)
    assert reaper.kills >= KILLS, reaper.kills
    assert {"before", "after"} <= {death["when"] for death in ordered}


@pytest.mark.parametrize("first", FIRSTS)
async def test_killed_in_every_gap(tmp_path: Path, operators: Nursery, first: int) -> None:
    """Right after an effect, when nobody has heard of it yet, through the whole life cycle."""
    async with world(tmp_path) as town:
        town.patience, town.hurry = 250, "PT1S"
        async with Walker(town, operators, stride=STRIDE, first=first).at_work() as walker:
            await whole_story(town, walker, (1000, 0, 0))
            await nothing_lost_nothing_leaked(town, pool_of(tmp_path))
        died = [death["effect"] for death in obituaries(town)]
    assert len(died) >= 150 // STRIDE
    for effect in ("ensure_machine", "release_machine", "mark_wiped", "delete_disk", "/wipecertificates"):
        assert STRIDE > 1 or any(effect in name for name in died), effect
