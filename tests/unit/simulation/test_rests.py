"""A look that is left out because nothing changed would have found nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from policy_strategies import policies
from simulation_ground import ROOT, ground
from story_strategies import stories
from test_random_histories import FEW
from test_random_histories import ground as ground_of

from govpool.api.auditrecord import AuditRecord
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.effects import reconcile
from govpool.effects.echoes import Echoes
from govpool.effects.rests import Rests
from govpool.lifecycle import request as request_core
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import RequestObservation, SeenInPool
from govpool.simulation.ground import LAST_DAY, Calendar, Ground
from govpool.simulation.player import Player
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import OPENS, simulate
from govpool.simulation.virtual import VirtualTown, in_town

SHIPPED = sorted((ROOT / "scenarios").glob("*.yaml"))


class Checked(Rests):
    """Decides all the same, and compares."""

    left_out = 0

    def found(self, observation: RequestObservation) -> Decision | None:
        found = super().found(observation)
        if found is not None:
            type(self).left_out += 1
            assert request_core.decide(observation) == found
        return found


class Restless(Rests):
    """Decides every time."""

    def found(self, observation: RequestObservation) -> Decision | None:
        return None


class Asking(Echoes):
    """Asks the pool every time."""

    def seen(self, server: CloudServer, orders: Iterable[WorkOrder], now: datetime) -> SeenInPool | None:
        return None


def shipped(name: str) -> Scenario:
    document = yaml.safe_load((ROOT / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8"))
    return Scenario.model_validate(json.loads(json.dumps(document, default=str)))


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED])
def test_what_is_left_out_of_a_shipped_story_would_have_found_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "Rests", Checked)
    monkeypatch.setattr(Checked, "left_out", 0)
    simulate(shipped(name), ground("template"))
    assert Checked.left_out > 0


@FEW
@given(policies(), stories())
def test_nor_in_any_other_story(policy: CloudPolicy, scenario: Scenario) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "Rests", Checked)
        simulate(scenario, ground_of(policy))


def history(scenario: Scenario, given_: Ground) -> tuple[str, list[dict[str, Any]]]:
    """All that is told of a story, but for how many looks it took and questions to pools, and its audit
    trail.
    """
    policy = given_.in_force(scenario)
    calendar = Calendar.of(policy)

    async def play(town: VirtualTown) -> tuple[str, list[dict[str, Any]]]:
        player = Player(town, scenario, given_, policy, "en")
        result = await player.play(calendar.moment(scenario.until, LAST_DAY))
        records = [record.model_dump(mode="json") for record in await town.kube.list(AuditRecord)]
        return result.model_dump_json(exclude={"counts": {"decisions", "provider_calls"}}), records

    return in_town(calendar.moment(scenario.starts, OPENS), play)


@pytest.mark.parametrize("name", ["quota-race", "spring-festival", "zombie"])
def test_the_history_and_the_audit_trail_are_the_same_to_the_byte(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = history(shipped(name), ground("template"))
    monkeypatch.setattr(reconcile, "Rests", Restless)
    monkeypatch.setattr(reconcile, "Echoes", Asking)
    again = history(shipped(name), ground("template"))
    assert told[1] and told == again
