"""Our own write brings no second question to the pool, and hides nothing that happens in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from effects_ground import HandClock, Plane, order_of, policy_of, pool_of, request_of, server_of, versioned

from govpool.api.base import Model
from govpool.api.cloudserver import CloudServer, CloudServerStatus, ServerPhase
from govpool.api.workorder import WorkOrder, WorkOrderState, WorkOrderStatus
from govpool.effects.apply import Feedback
from govpool.effects.echoes import A_MOMENT, Echoes
from govpool.effects.pools import Pools
from govpool.effects.reconcile import Reconciler
from govpool.effects.store import Store
from govpool.lifecycle.actions import Action, ReleaseMachine, WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import SeenInPool, ServerObservation, Unknown
from govpool_providers.base import Size
from govpool_providers.errors import ErrorCode
from govpool_providers.fixture import FaultPlan, FaultRule, FixtureProvider

NOW = HandClock().now()
A_BIT = timedelta(milliseconds=4)
BEFORE, WRITTEN = versioned(server_of(), 1, "server"), versioned(server_of(), 2, "server")
NOTHING = SeenInPool(None, ())
TOLD = WriteStatus(BEFORE, CloudServerStatus())


def seen(
    *actions: Action,
    said: SeenInPool | Unknown = NOTHING,
    newest: CloudServer | None = WRITTEN,
    before: tuple[WorkOrder, ...] = (),
    now: tuple[WorkOrder, ...] = (),
    after: timedelta = A_BIT,
) -> SeenInPool | None:
    """What is taken for seen of the server's newest version after this was done."""
    echoes = Echoes()
    echoes.took(ServerObservation(BEFORE, NOW, None, said, before), Decision(actions), newest)
    return echoes.seen(WRITTEN, now, NOW + after)


def test_the_pool_is_not_asked_again_right_after_a_status_was_written_alone() -> None:
    assert seen(TOLD) is NOTHING
    assert seen(TOLD, ReleaseMachine("gp-1")) is None, "something was done in the pool"
    assert seen(TOLD, newest=versioned(server_of(), 2, "server")) is None, "another version"
    assert seen(TOLD, newest=None) is None
    assert seen(TOLD, said=Unknown("Unreachable", "")) is None
    assert seen(TOLD, after=A_MOMENT + A_BIT) is None


def test_an_order_that_ended_meanwhile_may_have_done_something_in_the_pool() -> None:
    issued = order_of()
    runs = issued.model_copy(update={"status": WorkOrderStatus(state=WorkOrderState.RUNNING)})
    ended = issued.model_copy(
        update={"status": WorkOrderStatus(state=WorkOrderState.SUCCEEDED, finished=NOW)}
    )
    assert seen(TOLD, now=(issued,)) is NOTHING and seen(TOLD, before=(issued,), now=(runs,)) is NOTHING
    assert seen(TOLD, before=(ended,), now=(ended,)) is NOTHING
    assert seen(TOLD, before=(runs,), now=(ended,)) is None


def test_it_holds_for_one_look_and_until_there_is_reason_to_ask() -> None:
    for forgotten in (False, True):
        echoes = Echoes()
        echoes.took(ServerObservation(BEFORE, NOW, None, NOTHING), Decision((TOLD,)), WRITTEN)
        if forgotten:
            echoes.forget()
        assert (echoes.seen(WRITTEN, (), NOW) is None) is forgotten
        assert echoes.seen(WRITTEN, (), NOW) is None


# -- with a pool ---------------------------------------------------------------------------------
class Scene:
    """A server that was just opened in a fixture pool, its echo still to come."""

    def __init__(self, plane: Plane, state: Path) -> None:
        self.plane, self.store, self.clock = plane, Store(), HandClock()
        feedback = Feedback(lambda _: None, self.store.put, self.store.drop)
        self.pools = Pools(plane.kube)
        self.reconciler = Reconciler(plane.kube, self.store, self.clock, self.pools, state, feedback)
        self.provider: FixtureProvider
        self.key = BEFORE.key

    async def opened(self) -> None:
        """Made, and looked at until its status says that it is open."""
        pool = await self.plane.admin.create(pool_of(connection={"provider": "fixture"}))
        for supply in (pool, versioned(policy_of(), 1, "policy"), versioned(request_of(), 1, "request")):
            self.store.put(supply)
        self.provider = cast("FixtureProvider", (await self.pools.of(pool)).provider)
        made = await self.plane.admin.create(server_of(key="gp-0a0b0c"))
        self.store.put(await self.plane.kube.set_finalizer(made, present=True))
        self.key = made.key
        while self.status.phase is not ServerPhase.OPEN:
            await self.look()

    @property
    def status(self) -> CloudServerStatus:
        """As it was last written."""
        server = self.store.find(self.key)
        assert isinstance(server, CloudServer)
        return server.status or CloudServerStatus()

    async def look(self) -> Decision:
        """One reconcile of the server."""
        return await self.reconciler.reconcile(self.key)

    def asked(self) -> int:
        """How often the pool was asked about the server."""
        return self.provider.control.calls("find_machine")


@pytest.fixture
async def scene(plane: Plane, tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(plane, tmp_path)
    await made.opened()
    yield made
    made.provider.control.forget()


async def test_the_echo_of_a_write_asks_the_pool_nothing(scene: Scene) -> None:
    asked, opened = scene.asked(), scene.status
    decision = await scene.look()
    assert scene.asked() == asked and scene.status is opened
    assert decision.actions == () and decision.look_again is not None
    await scene.look()
    assert scene.asked() == asked + 1, "whoever comes after it has a reason"


async def test_drift_in_the_moment_of_the_write_is_seen_at_the_next_look(scene: Scene) -> None:
    scene.provider.control.drift("gp-0a0b0c", size=Size(64, 1))
    decision = await scene.look()
    assert scene.status.drift == [] and decision.look_again is not None
    scene.clock.move(decision.look_again - scene.clock.now())
    await scene.look()
    assert scene.status.drift != []


async def test_so_is_a_pool_that_went_away(scene: Scene) -> None:
    scene.provider.control.set_faults(FaultPlan((FaultRule(ErrorCode.UNREACHABLE, "find_machine"),)))
    await scene.look()
    await scene.look()
    told = {one.type: one.status for one in scene.status.conditions}
    assert told["PoolReachable"] == "Unknown"


async def test_what_changes_around_the_server_is_carried_out_at_once(scene: Scene) -> None:
    server = scene.store.find(scene.key)
    assert isinstance(server, CloudServer)
    spec: Model = server.spec.model_copy(update={"vcpu": 2, "revision": 2})
    scene.store.put(await scene.plane.admin.write_spec(server.model_copy(update={"spec": spec})))
    await scene.look()
    assert scene.provider.control.machine("gp-0a0b0c").size.vcpu == 2
