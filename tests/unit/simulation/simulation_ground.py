"""What tests of the simulator have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from govpool.simulation.ground import Ground
from govpool.simulation.result import RequestLine, SimulationResult
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import simulate

ROOT = Path(__file__).parents[3]


def ground(policy: str = "yiyang-2025") -> Ground:
    (manifest,) = yaml.safe_load_all((ROOT / "policies" / f"{policy}.yaml").read_text())
    return Ground.read(ROOT / "examples", json.loads(json.dumps(manifest, default=str)))


def scenario(**parts: Any) -> Scenario:
    given: dict[str, Any] = {
        "name": "test",
        "title": {"en": "A test", "zh": "测试"},
        "starts": "2026-01-05",
        "until": "2026-03-31",
        "requests": {"system": {}},
        "events": [{"do": "apply", "request": "system"}],
    }
    return Scenario.model_validate({**given, **parts})


def played(policy: str = "yiyang-2025", **parts: Any) -> SimulationResult:
    return simulate(scenario(**parts), ground(policy))


def line(result: SimulationResult) -> RequestLine:
    return result.requests[0]
