"""Work orders begin only when all that their run needs is known; requests are known by their UID."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from effects_ground import (
    HandClock,
    Plane,
    order_of,
    policy_of,
    pool_of,
    request_of,
    running,
    server_of,
    versioned,
)

from govpool.api.base import PAUSED_ANNOTATION, Resource
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudserver import CloudServer, HandoverSummary, ServerPhase
from govpool.api.workorder import Executor, WorkOrder, WorkOrderState
from govpool.effects import reconcile as reconcile_module
from govpool.effects.apply import Feedback
from govpool.effects.dependents import CHAIN
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.pools import Pools
from govpool.effects.reconcile import Reconciler
from govpool.effects.store import Store
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.fixture import FixtureProvider


class Scene:
    """A reconciler whose store holds all that a baseline order needs; the order is in the API server, too."""

    def __init__(self, plane: Plane, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plane, self.store, self.clock = plane, Store(), HandClock()
        self.ran: list[OrderContext] = []
        self.ended = asyncio.Event()
        self.order_by = Executor.LOCAL
        feedback = Feedback(lambda _: self.ended.set(), self.store.put, self.store.drop)
        self.reconciler = Reconciler(plane.kube, self.store, self.clock, Pools(plane.kube), state, feedback)

        async def carry_out(context: OrderContext) -> OrderResult:
            self.ran.append(context)
            return OrderResult(True, "done")

        monkeypatch.setattr(reconcile_module, "executor", lambda *_: carry_out)
        self.supply: dict[str, Any] = {
            "pool": versioned(pool_of(connection={"provider": "fixture"}), 1, "pool"),
            "policy": versioned(policy_of(), 1, "policy"),
            "request": versioned(request_of(), 1, request_of().metadata.uid),
            "server": versioned(server_of(), 1, "server"),
        }

    async def order(self, work: str = "Baseline", **status: Any) -> WorkOrder:
        for resource in self.supply.values():
            self.store.put(resource)
        wanted = order_of(work=work)
        spec = wanted.spec.model_copy(update={"executor": self.order_by})
        made = await self.plane.admin.create(wanted.model_copy(update={"spec": spec}))
        if status:
            made = await self.plane.admin.write_status(made, running(**status))
        self.store.put(made)
        return made

    async def newest(self, order: WorkOrder) -> WorkOrder:
        return await self.plane.admin.get(WorkOrder, order.metadata.name, order.metadata.namespace)


@pytest.fixture
def scene(plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(plane, tmp_path, monkeypatch)


async def test_an_order_is_run_after_its_status_says_so(scene: Scene) -> None:
    order = await scene.order()
    await scene.reconciler.reconcile(order.key)
    assert scene.reconciler.runs.running(order.key)
    await scene.reconciler.reconcile(order.key)
    await asyncio.wait_for(scene.ended.wait(), 5)
    (context,) = scene.ran
    assert context.order.status is not None and context.order.status.attempts == 1
    assert [s.metadata.name for s in context.servers] == ["doc-approval-app-0"]
    done = await scene.newest(order)
    assert done.status is not None and done.status.state is WorkOrderState.SUCCEEDED


# -- large pools ---------------------------------------------------------------------------------
class Resting:
    """A server that was handed over, in a fixture pool that counts what it is asked."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reconcile_module, "LARGE", 1)
        self.scene, self.asked = scene, list[str]()
        self.pool: CloudPool

    async def handed_over(self) -> CloudServer:
        """Made in the pool and in the API server, and looked at until there is nothing to do."""
        scene = self.scene
        self.pool = await scene.plane.admin.create(pool_of(connection={"provider": "fixture"}))
        for resource in (self.pool, scene.supply["policy"], scene.supply["request"]):
            scene.store.put(resource)
        made = await scene.plane.admin.create(server_of(key="gp-0a0b0c"))
        opened = await scene.plane.kube.set_finalizer(made, present=True)
        scene.store.put(opened)
        for _ in range(3):
            await scene.reconciler.reconcile(opened.key)
        seen = self.newest(opened)
        assert seen.status is not None and seen.status.phase is ServerPhase.OPEN
        proof = HandoverSummary(at=scene.clock.now(), proof="locked out", work_order="handover")
        status = seen.status.model_copy(update={"handover": proof})
        scene.store.put(await scene.plane.admin.write_status(seen, status))
        await scene.reconciler.reconcile(opened.key)
        at_rest = self.newest(opened)
        assert at_rest.status is not None and at_rest.status.phase is ServerPhase.HANDED_OVER
        return at_rest

    def newest(self, server: CloudServer) -> CloudServer:
        found = self.scene.store.find(server.key)
        assert isinstance(found, CloudServer)
        return found

    async def provider(self) -> FixtureProvider:
        pool = await self.scene.reconciler._pools.of(self.pool)
        return cast(FixtureProvider, pool.provider)

    def anew(self) -> Reconciler:
        """The reconciler of an operator that was started again, counting calls that are about one server."""
        scene = self.scene
        feedback = Feedback(lambda _: None, scene.store.put, scene.store.drop)
        made = Reconciler(
            scene.plane.kube, scene.store, scene.clock, scene.reconciler._pools, scene.reconciler._state_dir,
            feedback,
        )  # fmt: skip
        look = made._look

        async def counted(server: CloudServer) -> Any:
            self.asked.append(server.metadata.name)
            return await look(server)

        made._look = counted  # type: ignore[method-assign]
        return made


async def test_after_a_start_one_list_of_a_large_pool_is_a_look_at_every_server_at_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    resting = Resting(scene, monkeypatch)
    server = await resting.handed_over()
    operator = resting.anew()
    await operator.reconcile(resting.pool.key)
    decision = await operator.reconcile(server.key)
    assert resting.asked == [] and resting.newest(server) == server
    assert decision.look_again is not None and decision.look_again > scene.clock.now() + timedelta(hours=2)
    await operator.reconcile(server.key)
    assert resting.asked == [server.metadata.name], "woken for another reason, it is looked at"


async def test_what_a_list_finds_amiss_is_looked_at_before_anything_is_done(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    resting = Resting(scene, monkeypatch)
    server = await resting.handed_over()
    (await resting.provider()).set_power(server.spec.key, on=False)
    operator = resting.anew()
    await operator.reconcile(resting.pool.key)
    await operator.reconcile(server.key)
    assert resting.asked == [server.metadata.name]
    status = resting.newest(server).status
    assert status is not None and status.phase is ServerPhase.STOPPED


def without(name: str) -> Callable[[dict[str, Resource]], None]:
    def change(supply: dict[str, Any]) -> None:
        del supply[name]

    return change


def of_another_uid(name: str) -> Callable[[dict[str, Resource]], None]:
    def change(supply: dict[str, Any]) -> None:
        supply[name] = (
            versioned(request_of(), 1, "namesake")
            if name == "request"
            else versioned(server_of(uid="namesake"), 1, "server")
        )

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("pool"),
        without("policy"),
        without("request"),
        without("server"),
        of_another_uid("request"),
        of_another_uid("server"),
    ],
)
async def test_what_is_missing_is_missed_before_the_order_is_said_to_run(
    scene: Scene, change: Callable[[dict[str, Resource]], None]
) -> None:
    change(scene.supply)
    order = await scene.order()
    with pytest.raises(ProviderError) as told:
        await scene.reconciler.reconcile(order.key)
    assert told.value.code is ErrorCode.RETRYABLE
    assert scene.ran == [] and (await scene.newest(order)).status is None


async def test_an_order_nobody_carries_out_is_not_begun(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_module, "executor", lambda *_: None)
    order = await scene.order("Resize")
    with pytest.raises(ProviderError, match="give it to a person"):
        await scene.reconciler.reconcile(order.key)
    assert (await scene.newest(order)).status is None


async def test_an_order_for_a_job_is_not_carried_out_beside_its_job(scene: Scene) -> None:
    scene.order_by = Executor.JOB
    order = await scene.order()
    with pytest.raises(ProviderError, match="--executor job"):
        await scene.reconciler.reconcile(order.key)
    assert scene.ran == [] and (await scene.newest(order)).status is None


async def test_another_operators_run_is_waited_for_and_then_taken_over(scene: Scene) -> None:
    order = await scene.order(holder="elsewhere/1/1")
    decision = await scene.reconciler.reconcile(order.key)
    assert scene.ran == [] and decision.look_again is not None
    scene.clock.move(decision.look_again - scene.clock.now())
    await scene.reconciler.reconcile(order.key)
    await asyncio.wait_for(scene.ended.wait(), 5)
    assert len(scene.ran) == 1


async def test_a_run_that_was_given_up_is_taken_over_at_once(scene: Scene) -> None:
    order = await scene.order(holder="elsewhere/1/1")
    assert order.status is not None
    given_up = await scene.plane.admin.write_status(order, order.status.model_copy(update={"lease": None}))
    scene.store.put(given_up)
    await scene.reconciler.reconcile(order.key)
    await asyncio.wait_for(scene.ended.wait(), 5)
    assert len(scene.ran) == 1


async def test_nothing_is_begun_for_a_paused_request(scene: Scene) -> None:
    request = request_of()
    pause = {PAUSED_ANNOTATION: "true"}
    scene.supply["request"] = versioned(request, 1, request.metadata.uid, annotations=pause)
    order = await scene.order()
    await scene.reconciler.reconcile(order.key)
    assert scene.ran == [] and (await scene.newest(order)).status is None


async def test_what_is_gone_and_what_nobody_knows_is_nothing_to_do(scene: Scene) -> None:
    for key in (order_of().key, ("Nothing", "", ""), policy_of().key, CHAIN):
        assert (await scene.reconciler.reconcile(key)).actions == ()
    assert scene.plane.writes() == []
