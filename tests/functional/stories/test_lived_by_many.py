"""Stories under other policies than on machines: an operator and a control plane, on the fixture pool.

Several systems of a unit go through their stories side by side, so that one run of the clock serves them all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from govpool.api.cloudserver import CloudServer, Desired, ServerPhase
from govpool.effects.kube import Json
from govpool.simulation.ground import LAST_DAY, MORNING, Calendar
from govpool.simulation.player import Player
from govpool.simulation.result import SimulationResult
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import simulate
from govpool_providers.base import PoolConnection
from tests.functional.stories.live_town import LiveTown, live_town
from tests.functional.stories.playing import ground
from tests.functional.stories.test_lived import LATE, told

EXPANSION = {"server": "app", "additionalCount": 1, "starts": "2026-04-13", "ends": "2026-04-24"}
STORIES = Scenario.model_validate(
    {
        "name": "side-by-side",
        "title": {"en": "Three systems", "zh": "三个系统"},
        "starts": "2026-02-02",
        "until": "2026-05-15",
        "requests": {
            "refused": {"patch": {"system": {"protectionLevel": 4, "name": "数据交换系统"}}},
            "season": {"patch": {"system": {"name": "年度申报系统"}}},
            "leaving": {"patch": {"system": {"name": "临时统计系统"}}},
        },
        "events": [
            {"do": "apply", "request": "refused", "at": "2026-02-03"},
            {
                "do": "edit",
                "request": "refused",
                "at": "2026-03-02",
                "patch": {"system": {"protectionLevel": 2}},
            },
            {
                "do": "edit",
                "request": "refused",
                "at": "2026-04-01",
                "patch": {"system": {"purpose": "部门间数据交换"}},
            },
            {"do": "apply", "request": "season", "at": "2026-02-03"},
            {
                "do": "edit",
                "request": "season",
                "at": "2026-03-23",
                "patch": {"term": {"kind": "Permanent", "temporary": [EXPANSION]}},
            },
            {"do": "apply", "request": "leaving", "at": "2026-02-03"},
            {
                "do": "edit",
                "request": "leaving",
                "at": "2026-04-02",
                "patch": {
                    "state": "Deregistered",
                    "deregistration": {"reason": "SupersededBySuperiorPlatform"},
                },
            },
        ],
        "habits": [
            {"stage": "Review", "requests": ["refused"], "verdict": "Return", "opinion": "说明不详"},
            {"stage": "Review", "after": {"workingDays": 3}},
        ],
    }
)


class FixtureTown(LiveTown):
    """A live town whose pool is what the scenario says it is: one that simulates."""

    def _real(self, document: Json) -> Json:
        return document

    def _busy(self) -> bool:
        servers = (one for one in self.operator.known.values() if isinstance(one, CloudServer))
        return super()._busy() or any(_leaves(server) for server in servers)


def _leaves(server: CloudServer) -> bool:
    """A machine that is being released, or deleted with its disks: the pool answers at the next look."""
    ends = {Desired.RELEASED: (ServerPhase.RELEASED, ServerPhase.GONE), Desired.GONE: (ServerPhase.GONE,)}
    wanted = ends.get(server.spec.desired)
    return wanted is not None and (server.status is None or server.status.phase not in wanted)


async def lived(policy: str, home: Path) -> SimulationResult:
    on = ground(policy)
    in_force = on.in_force(STORIES)
    calendar = Calendar.of(in_force)
    fixture = PoolConnection("fixture-pool", {})
    async with live_town(home, fixture, calendar.moment(STORIES.starts, MORNING)) as there:
        town = FixtureTown(there.kube, there.operator, fixture, home)
        return await Player(town, STORIES, on, in_force, "en").play(calendar.moment(STORIES.until, LAST_DAY))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("policy", ["bozhou-2024", "weihai-2025"])
async def test_simulation_and_operator_tell_the_same_of_each_system(policy: str, tmp_path: Path) -> None:
    result = await lived(policy, tmp_path)
    # The simulation has an event loop of its own.
    expected = await asyncio.to_thread(simulate, STORIES, ground(policy))
    for line, planned in zip(result.requests, expected.requests, strict=True):
        assert told(line) == told(planned), line.name
        for item, plan in zip(line.history, planned.history, strict=True):
            assert plan.at.date() <= item.at.date() <= plan.at.date() + LATE, item.what
        assert line.phase == planned.phase
