"""On a cluster with a node: the chart's own operator, and its work orders as real Jobs in real Pods."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState
from tests.cluster.nodes import (
    STATE,
    NodeWorld,
    OperatorHere,
    given_kubeconfig,
    ground,
    shared_folder,
    watched,
    whole_chart,
    without_operator,
)
from tests.cluster.world import RUNS, SYSTEM, cluster, kubectl
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE

pytest.importorskip("helm_python", reason="Helm's library has no wheel for this platform")
pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1200)]
JOBS = {"Baseline", "Handover", "Backup", "Wipe"}


async def test_a_whole_life_by_real_jobs_of_the_chart_s_operator(tmp_path: Path) -> None:
    """Helm's Deployment, its account and its volumes; every playbook of a life in a Pod of its own."""
    kubeconfig = given_kubeconfig()
    found, why = ground(kubeconfig)
    if found is None:
        pytest.skip(why)
    with shared_folder(kubeconfig, found) as folder:
        async with (
            cluster(kubeconfig, tmp_path, NodeWorld, lambda: whole_chart(found, folder)) as world,
            watched(world) as runs,
        ):
            assert isinstance(world, NodeWorld)
            rollout = ("rollout", "status", "deployment/govpool", "--timeout=180s")
            await asyncio.to_thread(kubectl, world.kubeconfig, "-n", SYSTEM, *rollout)
            await story.whole(world)
            (certificate,) = await world.kube.list(WipeCertificate, namespace=NAMESPACE)
            assert len(certificate.spec.media) == 6
            await world.until(lambda: _swept(world), "Jobs, Secrets and reports are gone")
            _ran_on(found.node, runs.works())
            await _evidence_came_back(world)


async def test_a_run_that_can_t_begin_is_told_and_a_deleted_job_is_tried_again(tmp_path: Path) -> None:
    """By the next operator, which meets the Job of the one before: its image is nowhere."""
    kubeconfig = given_kubeconfig()
    found, why = ground(kubeconfig)
    if found is None:
        pytest.skip(why)
    async with (
        cluster(kubeconfig, tmp_path, OperatorHere, lambda: without_operator(found)) as world,
        watched(world) as runs,
    ):
        assert isinstance(world, OperatorHere)
        world.runner = "govpool.invalid/no-such-runner:0"
        async with world.operator():
            await story.apply_and_approve(world)
            await world.until(lambda: _says(world, "can't begin"), "tells of the image", 180)
        world.runner = found.runner
        async with world.operator():
            await world.until(lambda: _says(world, "can't begin"), "waits for the same Job", 180)
            jobs: Any = await world.kubes["admin"].get_path(f"/apis/batch/v1/namespaces/{RUNS}/jobs")
            (name,) = [job["metadata"]["name"] for job in jobs["items"]]
            await asyncio.to_thread(kubectl, kubeconfig, "-n", RUNS, "delete", "job", name)
            await world.phase("Trial", seconds=300)
        pods = runs.works()["Baseline"]
        images = [pod["spec"]["containers"][0]["image"] for pod in pods]
        assert sorted(images) == sorted(["govpool.invalid/no-such-runner:0", found.runner])


async def _says(world: OperatorHere, text: str) -> bool:
    orders = await world.kube.list(WorkOrder, namespace=NAMESPACE)
    return any(order.status and text in order.status.progress for order in orders)


async def _swept(world: NodeWorld) -> bool:
    runs = f"/api/v1/namespaces/{RUNS}"
    plurals = [f"{runs}/{plural}" for plural in ("pods", "secrets", "configmaps", "serviceaccounts")]
    mine = {"labelSelector": "app.kubernetes.io/managed-by=govpool"}
    for path in (f"/apis/batch/v1/namespaces/{RUNS}/jobs", *plurals):
        listed: Any = await world.kubes["admin"].get_path(path, mine)
        if listed["items"]:
            return False
    return True


def _ran_on(node: str, works: dict[str, list[dict[str, Any]]]) -> None:
    assert works.keys() == JOBS
    for pods in works.values():
        for pod in pods:
            assert pod["spec"]["nodeName"] == node
            (status,) = pod["status"]["containerStatuses"]
            assert status["imageID"] and not status["restartCount"]
            ended = status["state"].get("terminated")
            assert ended is None or ended["exitCode"] == 0, ended


async def _evidence_came_back(world: NodeWorld) -> None:
    """Each file that a run made lies on the operator's volume, and is what its hash says."""
    orders = await world.kube.list(WorkOrder, namespace=NAMESPACE)
    pieces = []
    for order in orders:
        if order.spec.work in (WorkOrderKind.BASELINE, WorkOrderKind.HANDOVER):
            assert order.spec.executor is Executor.JOB
        if order.spec.work.value in JOBS:
            assert order.status and order.status.state is WorkOrderState.SUCCEEDED
            assert order.status.attempts == 1, "nothing had to be tried again"
            pieces += [piece for piece in order.status.evidence if piece.place.startswith(f"{STATE}/")]
    assert pieces
    told = await asyncio.to_thread(world.exec, "sha256sum", *(piece.place for piece in pieces))
    assert {tuple(reversed(line.split())) for line in told.splitlines()} == {
        (piece.place, piece.sha256) for piece in pieces
    }
