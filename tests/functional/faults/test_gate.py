"""The baseline's gate: a server that does not meet it is handed over to nobody."""

from __future__ import annotations

from pathlib import Path

from govpool.api.base import RETRY_ANNOTATION
from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import RequestPhase
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderState
from govpool.effects.executors.fixture import FAILING
from govpool.effects.kube import KubeError
from tests.functional.faults.endings import secret_names
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, World, world

CONTROL = "IA-01"


async def set_failing(town: World, control: str) -> None:
    """Let a control fail on every server of the pool; empty: none."""
    while True:
        pool = await town.kube.get(CloudPool, "fixture-pool")
        settings = {**pool.spec.connection.settings, FAILING: control}
        try:
            await town.kube.merge(pool, {"spec": {"connection": {"settings": settings}}})
            return
        except KubeError as error:
            if not error.conflict:
                raise


async def orders(town: World) -> dict[WorkOrderKind, WorkOrder]:
    return {order.spec.work: order for order in await town.kube.list(WorkOrder, namespace=NAMESPACE)}


async def baseline_is(town: World, state: WorkOrderState) -> bool:
    order = (await orders(town)).get(WorkOrderKind.BASELINE)
    return order is not None and order.status is not None and order.status.state is state


async def test_failed_gate_hands_nothing_over_until_it_passes(tmp_path: Path) -> None:
    async with world(tmp_path) as town, town.operator():
        await set_failing(town, CONTROL)
        await story.apply_and_approve(town)
        town.hurry = "PT1S"
        await town.until(lambda: baseline_is(town, WorkOrderState.FAILED), "the baseline failed")
        town.hurry = ""
        await town.advance("P2D")
        await town.until(lambda: failure_is_told(town), "the request says what failed")
        assert WorkOrderKind.HANDOVER not in await orders(town)
        for server in await town.kube.list(CloudServer, namespace=NAMESPACE):
            assert server.status is not None and server.status.handover is None
        reports = await town.kube.list(BaselineReport, namespace=NAMESPACE)
        assert len(reports) == 2 and not any(report.spec.passed for report in reports)
        assert len([name for name in await secret_names(town) if name.startswith("access-")]) == 2
        failed = (await orders(town))[WorkOrderKind.BASELINE]
        assert failed.status is not None and failed.status.attempts == 1, "nobody tries again unasked"

        await retry(town, "first")
        await town.until(lambda: attempts(town, 2), "the order was tried once more")
        await town.until(lambda: baseline_is(town, WorkOrderState.FAILED), "it failed again")
        await set_failing(town, "")
        await retry(town, "second")
        await town.until(lambda: baseline_is(town, WorkOrderState.SUCCEEDED), "the baseline is met")
        await town.until(lambda: in_trial(town), "the servers are handed over")
        reports = await town.kube.list(BaselineReport, namespace=NAMESPACE)
        assert [report.spec.passed for report in reports].count(True) == 2
        assert not [name for name in await secret_names(town) if name.startswith("access-")]


async def failure_is_told(town: World) -> bool:
    status = (await town.request()).status
    last = status.stages[-1] if status and status.stages else None
    return last is not None and last.state.value == "Failed" and CONTROL in last.message


async def in_trial(town: World) -> bool:
    status = (await town.request()).status
    return status is not None and status.phase is RequestPhase.TRIAL


async def attempts(town: World, count: int) -> bool:
    status = (await orders(town))[WorkOrderKind.BASELINE].status
    return status is not None and status.attempts >= count


async def retry(town: World, word: str) -> None:
    order = (await orders(town))[WorkOrderKind.BASELINE]
    await town.kube.merge(order, {"metadata": {"annotations": {RETRY_ANNOTATION: word}}})
