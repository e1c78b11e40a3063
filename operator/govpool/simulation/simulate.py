"""Simulate: one scenario under one policy, on virtual time."""

from __future__ import annotations

from datetime import datetime, time

from govpool.messages import Language
from govpool.simulation.ground import LAST_DAY, Calendar, Ground
from govpool.simulation.player import Player
from govpool.simulation.result import SimulationResult
from govpool.simulation.scenario import Scenario
from govpool.simulation.virtual import VirtualTown, in_town

OPENS = time(8)
"""When the first day begins: before anybody does anything."""


def simulate(
    scenario: Scenario,
    ground: Ground,
    *,
    until: datetime | None = None,
    language: Language = "en",
    seed: int = 0,
) -> SimulationResult:
    """Play the scenario; the same arguments give the same result.

    Raises:
        ValidationError: the policy, with what the scenario changes in it, is none.
        KubeError: the API server would not admit the scenario's policy, catalogue, pools or units.
        RestlessError: the core never comes to rest.
    """
    policy = ground.in_force(scenario)
    calendar = Calendar.of(policy)
    ends = until or calendar.moment(scenario.until, LAST_DAY)

    async def play(town: VirtualTown) -> SimulationResult:
        return await Player(town, scenario, ground, policy, language).play(ends)

    return in_town(calendar.moment(scenario.starts, OPENS), play, language=language, seed=seed)
