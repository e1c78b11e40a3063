"""The API server answers 409, 429, 500, drops connections and cuts watches."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from govpool.api.cloudpool import CloudPool
from govpool.effects.kube import Kube
from govpool.standalone.faults import Fault, FaultKind, FaultRequest
from tests.functional.faults.endings import nothing_lost_nothing_leaked, pool_of
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import world

OPERATOR = "operator"


class Weather:
    """Seeded faults for the operator's requests; people have none."""

    def __init__(self, seed: int, share: float) -> None:
        self._random, self._share = random.Random(seed), share
        self.calm = False
        self.struck: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()

    def __call__(self, request: FaultRequest) -> Fault | None:
        if request.user != OPERATOR or self.calm:
            return None
        self.requests[request.method] += 1
        if self._random.random() >= self._share:
            return None
        choices = self._choices(request.method)
        # Every fault comes before one comes again: a short story must not miss one by bad luck.
        rarest = min(self.struck[_name(request, fault)] for fault in choices)
        fault = self._random.choice([f for f in choices if self.struck[_name(request, f)] == rarest])
        self.struck[_name(request, fault)] += 1
        return fault

    def _choices(self, method: str) -> list[Fault]:
        both = [
            Fault(FaultKind.STATUS, 429, retry_after=1),
            Fault(FaultKind.STATUS, 500),
            Fault(FaultKind.STATUS, 503, retry_after=1),
            Fault(FaultKind.DROP_BEFORE),
            Fault(FaultKind.CUT_WATCHES),
        ]
        if method == "GET":
            return [*both, Fault(FaultKind.COMPACT)]
        return [
            *both,
            Fault(FaultKind.STATUS, 409),
            Fault(FaultKind.DROP_AFTER),
        ]


def _name(request: FaultRequest, fault: Fault) -> str:
    what = str(fault.status) if fault.kind is FaultKind.STATUS else fault.kind.name
    return f"{'read' if request.method == 'GET' else 'write'} {what}"


@pytest.mark.parametrize("seed", [1])
async def test_whole_story_in_bad_weather(tmp_path: Path, seed: int) -> None:
    weather, pool = Weather(seed, 0.12), pool_of(tmp_path)
    async with world(tmp_path, faults=weather) as town:
        town.patience, town.hurry = 110, "PT2S"
        async with town.operator():
            await story.whole(town)
            weather.calm = True
            await nothing_lost_nothing_leaked(town, pool)
    wanted = {
        f"write {name}" for name in ("409", "429", "500", "503", "DROP_BEFORE", "DROP_AFTER", "CUT_WATCHES")
    }
    assert wanted | {"read 500", "read DROP_BEFORE"} <= set(weather.struck), weather.struck


async def test_operator_begins_while_the_server_is_ill(tmp_path: Path) -> None:
    """Nothing is decided before everything was listed; the operator waits, and begins."""
    weather = Weather(1, 1.0)
    async with world(tmp_path, faults=weather) as town:
        await town.apply(town.application())
        async with town.operator():
            await town.until(lambda: _asked(weather, 12), "the operator asks and asks")
            assert (await town.request()).status is None
            weather.calm = True
            await town.phase("InReview")


async def _asked(weather: Weather, times: int) -> bool:
    return weather.requests.total() >= times


async def test_patience_as_long_as_the_server_asks_for(tmp_path: Path) -> None:
    """Retry-After of a 429 is kept to, where the own back-off would be shorter."""
    asked: list[float] = []

    def once_too_many(request: FaultRequest) -> Fault | None:
        if request.resource != "cloudpools" or request.user != OPERATOR:
            return None
        asked.append(time.monotonic())
        return Fault(FaultKind.STATUS, 429, retry_after=2) if len(asked) == 1 else None

    async with world(tmp_path, faults=once_too_many) as town:
        kube = await Kube.connect(town.operators)
        try:
            pool = await kube.get(CloudPool, "fixture-pool")
        finally:
            await kube.close()
    assert pool.metadata.name == "fixture-pool"
    assert len(asked) == 2 and asked[1] - asked[0] >= 2.0
