"""The main job on the fixture pool, with the operator in this process."""

from __future__ import annotations

from pathlib import Path

from govpool.api.cloudserver import CloudServer
from govpool.api.wipecertificate import WipeCertificate
from govpool_providers.base import PoolConnection
from govpool_providers.fixture import FixtureControl
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, world


async def test_from_application_to_certificate(tmp_path: Path) -> None:
    async with world(tmp_path) as town, town.operator():
        await story.apply_and_approve(town)
        await story.into_service(town)
        request = await town.request()
        assert request.status and request.status.billing.started
        await story.change(town)
        servers = await town.kube.list(CloudServer, namespace=NAMESPACE)
        assert sorted((s.spec.group, s.spec.memory_gib) for s in servers) == [
            ("app", 1),
            ("app", 1),
            ("db", 2),
        ]
        await story.deregister(town)
        (certificate,) = await town.kube.list(WipeCertificate, namespace=NAMESPACE)
        assert len(certificate.spec.media) == 6
        status = (await town.request()).status
        assert status is not None
        told = {stage.stage.value: stage.message for stage in status.stages}
        assert told["Wipe"] == "6 disks were overwritten and read back."
        assert "confirmed the backup" in told["Backup"]
        happened = [happening.what for happening in status.history]
        assert [happened.count(what) for what in ("Trial", "Confirmation", "Provision")] == [1, 1, 2]
    pool = FixtureControl(PoolConnection("fixture-pool", {"state": str(tmp_path / "pool.sqlite")}))
    assert pool.violations() == []
    assert not pool.inventory()
