"""Work orders as Kubernetes Jobs: the whole life, takeovers, lost runs, and what a run may reach."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from govpool.api.baselinereport import BaselineReport
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind
from govpool.effects.jobs import carry_out
from govpool.effects.jobs.manifests import JobSettings
from govpool.effects.kube import Kube, KubeError
from govpool.effects.operator import Options
from govpool.handlers.events import run
from tests.functional.faults.endings import nothing_lost_nothing_leaked, pool_of
from tests.functional.jobs.cluster import JOBS, NAMESPACE, Cluster, cluster
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE as UNIT
from tests.functional.lifecycle.world import World, world

SETTINGS = JobSettings("govpool/runner:test")
WHOLE = "GOVPOOL_JOBS"
whole = pytest.mark.skipif(
    WHOLE not in os.environ,
    reason=f"does not pass reliably yet: set {WHOLE}=1 to run whole lives by Kubernetes Jobs",
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry_out, "POLL", 0.1)


@contextlib.asynccontextmanager
async def operator(town: World) -> AsyncIterator[None]:
    """An operator in this process that makes Jobs."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(Options(town.operators, town.state, jobs=SETTINGS), stop=stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


@contextlib.asynccontextmanager
async def town_with_jobs(tmp_path: Path) -> AsyncIterator[tuple[World, Cluster]]:
    async with (
        world(tmp_path) as town,
        cluster(town.kube, town.kubeconfig, tmp_path / "nodes") as nodes,
    ):
        town.patience = 110
        yield town, nodes


async def orders(town: World, work: WorkOrderKind) -> list[WorkOrder]:
    found = await town.kube.list(WorkOrder, namespace=UNIT)
    return [order for order in found if order.spec.work is work]


async def left_in_runs(town: World) -> list[str]:
    found = []
    for path in (
        JOBS,
        *(f"/api/v1/namespaces/{NAMESPACE}/{plural}" for plural in ("secrets", "configmaps")),
    ):
        items = cast("list[dict[str, Any]]", (await town.kube.get_path(path))["items"])
        found += [f"{path} {item['metadata']['name']}" for item in items]
    return [name for name in found if "kube-root-ca" not in name]


def kept(town: World, place: str) -> bool:
    """Whether a piece of evidence lies in the operator's own folder."""
    return Path(place).is_relative_to(town.state) and Path(place).is_file()


@whole
async def test_a_whole_life_by_jobs(tmp_path: Path) -> None:
    """Every playbook of a life runs in a Job; the evidence is the operator's own in the end."""
    async with town_with_jobs(tmp_path) as (town, nodes):
        async with operator(town):
            await story.whole(town)
            await nothing_lost_nothing_leaked(town, pool_of(tmp_path))

            async def swept() -> bool:
                return await left_in_runs(town) == []

            await town.until(swept, "Jobs, Secrets and reports are gone")
        works = {run_.job["metadata"]["labels"]["govpool.dev/work"] for run_ in nodes.runs}
        assert works == {"Baseline", "Handover", "Backup", "Wipe"}
        names = [run_.job["metadata"]["name"] for run_ in nodes.runs]
        assert len(names) == len(set(names)), "no Job ran twice"
        assert all("done" in one.log.read_text() for one in nodes.runs), [
            r.log.read_text() for r in nodes.runs
        ]
        for order in await town.kube.list(WorkOrder, namespace=UNIT):
            if order.spec.work in (WorkOrderKind.BASELINE, WorkOrderKind.HANDOVER):
                assert order.spec.executor is Executor.JOB
            for piece in order.status.evidence if order.status else ():
                assert kept(town, piece.place)
        for report in await town.kube.list(BaselineReport, namespace=UNIT):
            assert kept(town, report.spec.page)


@whole
async def test_an_operator_that_takes_over_meets_the_same_job(tmp_path: Path) -> None:
    async with town_with_jobs(tmp_path) as (town, nodes):
        nodes.hold.clear()
        async with operator(town):
            await story.apply_and_approve(town)

            async def made() -> bool:
                jobs = cast("list[dict[str, Any]]", (await town.kube.get_path(JOBS))["items"])
                return any(not job["spec"]["suspend"] for job in jobs)

            await town.until(made, "a Job is made")
        nodes.hold.set()
        async with operator(town):
            await town.phase("Trial")
        runs = [r for r in nodes.runs if r.job["metadata"]["labels"]["govpool.dev/work"] == "Baseline"]
        assert len(runs) == 1
        (order,) = await orders(town, WorkOrderKind.BASELINE)
        assert order.status and order.status.attempts == 2, "two operators waited for it, one after the other"


async def test_a_run_reads_nothing(tmp_path: Path) -> None:
    """With the token of its own account, while it runs."""
    async with town_with_jobs(tmp_path) as (town, nodes):
        nodes.hold.clear()
        async with operator(town):
            await story.apply_and_approve(town)
            found: list[dict[str, Any]] = []

            async def made() -> bool:
                jobs = cast("list[dict[str, Any]]", (await town.kube.get_path(JOBS))["items"])
                found[:] = [job for job in jobs if not job["spec"]["suspend"]]
                return bool(found)

            await town.until(made, "a Job is made")
            name = found[0]["metadata"]["name"]
            kubeconfig = await nodes._account(found[0]["spec"]["template"]["spec"], tmp_path)
            runner = await Kube.connect(kubeconfig)
            try:
                own = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}"
                await runner.merge_path(own, {"data": {"progress": "half"}})
                for attempt in (
                    runner.get_path(own),
                    runner.get_path(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"),
                    runner.get_path(JOBS),
                    runner.list(WorkOrder, namespace=UNIT),
                ):
                    with pytest.raises(KubeError) as refused:
                        await attempt
                    assert refused.value.status == 403
            finally:
                await runner.close()
            secret = await town.kube.core_get("secrets", NAMESPACE, name)
            assert secret is not None
            parcel = json.loads(gzip.decompress(base64.b64decode(secret["data"]["order.json.gz"])))  # type: ignore[index, call-overload]
            assert "poolSecret" not in parcel, "a baseline has no business with the pool"
            assert all(key.startswith("access-") for key in parcel["secrets"])
            nodes.hold.set()
            await town.phase("Trial")
