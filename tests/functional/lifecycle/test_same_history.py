"""The simulator and the operator tell the same history of the same story."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from govpool.simulation.ground import Calendar, Ground
from govpool.simulation.player import Player
from govpool.simulation.result import RequestLine, SimulationResult
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import simulate
from tests.functional.lifecycle.live import LiveTown
from tests.functional.lifecycle.world import ROOT, world


def _group(name: str, count: int, item: str, disk: str) -> dict[str, Any]:
    disks = [{"name": disk, "sizeGiB": 1}]
    return {"name": name, "count": count, "item": item, "image": "debian-12", "dataDisks": disks}


MORE = {"servers": [_group("app", 2, "ecs-1c1g", "files"), _group("db", 1, "ecs-1c2g", "data")]}
LEAVE = {"state": "Deregistered", "deregistration": {"reason": "SupersededBySuperiorPlatform"}}


def story(starts: datetime) -> Scenario:
    """Applied, returned once, approved, tried, delivered, changed, overdue, deregistered."""
    return Scenario.model_validate(
        {
            "name": "whole-life",
            "title": {"en": "A whole life", "zh": "全过程"},
            "starts": starts.date().isoformat(),
            "until": (starts + timedelta(days=200)).date().isoformat(),
            "requests": {"doc-approval": {}},
            "events": [
                {"do": "apply", "request": "doc-approval", "after": {"delay": "PT2H"}},
                {
                    "do": "edit",
                    "request": "doc-approval",
                    "id": "change",
                    "after": {"request": "doc-approval", "phase": "InService", "delay": "P20D"},
                    "patch": MORE,
                },
                {
                    "do": "edit",
                    "request": "doc-approval",
                    "after": {"event": "change", "delay": "P40D"},
                    "patch": LEAVE,
                },
            ],
            "habits": [{"stage": "Review", "after": {"workingDays": 12}}],
            "expect": [{"phase": "Deregistered"}],
        }
    )


def told(result: SimulationResult, calendar: Calendar) -> list[tuple[str, ...]]:
    """Who, what, under which clause, under which key, on which day; names without what tells UIDs apart."""

    def known(key: str) -> str:
        """A live clock runs on between two steps: times in keys count by their day, like all others."""
        key = re.sub(r"-[0-9a-f]{6}(?=/|$)", "", key)
        return re.sub(r"\d{4}-\d\d-\d\dT[^/]+", lambda at: calendar.day(datetime.fromisoformat(at[0])), key)

    line: RequestLine = result.requests[0]
    return [(h.actor, h.what, h.article, known(h.key), calendar.day(h.at)) for h in line.history]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["yiyang-2025"])
async def test_simulation_and_operator_tell_the_same(tmp_path: Path, policy: str) -> None:
    (manifest,) = yaml.safe_load_all((ROOT / "policies" / f"{policy}.yaml").read_text())
    ground = Ground.read(ROOT / "examples", json.loads(json.dumps(manifest, default=str)))
    async with world(tmp_path) as people, people.operator():
        starts = await people.now() + timedelta(days=3)
        scenario = story(starts)
        in_force = ground.in_force(scenario)
        live = LiveTown(people, await people.now())
        lived = await Player(live, scenario, ground, in_force, "en").play()
    calendar = Calendar.of(in_force)
    played = simulate_apart(scenario, ground)
    assert told(played, calendar) == told(lived, calendar)
    assert [span.phase for span in played.requests[0].phases][-1] == "Deregistered"
    assert played.requests[0].billing and lived.requests[0].billing
    days = [(calendar.day(b.since), calendar.day(b.until or b.since)) for b in _billing(played, lived)]
    assert days[0] == days[1]
    assert played.met and lived.met
    assert {clock.stage for clock in _overdue(played)} == {clock.stage for clock in _overdue(lived)}


def simulate_apart(scenario: Scenario, ground: Ground) -> SimulationResult:
    """In a thread: the simulator has an event loop of its own."""
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        return threads.submit(simulate, scenario, ground).result()


def _billing(*results: SimulationResult) -> list[Any]:
    return [result.requests[0].billing for result in results]


def _overdue(result: SimulationResult) -> list[Any]:
    return [clock for clock in result.requests[0].clocks if clock.overdue_since is not None]
