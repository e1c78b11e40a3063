"""Stories on real machines: the same files and player, a real operator, time moved on. Needs root."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from govpool.cli.scenario_file import read_scenario
from govpool.simulation.result import RequestLine
from tests.functional.stories.playing import lived, simulated
from tests.local_pools import local_pool

STORIES = (
    ("january-31", "yiyang-2025"),
    ("emergency-papers", "jinan-startup-area-2025"),
    ("review-overdue", "template"),
    ("spring-festival", "bozhou-2024"),
)


LATE = timedelta(days=4)
"""What falls due at midnight a living operator sees a second later, which is the next day: people who count
working days from there act one later, over a weekend.
"""


def told(line: RequestLine) -> list[tuple[str, str, str]]:
    """What happened to a request, by whom, under which article."""
    return [(item.actor, item.what, item.article) for item in line.history]


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("name", "policy"), STORIES)
async def test_the_story_goes_on_machines_as_it_goes_in_the_simulation(
    name: str, policy: str, tmp_path: Path
) -> None:
    with local_pool(f"story-{name}"[:20], 30 + [story for story, _ in STORIES].index(name)) as pool:
        result = await lived(read_scenario(name), policy, pool, tmp_path)
    missed = [f"{m.at}: {m.expected}, found {m.found}" for m in result.expectations if not m.met]
    assert not missed, "\n".join(missed)
    # The simulation has an event loop of its own.
    expected = await asyncio.to_thread(simulated, name, policy)
    for line, planned in zip(result.requests, expected.requests, strict=True):
        assert told(line) == told(planned)
        for item, plan in zip(line.history, planned.history, strict=True):
            assert plan.at.date() <= item.at.date() <= plan.at.date() + LATE, item.what
    assert [line.phase for line in result.requests] == [line.phase for line in expected.requests]
