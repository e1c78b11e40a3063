"""A backup older than the loss: what happened since is found by the pool's tags; nobody acts on a guess."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydantic import JsonValue
from rich.console import Console

from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import TenantQuota
from govpool.cli.recover import show
from govpool.effects import recover
from govpool.effects.restore import RestoreError
from govpool_providers.base import Size
from tests.functional.disaster.second_plane import (
    bring_back,
    empty_plane,
    fixture_pool,
    not_before,
    one_account,
    take,
)
from tests.functional.lifecycle.world import NAMESPACE, World, world

KEPT, CHANGED, LEFT, LATER = "kept", "changed", "left", "later"


async def open_all(town: World, *names: str) -> None:
    for name in names:
        await town.apply(town.application(name))
    for name in names:
        await town.decide(by="acceptor", name=name)
        await town.decide(by="reviewer", name=name)
    for name in names:
        await town.phase("Trial", name, seconds=180)


async def enough_quota(town: World) -> None:
    quota = await town.kube.get(TenantQuota, "unit", NAMESPACE)
    (limit,) = [one for one in quota.spec.limits if one.pool == "fixture-pool"]
    hard: dict[str, JsonValue] = dict.fromkeys(limit.hard.model_dump(by_alias=True), 99)
    await town.kube.merge(quota, {"spec": {"limits": [{"pool": "fixture-pool", "hard": hard}]}})


async def servers_of(town: World, name: str) -> list[CloudServer]:
    found = await town.kube.list(CloudServer, namespace=NAMESPACE)
    return [server for server in found if server.spec.request.name == name]


async def reason(town: World, name: str) -> str:
    status = (await town.request(name)).status
    return next((c.reason for c in status.conditions if c.type == "Adopted"), "") if status else ""


async def server_reasons(town: World, name: str) -> set[str]:
    told = [s.status.conditions if s.status else [] for s in await servers_of(town, name)]
    return {c.reason for conditions in told for c in conditions if c.type == "Adopted"}


async def test_nothing_is_made_again_and_nothing_is_orphaned(tmp_path: Path, backup_file: Path) -> None:
    pool = fixture_pool(tmp_path)
    async with world(tmp_path) as town:
        await enough_quota(town)
        async with town.operator():
            await open_all(town, KEPT, CHANGED, LEFT)
            await take(town, backup_file, secrets=False)
            # Made after the backup: the control plane forgets it, the pool does not.
            await open_all(town, LATER)
            lost_uid = (await town.request(LATER)).metadata.uid
        passed = await town.now()
        grown = (await servers_of(town, CHANGED))[0].spec
        pool.drift(grown.key, size=Size(2, 2))
        for server in await servers_of(town, LEFT):
            pool.lose_machine(server.spec.key)
            for disk in server.spec.disks:
                pool.lose_disk(disk.key)
    effects, machines = len(pool.ledger()), set(pool.inventory().machines)
    async with empty_plane(tmp_path) as second:
        await not_before(second, passed)
        result = await bring_back(second, backup_file)
        assert [one for one in result.missing_secrets if "access-" in one] == []
        await one_account(second)
        async with second.operator():

            async def told() -> bool:
                found = [await reason(second, name) for name in (KEPT, CHANGED, LEFT)]
                return found == ["Adopted", "ServersDiffer", "ServersDiffer"]

            await second.until(told, "each request is told how it stands")
            assert await server_reasons(second, CHANGED) == {"AsInBackup", "Differs"}
            assert await server_reasons(second, LEFT) == {"MachineAbsent"}
            found = await recover.look(second.kube)
            assert {w.request.metadata.name for w in found.waiting} == {CHANGED, LEFT}
            assert {s.machine.owner.request_name for s in found.strangers} == {LATER}
            assert {s.machine.owner.request_uid for s in found.strangers} == {lost_uid}
            text = io.StringIO()
            show(Console(file=text, width=200), found, "en")
            assert lost_uid in text.getvalue() and "govpool recover accept" in text.getvalue()
            assert len(pool.ledger()) == effects

            # Who applies again for the lost request gets its machines back, not new ones.
            document = second.application(LATER)
            with pytest.raises(RestoreError, match="claim-unknown"):
                await recover.claim(second.kube, document, "another", now=await second.now())
            revision = await recover.claim(second.kube, document, lost_uid, now=await second.now())
            assert revision == 2
            await second.decide(by="acceptor", name=LATER)
            await second.decide(by="reviewer", name=LATER)

            async def claimed() -> bool:
                return await reason(second, LATER) == "Adopted"

            await second.until(claimed, "the claimed request is adopted")
            assert not (await recover.look(second.kube)).strangers

            # A person accepts that servers are gone: they are shown as lost, and not made again.
            await recover.accept(second.kube, await second.request(LEFT), by="zhang", at=await second.now())

            async def lost() -> bool:
                return {s.status.phase.value for s in await servers_of(second, LEFT) if s.status} == {"Error"}

            await second.until(lost, "the servers of the accepted request are shown as lost")

            # A person puts the grown machine right: the next look adopts it.
            pool.drift(grown.key, size=Size(grown.vcpu, grown.memory_gib))
            await second.advance("PT6M")

            async def right() -> bool:
                return await reason(second, CHANGED) == "Adopted"

            await second.until(right, "the changed request is adopted once it is as in the backup")
        assert set(pool.inventory().machines) == machines
        made = {entry.effect.value for entry in pool.ledger()[effects:]}
        assert not made & {"create-machine", "replace-machine", "release-machine", "wipe", "delete-disk"}
        assert pool.violations() == []
