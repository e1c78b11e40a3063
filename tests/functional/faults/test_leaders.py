"""Two and three operators at once, as real processes, on one control plane: exactly one acts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from govpool.api.cloudpool import CloudPool
from govpool.effects import secrets
from govpool.lifecycle.sharding import shard_of
from govpool.standalone.faults import Fault, FaultRequest
from govpool_providers.fixture import Effect
from tests.functional.faults.endings import pool_of
from tests.functional.faults.nursery import Nursery, Process
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, World, world

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{secrets.NAMESPACE}/leases/govpool-operator"
MUTATING = ("POST", "PUT", "PATCH", "DELETE")
LONG, SHORT = 600.0, 6.0
"""Seconds of a lease: one that nobody here waits for, and one that is waited for."""


@dataclass
class Ears:
    """Hears every request that reaches the control plane."""

    heard: list[FaultRequest] = field(default_factory=list)

    def __call__(self, request: FaultRequest) -> Fault | None:
        if request.user.startswith("op-"):
            self.heard.append(request)
        return None

    def writers(self) -> set[str]:
        """Who wrote anything but a Lease."""
        return {r.user for r in self.heard if r.method in MUTATING and r.resource != "leases"}

    def writes_of(self, name: str) -> list[str]:
        return [
            f"{r.method} {r.path}"
            for r in self.heard
            if r.user == name and r.method in MUTATING and r.resource != "leases"
        ]

    def followers_of_streams(self) -> set[str]:
        return {r.user for r in self.heard if r.verb == "watch"}


@dataclass
class Replicas:
    """Operators of one town, each a user of its own, in processes of their own; who ends is begun anew, as a
    cluster does.
    """

    town: World
    nursery: Nursery
    lease: float
    processes: dict[int, Process] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def one(self) -> None:
        """Keep one replica running, until cancelled."""
        while True:
            name = f"op-{next(self.numbers)}"
            process = await self.nursery.begin(self.town, lease=self.lease, name=name)
            self.processes[process.pid], self.names[process.pid] = process, name
            await process.ended()

    async def leader(self, *, but: Process | None = None) -> Process:
        """Who leads, once somebody does who is alive."""
        found: list[Process] = []

        async def leads() -> bool:
            holder = await self._holder()
            process = self.processes.get(int(holder.split("/")[1])) if holder else None
            if process is not None and process.alive and process is not but:
                found.append(process)
            return bool(found)

        await self.town.until(leads, "somebody else leads" if but else "somebody leads", 60)
        return found[-1]

    async def _holder(self) -> str:
        document = await self.town.kube.get_path(LEASE)
        return str(cast("dict[str, Any]", document["spec"]).get("holderIdentity") or "")

    def name(self, process: Process) -> str:
        return self.names[process.pid]


@contextlib.asynccontextmanager
async def replicas(
    tmp_path: Path, nursery: Nursery, number: int, lease: float
) -> AsyncIterator[tuple[World, Replicas, Ears]]:
    ears = Ears()
    async with world(tmp_path, faults=ears) as town:
        town.patience = 110
        made = Replicas(town, nursery, lease)
        async with asyncio.TaskGroup() as keepers:
            kept = [keepers.create_task(made.one()) for _ in range(number)]
            try:
                yield town, made, ears
            finally:
                for keeper in kept:
                    keeper.cancel()
                for process in made.processes.values():
                    await process.kill()


async def test_of_three_one_acts_and_sigterm_hands_over(tmp_path: Path, operators: Nursery) -> None:
    """The lease lasts for ten minutes: nobody leads after SIGTERM unless it was given up."""
    async with replicas(tmp_path, operators, 3, LONG) as (town, made, ears):
        first = await made.leader()
        await story.apply_and_approve(town)
        await town.phase("Trial")
        assert ears.writers() == {made.name(first)}
        assert ears.followers_of_streams() == {made.name(first)}, "a follower follows no stream"
        first.signal(signal.SIGTERM)
        second = await made.leader(but=first)
        await first.ended()
        ears.heard.clear()
        await story.into_service(town)
        assert ears.writers() == {made.name(second)}
        assert set(Counter(e.key for e in pool_of(tmp_path).ledger(Effect.CREATE_MACHINE)).values()) == {1}


async def test_a_killed_leader_is_followed_at_once_where_its_death_is_known(
    tmp_path: Path, operators: Nursery
) -> None:
    async with replicas(tmp_path, operators, 2, LONG) as (town, made, _):
        first = await made.leader()
        await first.kill()
        await made.leader(but=first)
        await story.apply_and_approve(town)
        await town.phase("Trial")


async def test_a_frozen_leader_that_wakes_up_does_nothing(tmp_path: Path, operators: Nursery) -> None:
    """It is frozen while it works, somebody else does the work, and it wakes with all its plans."""
    async with replicas(tmp_path, operators, 2, SHORT) as (town, made, ears):
        await story.apply_and_approve(town)
        first = await made.leader()
        first.signal(signal.SIGSTOP)
        await made.leader(but=first)
        await town.phase("Trial")
        ears.heard.clear()
        first.signal(signal.SIGCONT)
        await first.ended()
        await story.into_service(town)
        assert ears.writes_of(made.name(first)) == []
        assert pool_of(tmp_path).violations() == []


async def test_shards_act_each_in_its_own_namespaces(tmp_path: Path, operators: Nursery) -> None:
    """Both lead, each of its shard: the unit's namespace has one writer, the pools have the first one."""
    ears = Ears()
    async with world(tmp_path, faults=ears) as town:
        town.patience = 110
        for index in range(2):
            await operators.begin(town, lease=LONG, shard=f"{index}/2", name=f"op-{index}")
        await story.apply_and_approve(town)
        await town.phase("Trial")
        written = {(r.user, r.resource, r.namespace) for r in ears.heard if r.method in MUTATING}
        keeper = f"op-{shard_of(NAMESPACE, 2)}"
        assert {user for user, _, namespace in written if namespace == NAMESPACE} == {keeper}
        assert {user for user, resource, _ in written if resource == "cloudpools"} == {"op-0"}
        leases = cast("list[dict[str, Any]]", (await town.kube.get_path(LEASE.rpartition("/")[0]))["items"])
        assert {item["metadata"]["name"] for item in leases} == {
            "govpool-operator-0-of-2",
            "govpool-operator-1-of-2",
        }
        await town.advance("PT2M")

        async def counted() -> bool:
            status = (await town.kube.get(CloudPool, "fixture-pool")).status
            return bool(status and status.allocated and status.allocated.servers == 2)

        await town.until(counted, "the pool's keeper counts the servers of every shard")
        pool = await town.kube.get(CloudPool, "fixture-pool")
        assert pool.status and pool.status.unknown_machines == []
