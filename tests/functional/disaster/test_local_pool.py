"""The control plane is lost, the machines are real: they are adopted as they run. Needs root."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest

from govpool.api.cloudserver import CloudServer
from govpool.api.wipecertificate import WipeCertificate
from govpool.effects import recover
from govpool_providers.base import PoolConnection
from govpool_providers.local import LocalProvider
from govpool_providers.local.nspawn import supervisors
from tests.functional.disaster.second_plane import bring_back, empty_plane, not_before, one_account, take
from tests.functional.lifecycle import story
from tests.functional.lifecycle.test_local_pool import with_local_pool
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, World, world
from tests.local_pools import local_pool

LATER = "later"


def small(town: World, name: str = REQUEST) -> dict[str, Any]:
    """An application for one machine with one data disk."""
    document = town.application(name, pool="local-pool")
    document["spec"]["servers"] = document["spec"]["servers"][:1]
    return document


class Seen:
    """Everything in the pool, and the processes that are its machines."""

    def __init__(self, connection: PoolConnection) -> None:
        provider = LocalProvider(connection)
        self.machines = {machine.key: machine for machine in provider.list_machines()}
        self.disks = {disk.key: disk for disk in provider.list_all_disks()}
        running = supervisors()
        self.processes = {
            machine.key: (
                running[machine.provider_id],
                psutil.Process(running[machine.provider_id]).create_time(),
            )
            for machine in self.machines.values()
        }


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_real_machines_are_adopted_as_they_run(tmp_path: Path, backup_file: Path) -> None:
    with local_pool("local-pool", 8) as connection:
        async with world(tmp_path) as town:
            town.patience = 180
            await with_local_pool(town, tmp_path, connection)
            async with town.operator():
                await town.apply(small(town))
                await town.decide(by="acceptor")
                await town.decide(by="reviewer")
                await town.phase("Trial")
                (known,) = Seen(connection).machines
                await take(town, backup_file)
                # Made after the backup, and still being opened when all is lost.
                await town.apply(small(town, LATER))
                await town.decide(by="acceptor", name=LATER)
                await town.decide(by="reviewer", name=LATER)

                async def opened() -> bool:
                    found = await town.kube.list(CloudServer, namespace=NAMESPACE)
                    return sum(bool(one.status and one.status.addresses) for one in found) == 2

                await town.until(opened, "the machine that the backup does not know is there")
            later = (await town.request(LATER)).metadata.uid
            passed = await town.now()
        shutil.rmtree(tmp_path / "plane")
        before = Seen(connection)
        assert len(before.machines) == 2

        async with empty_plane(tmp_path) as second:
            second.patience = 180
            await not_before(second, passed)
            result = await bring_back(second, backup_file)
            assert result.missing_secrets == []
            await one_account(second)
            async with second.operator():

                async def adopted() -> bool:
                    status = (await second.request()).status
                    return bool(status and status.origin and status.origin.adopted)

                await second.until(adopted, "the request is adopted")

                async def told() -> bool:
                    return bool((await recover.look(second.kube)).strangers)

                await second.until(told, "the machine that the backup does not know is told")
                found = await recover.look(second.kube)
                assert found.waiting == ()
                assert {one.machine.owner.request_uid for one in found.strangers} == {later}
                assert vars(Seen(connection)) == vars(before), "nothing was made anew, changed or taken away"

                # Its life goes on to its end; what nobody claimed stays.
                await story.into_service(second)
                await story.deregister(second)
                (certificate,) = await second.kube.list(WipeCertificate, namespace=NAMESPACE)
                assert len(certificate.spec.media) == 2
            after = Seen(connection)
            assert set(after.machines) == set(before.machines) - {known}
            assert {disk.machine_key for disk in after.disks.values()} == set(after.machines)
            assert after.processes.items() <= before.processes.items()
