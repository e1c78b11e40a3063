"""Fixture pools in this process, called without threads, on the simulation's clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TypeVar

from govpool.api.cloudpool import CloudPool, Connection
from govpool.effects.pools import INSISTENCE, Pool, Pools, may_pass
from govpool.simulation.loop import VirtualClock, VirtualLoop
from govpool_providers.base import PoolConnection
from govpool_providers.errors import ProviderError
from govpool_providers.fixture import FixtureControl, FixtureProvider

T = TypeVar("T")
FIRST_WAIT = 0.2
"""Seconds between the first two tries of one call; doubled each time."""
_NUMBERS = itertools.count(1)


class InlinePool(Pool):
    """A pool whose provider answers at once."""

    def __init__(self, name: str, provider: FixtureProvider) -> None:
        self.name = name
        self.provider = provider
        self.calls = 0

    async def call(self, function: Callable[[], T]) -> T:
        """Run a provider call."""
        self.calls += 1
        return function()

    async def insist(self, function: Callable[[], T]) -> T:
        """Like :meth:`call`, and once more a few times when that may help; the waits are always the same."""
        for attempt in range(INSISTENCE - 1):
            try:
                return await self.call(function)
            except ProviderError as error:
                if not may_pass(error):
                    raise
            await asyncio.sleep(FIRST_WAIT * 2**attempt)
        return await self.call(function)


class SimulatedPools(Pools):
    """Every CloudPool is a fixture pool here: nothing outside is ever touched."""

    def __init__(self, loop: VirtualLoop, clock: VirtualClock) -> None:
        self._loop, self._clock = loop, clock
        self._run = next(_NUMBERS)
        self._opened: dict[str, tuple[Connection, PoolConnection, InlinePool]] = {}

    async def of(self, pool: CloudPool) -> InlinePool:
        """The pool's provider.

        Raises:
            ProviderError: Invalid when its settings are no good.
        """
        settings = pool.spec.connection
        known = self._opened.get(pool.metadata.name)
        if known is not None and known[0] == settings:
            return known[2]
        connection = self._connection(pool)
        provider = FixtureProvider(connection, clock=self._clock.epoch, sleep=self._loop.take)
        opened = InlinePool(pool.metadata.name, provider)
        self._opened[pool.metadata.name] = (settings, connection, opened)
        return opened

    def control(self, pool: CloudPool) -> FixtureControl:
        """The other side of the pool: faults and drift."""
        return FixtureControl(self._connection(pool), clock=self._clock.epoch)

    @property
    def calls(self) -> int:
        """Provider calls so far."""
        return sum(opened.calls for _, _, opened in self._opened.values())

    def close(self) -> None:
        """Forget every pool's state."""
        for _, connection, _ in self._opened.values():
            FixtureControl(connection).forget()
        self._opened.clear()

    def _connection(self, pool: CloudPool) -> PoolConnection:
        settings = {key: value for key, value in pool.spec.connection.settings.items() if key != "state"}
        # Two simulations in one process must not share what is in their pools.
        return PoolConnection(f"{pool.metadata.name}#{self._run}", settings)
