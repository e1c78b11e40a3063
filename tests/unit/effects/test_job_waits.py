"""The operator's side of a Job: what it does while the API server does not answer, or refuses."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from effects_ground import Plane, order_of, policy_of, pool_of, request_of, server_of, until

from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderStatus
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.jobs import carry_out
from govpool.effects.jobs.manifests import NAMESPACE, JobSettings
from govpool.effects.jobs.parcels import REPORT_KEY, SEAL_KEY, parts, reported, seal
from govpool.effects.kube import Json, KubeError
from govpool.lifecycle.naming import job_name
from govpool.standalone.faults import Fault, FaultKind, FaultRequest

JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
NAME = job_name("baseline-r1", 1)
REPORT = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry_out, "POLL", 0.01)
    monkeypatch.setattr(carry_out, "LONGEST_WAIT", 0.05)


@pytest.fixture
async def runs(plane: Plane) -> AsyncIterator[Plane]:
    await plane.admin.ensure_namespace(NAMESPACE)
    yield plane
    plane.fault = lambda _: None


def order(attempts: int = 1) -> WorkOrder:
    return order_of().model_copy(update={"status": WorkOrderStatus(attempts=attempts, job=NAME)})


def begin(plane: Plane, place: Path, attempts: int = 1) -> tuple[asyncio.Task[OrderResult], list[str]]:
    """Carry an order out by a Job, and what is told meanwhile."""
    told: list[str] = []
    context = SimpleNamespace(
        order=order(attempts),
        request=request_of(),
        servers=(server_of(),),
        policy=policy_of(),
        pool=pool_of(),
        quota=None,
        provider=SimpleNamespace(provider=None),
        kube=plane.kube,
        clock=SimpleNamespace(ahead=SimpleNamespace(total_seconds=lambda: 0.0)),
        evidence_dir=place,
        progress=told.append,
    )
    work = carry_out.carry_out(cast(OrderContext, context), JobSettings("runner:test"))
    return asyncio.create_task(work), told


@pytest.mark.parametrize(
    ("work", "settings", "there"),
    [
        (WorkOrderKind.BASELINE, {}, True),
        (WorkOrderKind.WIPE, {}, False),
        (WorkOrderKind.BACKUP, {"state": "/pools/fixture.sqlite"}, True),
    ],
)
def test_a_fixture_pool_in_the_operator_s_memory_is_not_in_a_job_s(
    work: WorkOrderKind, settings: dict[str, str], there: bool
) -> None:
    spec = pool_of().spec
    connection = spec.connection.model_copy(update={"provider": "fixture", "settings": settings})
    asked = SimpleNamespace(
        order=SimpleNamespace(spec=SimpleNamespace(work=work)),
        pool=SimpleNamespace(spec=spec.model_copy(update={"connection": connection})),
        provider=SimpleNamespace(provider=None),
    )
    assert carry_out.possible(cast(OrderContext, asked)) is there


async def job(plane: Plane) -> Json | None:
    try:
        return await plane.admin.get_path(f"{JOBS}/{NAME}")
    except KubeError as error:
        if error.absent:
            return None
        raise


async def let_go(plane: Plane) -> None:
    async with asyncio.timeout(60):
        while (found := await job(plane)) is None or cast(Json, found["spec"])["suspend"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def pod(plane: Plane) -> None:
    metadata: Json = {"name": "pod", "labels": {carry_out.JOB_LABEL: NAME}}
    await plane.admin.post_path(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata})


async def report(plane: Plane, place: Path) -> None:
    pieces = parts(reported(OrderResult(True, "done"), place))
    body: Json = {
        "data": {SEAL_KEY: seal(pieces)},
        "binaryData": {REPORT_KEY: base64.b64encode(pieces[0]).decode()},
    }
    await plane.admin.merge_path(REPORT, body)


async def test_what_a_lost_run_said_last_is_told(runs: Plane, tmp_path: Path) -> None:
    """Its Pod goes with its Job, and the log with the Pod."""
    task, _ = begin(runs, tmp_path)
    await let_go(runs)
    ended: Json = {"terminated": {"exitCode": 1, "message": "at work\ngovpool: the order is none\n"}}
    await pod(runs)
    status: Json = {"phase": "Failed", "containerStatuses": [{"name": "runner", "state": ended}]}
    await runs.admin.merge_path(f"{PODS}/pod/status", {"status": status})
    lost: Json = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    await runs.admin.merge_path(f"{JOBS}/{NAME}/status", {"status": {"conditions": [lost]}})
    result = await asyncio.wait_for(task, 20)
    assert (result.succeeded, result.again) == (False, True)
    assert result.message.endswith("BackoffLimitExceeded; it said last: govpool: the order is none")


NO_IMAGE = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
NO_NODE = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (
            {"containerStatuses": [{"state": NO_IMAGE}]},
            "Pod pod can't begin: ImagePullBackOff: no such image",
        ),
        ({"conditions": [NO_NODE]}, "Pod pod has no node: 0/3 nodes are available"),
        (None, f"Job {NAME} has no Pod"),
    ],
)
async def test_what_keeps_a_run_from_beginning_is_told(
    runs: Plane, tmp_path: Path, status: Json | None, says: str
) -> None:
    """An image that can't be pulled would otherwise look like a run of an hour."""
    task, told = begin(runs, tmp_path)
    await let_go(runs)
    if status:
        await pod(runs)
        await runs.admin.merge_path(f"{PODS}/pod/status", {"status": status})
    await until(lambda: any(one.startswith(says) for one in told), "tells what is the matter")
    assert not task.done()
    await pod_runs(runs, made=bool(status))
    await until(lambda: told[-1] == "", "tells no more of it")
    await report(runs, tmp_path)
    assert (await asyncio.wait_for(task, 20)).succeeded


async def pod_runs(plane: Plane, *, made: bool) -> None:
    if not made:
        await pod(plane)
    running: Json = {"phase": "Running", "conditions": [], "containerStatuses": [{"state": {"running": {}}}]}
    await plane.admin.merge_path(f"{PODS}/pod/status", {"status": running})


@pytest.mark.parametrize("status", [403, 500])
async def test_a_job_that_can_not_be_seen_goes_on_and_is_waited_for(
    runs: Plane, tmp_path: Path, status: int
) -> None:
    task, told = begin(runs, tmp_path)
    await let_go(runs)
    runs.fault = lambda _: Fault(FaultKind.STATUS, status=status)
    await until(lambda: len(told) > 3, "tells that it waits")
    assert not task.done(), "a result would have the order tried again, beside the Job that goes on"
    await report(runs, tmp_path)
    runs.fault = lambda _: None
    result = await asyncio.wait_for(task, 20)
    assert result.succeeded and result.message == "done"
    for step in result.afterwards:
        await step()
    assert await job(runs) is None


async def test_what_is_refused_before_it_runs_leaves_nothing(runs: Plane, tmp_path: Path) -> None:
    def refused(request: FaultRequest) -> Fault | None:
        secret = request.verb == "create" and request.resource == "secrets"
        return Fault(FaultKind.STATUS, status=403) if secret else None

    runs.fault = refused
    task, _ = begin(runs, tmp_path)
    result = await asyncio.wait_for(task, 20)
    assert (result.succeeded, result.again) == (False, True)
    for step in result.afterwards:
        await step()
    assert await job(runs) is None


async def test_a_report_that_is_none_ends_its_job_before_the_order_is_tried_again(
    runs: Plane, tmp_path: Path
) -> None:
    task, told = begin(runs, tmp_path)
    await let_go(runs)
    await pod(runs)
    await runs.admin.merge_path(REPORT, {"data": {SEAL_KEY: "one of a kind"}})
    await until(lambda: any("Pod pod" in one for one in told), "waits for the Pod")
    assert await job(runs) is None and not task.done()
    await runs.admin.delete_path(f"{PODS}/pod")
    result = await asyncio.wait_for(task, 20)
    assert (result.succeeded, result.again) == (False, True)
    assert "not to be used" in result.message


@pytest.mark.parametrize(("phase", "over"), [("Failed", True), ("Succeeded", True), ("Unknown", False)])
async def test_a_pod_that_ended_is_at_work_no_more(
    runs: Plane, tmp_path: Path, phase: str, over: bool
) -> None:
    await pod(runs)
    await runs.admin.merge_path(f"{PODS}/pod/status", {"status": {"phase": phase}})
    task, told = begin(runs, tmp_path, attempts=2)
    if not over:
        await until(lambda: any("Pod pod" in one for one in told), "waits for the Pod")
        await runs.admin.delete_path(f"{PODS}/pod")
    result = await asyncio.wait_for(task, 20)
    assert bool(told) is not over
    assert (result.succeeded, result.again) == (False, True)
    assert await job(runs) is None, "the Job of an earlier attempt is not made anew"


async def test_the_cluster_s_reason_is_told(runs: Plane, tmp_path: Path) -> None:
    task, _ = begin(runs, tmp_path)
    await let_go(runs)
    condition: dict[str, Any] = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    condition["message"] = "Job was active longer than specified deadline"
    await runs.admin.merge_path(f"{JOBS}/{NAME}/status", {"status": {"conditions": [condition]}})
    result = await asyncio.wait_for(task, 20)
    assert "DeadlineExceeded: Job was active longer" in result.message
