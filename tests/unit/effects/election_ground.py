"""What the tests of the election stand on: leases in memory, and a clock of seconds held in the hand."""

from __future__ import annotations

from dataclasses import replace

from govpool.effects.election import Elector
from govpool.effects.kube import KubeError
from govpool.lifecycle.leadership import LeaseRecord, Timing
from govpool.lifecycle.sharding import WHOLE, Shard

TIMING = Timing()


class Seconds:
    """A clock of seconds that only moves when it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryLeases:
    """Leases as an API server keeps them. ``lose`` answers are lost after the write took place."""

    def __init__(self) -> None:
        self.kept: dict[str, LeaseRecord] = {}
        self.shards: dict[str, int] = {}
        self.versions = 0
        self.lose = 0
        self.down = False

    async def read(self, name: str) -> LeaseRecord | None:
        self._reached()
        return self.kept.get(name)

    async def write(self, name: str, record: LeaseRecord) -> LeaseRecord:
        self._reached()
        known = self.kept.get(name)
        if not record.version and known is not None:
            raise KubeError(409, "AlreadyExists", name)
        if known is None and record.version:
            raise KubeError(404, "NotFound", name)
        if known is not None and known.version != record.version:
            raise KubeError(409, "Conflict", name)
        self.versions += 1
        stored = replace(record, uid=record.uid or f"uid-{name}", version=str(self.versions))
        self.kept[name] = stored
        if self.lose:
            self.lose -= 1
            raise KubeError(0, "NoAnswer", "the answer was lost")
        return stored

    async def rivals(self, shards: int) -> dict[str, LeaseRecord]:
        self._reached()
        return {name: record for name, record in self.kept.items() if self.shards.get(name, 1) != shards}

    def _reached(self) -> None:
        if self.down:
            raise KubeError(0, "NoAnswer", "the API server is away")


def candidate(
    leases: MemoryLeases, clock: Seconds, name: str = "one", shard: Shard = WHOLE, dead: tuple[str, ...] = ()
) -> Elector:
    """A candidate of that name."""
    leases.shards[shard.lease_name] = shard.count
    return Elector(leases, TIMING, shard, me=name, clock=clock, gone=lambda holder: holder in dead)
