"""Two operators on one control plane, and two requests for the last unit of a quota."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from govpool.api.cloudresourcerequest import CloudResourceRequest, RequestPhase
from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import TenantQuota
from govpool.effects.kube import KubeError
from govpool_providers.fixture import Effect
from tests.functional.faults.endings import nothing_left, nothing_lost_nothing_leaked, pool_of
from tests.functional.faults.nursery import Nursery
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, World, world

FIRST, SECOND = "doc-approval", "archive"


async def test_two_operators_do_nothing_twice(tmp_path: Path, operators: Nursery) -> None:
    """Nothing elects a leader: versions, deterministic names and leases of runs must do."""
    async with world(tmp_path) as town:
        town.patience = 110
        for _ in range(2):
            await operators.begin(town)
        await story.whole(town)
        await nothing_lost_nothing_leaked(town, pool_of(tmp_path))


async def limit_servers(town: World, servers: int) -> None:
    """Lower the unit's envelope."""
    while True:
        quota = await town.kube.get(TenantQuota, "unit", NAMESPACE)
        limits = [limit.model_dump(mode="json", by_alias=True) for limit in quota.spec.limits]
        for limit in limits:
            limit["hard"]["servers"] = servers
        try:
            await town.kube.merge(quota, {"spec": {"limits": limits}})
            return
        except KubeError as error:
            if not error.conflict:
                raise


async def servers_by_request(town: World) -> dict[str, int]:
    found = await town.kube.list(CloudServer, namespace=NAMESPACE)
    counts = {FIRST: 0, SECOND: 0}
    for server in found:
        counts[server.spec.request.name] += 1
    return counts


@pytest.mark.parametrize("processes", [1, 2])
async def test_two_requests_race_for_the_last_unit(
    tmp_path: Path, operators: Nursery, processes: int
) -> None:
    """Both are approved and only one fits: it gets all, the other nothing until the first gives back."""
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town:
        town.patience = 110
        for _ in range(processes):
            await operators.begin(town)
        for name in (FIRST, SECOND):
            await town.apply(town.application(name))
            await town.decide(by="acceptor", name=name)
        # Each fits by itself, both together do not.
        await limit_servers(town, 3)
        await asyncio.gather(*(town.decide(by="reviewer", name=name) for name in (FIRST, SECOND)))
        winner = await one_has_it(town)
        loser = SECOND if winner == FIRST else FIRST
        await town.phase("Trial", winner)
        refused = await town.request(loser)
        assert waits_for_quota(refused), refused.status
        assert (await servers_by_request(town))[loser] == 0
        quota = await town.kube.get(TenantQuota, "unit", NAMESPACE)
        assert quota.status and [r.request for r in quota.status.reservations] == [winner]
        assert len(pool.ledger(Effect.CREATE_MACHINE)) == 2
        town.hurry = "PT1S" if processes == 1 else ""
        await story.into_service(town, winner)
        await story.deregister(town, winner)
        await town.phase("Trial", loser)
        await story.into_service(town, loser)
        await story.deregister(town, loser)
        assert pool.violations() == []
        await nothing_left(town, pool)


def waits_for_quota(request: CloudResourceRequest) -> bool:
    stages = request.status.stages if request.status else []
    return bool(stages) and stages[-1].stage.value == "Quota" and stages[-1].state.value == "Waiting"


async def one_has_it(town: World) -> str:
    """The request that got beyond the quota."""
    found: list[str] = []

    async def beyond() -> bool:
        requests = [await town.request(name) for name in (FIRST, SECOND)]
        found[:] = [
            r.metadata.name
            for r in requests
            if r.status and r.status.phase is RequestPhase.OPENING and not waits_for_quota(r)
        ]
        return any(waits_for_quota(r) for r in requests) and len(found) == 1

    await town.until(beyond, "one request opens and the other waits for quota")
    return found[0]
