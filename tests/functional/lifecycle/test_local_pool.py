"""The main job on real machines: systemd-nspawn, SSH, Ansible, restic, loop devices. Needs root."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudserver import CloudServer
from govpool.api.wipecertificate import WipeCertificate
from govpool_providers.base import PoolConnection
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, World, world
from tests.local_pools import local_pool


async def with_local_pool(town: World, tmp_path: Path, connection: PoolConnection) -> None:
    """Point the shipped local pool at a state folder and network of this test's own."""
    pool = await town.kube.get_path("/apis/govpool.dev/v1alpha1/cloudpools/local-pool")
    pool["spec"]["connection"]["settings"] = dict(connection.settings)  # type: ignore[index,call-overload]
    pool["spec"]["backup"]["location"] = str(tmp_path / "restic")  # type: ignore[index,call-overload]
    pool["metadata"] = {"name": "local-pool"}
    await town.apply(pool)
    password = base64.b64encode(b"only for this test").decode()
    await town.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "local-pool-backup", "namespace": "govpool-system"},
            "data": {"password": password},
        }
    )


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_from_application_to_certificate_on_real_machines(tmp_path: Path) -> None:
    with local_pool("local-pool", 6) as connection:
        async with world(tmp_path) as town:
            await with_local_pool(town, tmp_path, connection)
            async with town.operator():
                await town.apply(town.application(pool="local-pool"))
                await town.decide(by="acceptor")
                await town.decide(by="reviewer")
                await town.phase("Trial", seconds=180)
                reports = await town.kube.list(BaselineReport, namespace=NAMESPACE)
                assert len(reports) == 2
                assert all(report.spec.passed for report in reports)
                assert any(control.mended for report in reports for control in report.spec.controls)
                await story.into_service(town)
                await story.change(town)
                servers = await town.kube.list(CloudServer, namespace=NAMESPACE)
                assert sorted((s.status.memory_gib, s.status.phase.value) for s in servers if s.status) == [
                    (1, "HandedOver"),
                    (1, "HandedOver"),
                    (2, "HandedOver"),
                ]
                await story.deregister(town)
                (certificate,) = await town.kube.list(WipeCertificate, namespace=NAMESPACE)
                assert len(certificate.spec.media) == 6
                assert all(m.sanitisation and m.sanitisation.bytes_written for m in certificate.spec.media)
                system = "/api/v1/namespaces/govpool-system/secrets"
                names = {s["metadata"]["name"] for s in (await town.kube.get_path(system))["items"]}  # type: ignore[index,union-attr,call-overload]
                assert names == {"local-pool-backup", "certificate-signing-key"}
