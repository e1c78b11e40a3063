"""Ansible in real Jobs: machines of a local pool beside a node whose Pods reach them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from govpool.api.baselinereport import BaselineReport
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderState
from tests.cluster.nodes import HERE, OperatorHere, given_kubeconfig, ground, watched, without_operator
from tests.cluster.world import cluster
from tests.functional.lifecycle import story
from tests.functional.lifecycle.test_local_pool import with_local_pool
from tests.functional.lifecycle.world import NAMESPACE
from tests.local_pools import local_pool

pytest.importorskip("helm_python", reason="Helm's library has no wheel for this platform")
pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1500)]


async def test_baseline_and_handover_of_real_machines_by_real_jobs(tmp_path: Path) -> None:
    """SSH with verified keys, Ansible, the lock-out: all from a Pod that may do nothing else."""
    kubeconfig = given_kubeconfig()
    found, why = ground(kubeconfig)
    if found is None:
        pytest.skip(why)
    if not os.environ.get(HERE):
        pytest.skip(
            f"no Ansible in real Jobs: set {HERE}=1 where the node's Pods reach this machine's bridges"
        )
    with local_pool("node-pool", 8) as connection:
        async with cluster(kubeconfig, tmp_path, OperatorHere, lambda: without_operator(found)) as world:
            assert isinstance(world, OperatorHere)
            world.runner = found.runner
            world.patience = 300.0
            await with_local_pool(world, tmp_path, connection)
            async with world.operator(), watched(world) as runs:
                await world.apply(world.application(pool="local-pool"))
                await world.decide(by="acceptor")
                await world.decide(by="reviewer")
                await world.phase("Trial", seconds=600)
                reports = await world.kube.list(BaselineReport, namespace=NAMESPACE)
                assert len(reports) == 2 and all(report.spec.passed for report in reports)
                assert any(control.mended for report in reports for control in report.spec.controls)
                assert all(_kept(report.spec.page) for report in reports)
                orders = await world.kube.list(WorkOrder, namespace=NAMESPACE)
                done = {o.spec.work: o.status for o in orders}
                for work in (WorkOrderKind.BASELINE, WorkOrderKind.HANDOVER):
                    status = done[work]
                    assert status and status.state is WorkOrderState.SUCCEEDED and status.attempts == 1
                assert runs.works().keys() == {"Baseline", "Handover"}
                await story.into_service(world)
                await story.deregister(world)
                (certificate,) = await world.kube.list(WipeCertificate, namespace=NAMESPACE)
                assert all(m.sanitisation and m.sanitisation.bytes_written for m in certificate.spec.media)


def _kept(page: str) -> bool:
    return Path(page).is_file()
