"""Play a shipped scenario under a shipped policy."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import yaml

from govpool.cli.data import shipped
from govpool.cli.scenario_file import read_scenario
from govpool.effects.kube import Json
from govpool.messages import Language
from govpool.simulation.ground import LAST_DAY, MORNING, Calendar, Ground
from govpool.simulation.player import Player
from govpool.simulation.result import SimulationResult
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import simulate
from govpool_providers.base import PoolConnection
from tests.functional.stories.live_town import live_town


def ground(policy: str) -> Ground:
    """The examples and a policy that ships."""
    document: Json = yaml.safe_load((shipped("policies") / f"{policy}.yaml").read_text(encoding="utf-8"))
    return Ground.read(shipped("examples"), document)


def simulated(name: str, policy: str, language: Language = "en") -> SimulationResult:
    """On virtual time."""
    return simulate(read_scenario(name), ground(policy), language=language)


async def lived(scenario: Scenario, policy: str, pool: PoolConnection, home: Path) -> SimulationResult:
    """On machines, with an operator and a control plane whose clock is moved on."""
    on = ground(policy)
    in_force = on.in_force(scenario)
    calendar = Calendar.of(in_force)
    starts: datetime = calendar.moment(scenario.starts, MORNING)
    async with live_town(home, pool, starts) as town:
        ends = calendar.moment(scenario.until, LAST_DAY)
        return await Player(town, scenario, on, in_force, "en").play(ends)
