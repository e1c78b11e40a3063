"""A hundred takeovers in the worst moments: nothing is made twice, no former leader acts after its successor.

The pool here is worse than any real one: it looks, and then creates whatever it is told to, as often as it is
told. The clock is in the hand, so that a freeze of twenty seconds takes none.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
from election_ground import MemoryLeases, Seconds, candidate

from govpool.effects.election import Elector
from govpool.effects.fence import Fence, NotLeaderError, PoolFence
from govpool.effects.pools import Pool
from govpool_providers.base import Access, DiskWant, MachineWant, Owner, PoolConnection, Provider, Size
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.fixture import Effect, FixtureControl, FixtureProvider

TAKEOVERS = 100
POINTS = ("before the call", "between look and create", "after the create")
ENDS = ("frozen", "killed", "stopped")
FREEZE = 20.0


class KilledError(BaseException):
    """The process is gone."""


@dataclass
class Cloud:
    """What exists, and who made it under which term."""

    made: Counter[str] = field(default_factory=Counter)
    terms: list[int] = field(default_factory=list)


class CarelessProvider:
    """Looks, then creates: whatever happens between the two, it does not notice by itself."""

    def __init__(self, cloud: Cloud, fence: Fence, *, fenced: bool, gap: Callable[[str], None]) -> None:
        self._cloud, self._fence, self._fenced, self._gap = cloud, fence, fenced, gap

    def ensure(self, key: str) -> None:
        if self._cloud.made[key]:
            return
        self._gap("between look and create")
        if self._fenced:
            PoolFence(self._fence).check()
        self._cloud.made[key] += 1
        self._cloud.terms.append(self._fence.term[1])
        self._gap("after the create")


class Town:
    """Operators, one of which leads, and a cloud."""

    def __init__(self, seed: int, *, fenced: bool) -> None:
        self.leases, self.clock, self.cloud = MemoryLeases(), Seconds(), Cloud()
        self.random = random.Random(seed)
        self.fenced = fenced
        self.takeovers = 0
        self.refused = 0
        self.numbers = 0
        self.loop = asyncio.get_running_loop()

    def operator(self) -> Elector:
        self.numbers += 1
        return candidate(self.leases, self.clock, f"operator-{self.numbers}")

    async def work(self, leader: Elector, key: str, gap: Callable[[str], None]) -> None:
        """What a reconcile does: one call to the pool."""
        fence = leader.fence
        provider = CarelessProvider(self.cloud, fence, fenced=self.fenced, gap=gap)
        pool = Pool("careless", cast(Provider, provider), fence if self.fenced else None)
        await pool.call(lambda: provider.ensure(key))

    async def takeover(self, leader: Elector, key: str) -> Elector:
        """The leader is at work on the key when it is taken over; the successor does the same work."""
        point, end = self.random.choice(POINTS), self.random.choice(ENDS)
        successors: list[Elector] = []

        async def succeed() -> None:
            if end == "stopped":
                await leader.release()
            else:
                self.clock.now += FREEZE
            successor = self.operator()
            if not await successor.stand():
                # It first sees the lease now, and waits for as long as that lasts.
                self.clock.now += FREEZE
                assert await successor.stand()
            successors.append(successor)
            await self.work(successor, key, lambda _: None)

        def gap(at: str) -> None:
            """In the pool's thread: the process stands still here while the successor works."""
            if at == point and not successors:
                asyncio.run_coroutine_threadsafe(succeed(), self.loop).result(60)
                if end == "killed":
                    raise KilledError

        try:
            if point == "before the call":
                await succeed()
            if not (end == "killed" and successors):
                await self.work(leader, key, gap)
        except (NotLeaderError, ProviderError):
            self.refused += 1
        except KilledError:
            pass
        self.takeovers += 1
        return successors[0]


async def whole(*, fenced: bool) -> Town:
    town = Town(1, fenced=fenced)
    leader = town.operator()
    assert await leader.stand()
    for number in range(TAKEOVERS):
        leader = await town.takeover(leader, f"machine-{number}")
    return town


async def test_a_hundred_takeovers_make_nothing_twice() -> None:
    town = await whole(fenced=True)
    assert town.takeovers == TAKEOVERS
    assert set(town.cloud.made.values()) == {1} and len(town.cloud.made) == TAKEOVERS
    assert town.cloud.terms == sorted(town.cloud.terms), "nothing of a former term after a later one"
    assert town.refused >= TAKEOVERS // 4, "former leaders did try"


async def test_without_the_fence_the_same_hundred_make_things_twice() -> None:
    """What the test above would show if the fence were not asked."""
    town = await whole(fenced=False)
    assert max(town.cloud.made.values()) == 2


@dataclass
class Paper:
    """A fence that says yes, as that of a leader whose clock is wrong would."""

    number: int

    @property
    def term(self) -> tuple[str, int]:
        return ("lease", self.number)

    def check(self) -> None:
        """Always open."""


def test_a_pool_that_can_refuses_whom_a_later_one_followed() -> None:
    """The term goes along with every call: even an operator that is wrong about itself is stopped."""
    settings = {"looks": "0"}
    former, later = (
        FixtureProvider(PoolConnection("terms", settings, fence=Paper(number))) for number in (1, 2)
    )
    try:
        former.ensure_machine(machine("first"))
        later.ensure_machine(machine("second"))
        with pytest.raises(ProviderError, match="later term") as refused:
            former.ensure_machine(machine("third"))
        assert refused.value.code is ErrorCode.CONFLICT
        control = FixtureControl(PoolConnection("terms", settings))
        assert [entry.key for entry in control.ledger(Effect.CREATE_MACHINE)] == ["first", "second"]
        other = FixtureProvider(PoolConnection("terms", settings, fence=_Other(1)))
        other.ensure_machine(machine("fourth"))
    finally:
        former.close()


class _Other(Paper):
    """Of another Lease: a control plane that was made anew counts from one again."""

    @property
    def term(self) -> tuple[str, int]:
        return ("another", self.number)


def machine(key: str) -> MachineWant:
    return MachineWant(
        key=key,
        hostname=key,
        owner=Owner("uid", "request", "unit"),
        size=Size(1, 1),
        image="debian",
        network="private",
        disks=(DiskWant(f"{key}-root", "root", 10, root=True),),
        access=Access("govpool", "key", "host", "private"),
    )
