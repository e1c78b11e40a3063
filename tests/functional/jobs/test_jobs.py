"""Work orders as Kubernetes Jobs: the whole life, takeovers, lost runs, and what a run may reach."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import os
import signal
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest

from govpool.api.baselinereport import BaselineReport
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState
from govpool.effects.jobs import carry_out, manifests
from govpool.effects.jobs.manifests import JobSettings
from govpool.effects.kube import Kube, KubeError
from govpool.effects.operator import Options
from govpool.handlers.events import run
from govpool.standalone.faults import FaultHook, FaultRequest
from tests.chart.charts import objects
from tests.chart.rbac import grants
from tests.functional.faults.endings import nothing_lost_nothing_leaked, pool_of
from tests.functional.jobs.cluster import JOBS, NAMESPACE, PODS, Cluster, Run, cluster
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE as UNIT
from tests.functional.lifecycle.world import World, world

SETTINGS = JobSettings("govpool/runner:test")


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
async def town_with_jobs(
    tmp_path: Path, faults: FaultHook = lambda _: None
) -> AsyncIterator[tuple[World, Cluster]]:
    async with (
        world(tmp_path, faults=faults) as town,
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
        PODS,
        *(f"/api/v1/namespaces/{NAMESPACE}/{plural}" for plural in ("secrets", "configmaps")),
    ):
        items = cast("list[dict[str, Any]]", (await town.kube.get_path(path))["items"])
        found += [f"{path} {item['metadata']['name']}" for item in items]
    return [name for name in found if "kube-root-ca" not in name]


async def swept(town: World) -> bool:
    return await left_in_runs(town) == []


async def begun(town: World, nodes: Cluster, number: int) -> Run:
    """The run of this number, from 1, once its process is there."""

    async def there() -> bool:
        return len(nodes.runs) >= number

    await town.until(there, f"run {number} is begun")
    return nodes.runs[number - 1]


def name_of(run_: Run) -> str:
    return str(run_.job["metadata"]["name"])


def work_of(run_: Run) -> str:
    return str(run_.job["metadata"]["labels"]["govpool.dev/work"])


def kept(town: World, place: str) -> bool:
    """Whether a piece of evidence lies in the operator's own folder."""
    return Path(place).is_relative_to(town.state) and Path(place).is_file()


async def test_a_whole_life_by_jobs(tmp_path: Path) -> None:
    """Every playbook of a life runs in a Job; the evidence is the operator's own in the end."""
    async with town_with_jobs(tmp_path) as (town, nodes):
        async with operator(town):
            await story.whole(town)
            await nothing_lost_nothing_leaked(town, pool_of(tmp_path))

            await town.until(lambda: swept(town), "Jobs, Secrets and reports are gone")
        works = {work_of(run_) for run_ in nodes.runs}
        assert works == {"Baseline", "Handover", "Backup", "Wipe"}
        names = [name_of(run_) for run_ in nodes.runs]
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


async def test_a_run_reads_nothing_and_an_operator_that_takes_over_meets_it(tmp_path: Path) -> None:
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
            await reads_nothing(town, nodes, found[0], tmp_path)
        nodes.hold.set()
        async with operator(town):
            await town.phase("Trial")
        runs = [run_ for run_ in nodes.runs if work_of(run_) == "Baseline"]
        assert [name_of(run_) for run_ in runs] == [found[0]["metadata"]["name"]]
        (order,) = await orders(town, WorkOrderKind.BASELINE)
        assert order.status and order.status.attempts == 2, "two operators waited for it, one after the other"


async def reads_nothing(town: World, nodes: Cluster, job: dict[str, Any], place: Path) -> None:
    """With the token of its own account, while it may run."""
    name = job["metadata"]["name"]
    kubeconfig = await nodes._account(job["spec"]["template"]["spec"], place)
    runner = await Kube.connect(kubeconfig)
    try:
        own = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}"
        await runner.merge_path(own, {"data": {"progress": "half"}})
        for attempt in (
            runner.get_path(own),
            runner.get_path(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"),
            runner.get_path(JOBS),
            runner.get_path(PODS),
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


async def test_an_order_whose_job_is_lost_is_tried_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted by somebody, killed on its node, past its deadline: each time another Job after its end."""
    rights: set[tuple[str, str, str]] = set()

    def note(request: FaultRequest) -> None:
        if request.namespace == NAMESPACE and request.user == "operator":
            rights.add((request.verb, request.group, request.resource))

    async with town_with_jobs(tmp_path, note) as (town, nodes), operator(town):
        town.hurry = "PT1S"
        nodes.grace.clear()
        monkeypatch.setitem(manifests.DEADLINES, WorkOrderKind.BASELINE, 3600)
        await story.apply_and_approve(town)

        async def waits() -> bool:
            (order,) = await orders(town, WorkOrderKind.BASELINE)
            return bool(order.status and "has ended" in order.status.progress)

        deleted = await begun(town, nodes, 1)
        await town.kube.remove_path(f"{JOBS}/{name_of(deleted)}", deleted.job["metadata"]["uid"])
        await town.until(waits, "waits for the Pod of the deleted Job")
        assert len(nodes.runs) == 1
        nodes.grace.set()

        killed = await begun(town, nodes, 2)
        assert deleted.process.returncode is not None
        # Not sooner: the next Job is made with it.
        monkeypatch.setitem(manifests.DEADLINES, WorkOrderKind.BASELINE, 1)
        os.killpg(killed.process.pid, signal.SIGKILL)

        late = await begun(town, nodes, 3)
        monkeypatch.setitem(manifests.DEADLINES, WorkOrderKind.BASELINE, 3600)
        assert late.job["spec"]["activeDeadlineSeconds"] == 1
        await town.phase("Trial")
        assert all(run_.process.returncode is not None for run_ in (deleted, killed, late))

        baselines = [run_ for run_ in nodes.runs if work_of(run_) == "Baseline"]
        assert len(baselines) == 4 and len({name_of(run_) for run_ in baselines}) == 4
        (order,) = await orders(town, WorkOrderKind.BASELINE)
        assert order.status and order.status.state is WorkOrderState.SUCCEEDED
        assert (order.status.attempts, order.status.job) == (4, None)
        await town.until(lambda: swept(town), "Jobs, Secrets and reports are gone")
    if find_spec("helm_python"):
        granted = grants(objects("jobs"), {"kind": "ServiceAccount", "name": "govpool"})
        there = {(one.verb, one.group, one.resource) for one in granted if one.namespace == NAMESPACE}
        assert rights == there, "the chart grants what it takes to see to Jobs, and nothing else"


async def test_a_job_that_was_lost_while_nobody_looked_is_not_made_anew(tmp_path: Path) -> None:
    """What it left may still be at work: the next attempt waits for that, and has another name."""
    async with town_with_jobs(tmp_path) as (town, nodes):
        town.hurry = "PT1S"
        nodes.grace.clear()
        async with operator(town):
            await story.apply_and_approve(town)
            lost = await begun(town, nodes, 1)
        await town.kube.remove_path(f"{JOBS}/{name_of(lost)}", lost.job["metadata"]["uid"])
        async with operator(town):

            async def waits() -> bool:
                (order,) = await orders(town, WorkOrderKind.BASELINE)
                return bool(order.status and "has ended" in order.status.progress)

            await town.until(waits, "waits for the Pod of the lost Job")
            # Whether its process noticed is its own affair: nobody has said yet that the Pod has ended.
            assert len(nodes.runs) == 1
            nodes.grace.set()
            again = await begun(town, nodes, 2)
            assert lost.process.returncode is not None and name_of(again) != name_of(lost)
            await town.phase("Trial")
