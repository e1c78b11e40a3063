"""The pool answers with every error code, before and after its effect; or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from govpool.api.base import RETRY_ANNOTATION, ConditionStatus
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderState
from govpool_providers.errors import ErrorCode
from govpool_providers.fixture import FaultPlan, FaultRule, When, outage, storm
from tests.functional.faults.endings import nothing_lost_nothing_leaked, pool_of
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, World, world

CALLED = (
    "find_machine",
    "list_disks",
    "list_copies",
    "ensure_machine",
    "resize_machine",
    "release_machine",
    "attach_to_sanitiser",
    "detach_from_sanitiser",
    "delete_disk",
)
"""What a life cycle calls."""
PASSING = tuple(code for code in ErrorCode if code is not ErrorCode.INVALID)
"""Codes after which the same call may succeed."""


def every_code_in_turn() -> FaultPlan:
    """The first calls of each method fail with each code before their effect; then, from another code on
    for each method, with each code after it.
    """
    rules: list[FaultRule] = []
    for turn, method in enumerate(CALLED):
        after = PASSING[turn % len(PASSING) :] + PASSING[: turn % len(PASSING)]
        blows = [*((code, When.BEFORE) for code in PASSING), *((code, When.AFTER) for code in after)]
        rules += [FaultRule(code, method, nth=n, when=when) for n, (code, when) in enumerate(blows, 1)]
    return FaultPlan(tuple(rules))


async def test_every_code_from_every_method(tmp_path: Path) -> None:
    pool, plan = pool_of(tmp_path), every_code_in_turn()
    async with world(tmp_path) as town:
        town.patience, town.hurry = 100, "PT10S"
        pool.set_faults(plan)
        async with town.operator():
            await story.whole(town)
            await nothing_lost_nothing_leaked(town, pool)
    struck = [rule for rule in plan.rules if pool.calls(rule.method) >= (rule.nth or 0)]
    for method in CALLED:
        met = [rule for rule in struck if rule.method == method]
        assert {r.code for r in met if r.when is When.BEFORE} == set(PASSING), (
            f"{method} did not meet every code"
        )
        assert any(r.when is When.AFTER for r in met), f"{method} never lost its answer"
    assert {rule.code for rule in struck if rule.when is When.AFTER} == set(PASSING)


@pytest.mark.parametrize("seed", [1])
async def test_storm(tmp_path: Path, seed: int) -> None:
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town:
        town.patience, town.hurry = 100, "PT10S"
        pool.set_faults(storm(0.25, seed))
        async with town.operator():
            await story.whole(town)
            await nothing_lost_nothing_leaked(town, pool)


@pytest.mark.parametrize("code", [ErrorCode.UNREACHABLE, ErrorCode.UNAUTHORISED])
async def test_outage_changes_nothing(tmp_path: Path, code: ErrorCode) -> None:
    """A pool that can't be asked is not an empty pool: nothing is done, and what is not known is said."""
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        town.hurry = "PT10S"
        await story.apply_and_approve(town)
        await story.into_service(town)
        before, inventory = pool.ledger(), pool.inventory()
        pool.set_faults(outage(code))
        await story.ask_to_deregister(town)
        await town.until(lambda: unknown(town, code), "every server says that nothing is known")
        started = await town.now()
        reached = {server.status.phase for server in await servers_of(town) if server.status}
        while (await town.now() - started).total_seconds() < 600:
            await town.advance("PT20S")
            assert await unknown(town, code)
        assert pool.ledger() == before and pool.inventory() == inventory
        assert {server.status.phase for server in await servers_of(town) if server.status} == reached
        shown = (await town.kube.get(CloudPool, "fixture-pool")).status
        assert shown is not None and shown.reachable is False
        pool.clear_faults()
        await story.complete_deregistration(town)
        assert pool.violations() == [] and not pool.inventory()


async def servers_of(town: World) -> tuple[CloudServer, ...]:
    return await town.kube.list(CloudServer, namespace=NAMESPACE)


async def unknown(town: World, code: ErrorCode) -> bool:
    """Whether every server says Unknown, and why."""
    found = [
        next((c for c in server.status.conditions if c.type == "PoolReachable"), None)
        for server in await servers_of(town)
        if server.status
    ]
    return bool(found) and all(
        c is not None and c.status is ConditionStatus.UNKNOWN and c.reason == code.value for c in found
    )


async def test_invalid_is_shown_and_not_hammered(tmp_path: Path) -> None:
    """A call that can never succeed is told to people, and repeated only now and then."""
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        pool.set_faults(FaultPlan((FaultRule(ErrorCode.INVALID, "ensure_machine"),)))
        await story.apply_and_approve(town)

        async def told() -> bool:
            servers = await servers_of(town)
            request = await town.request()
            return (
                len(servers) == 2
                and all(s.status and "Invalid" in s.status.message for s in servers)
                and request.status is not None
            )

        await town.until(told, "both servers say that the pool finds the call invalid")
        for _ in range(24):
            await town.advance("PT10S")
            await town.until(told, "it is still said")
        calls = pool.calls("ensure_machine")
        assert calls <= 2 * 4, f"{calls} calls in four minutes: it loops"
        assert pool.inventory().machines == ()
        pool.clear_faults()
        town.hurry = "PT10S"
        await town.phase("Trial")


async def test_invalid_fails_an_order_until_a_person_asks_again(tmp_path: Path) -> None:
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        town.hurry = "PT10S"
        await story.apply_and_approve(town)
        await story.into_service(town)
        pool.set_faults(FaultPlan((FaultRule(ErrorCode.INVALID, "attach_to_sanitiser"),)))
        await story.ask_to_deregister(town)
        order = await failed_order(town, WorkOrderKind.BACKUP)
        calls = pool.calls("attach_to_sanitiser")
        await town.advance("P1D")
        assert (await failed_order(town, WorkOrderKind.BACKUP)).status == order.status
        assert pool.calls("attach_to_sanitiser") == calls
        pool.clear_faults()
        await town.kube.merge(order, {"metadata": {"annotations": {RETRY_ANNOTATION: "1"}}})
        await story.complete_deregistration(town)
        assert pool.violations() == [] and not pool.inventory()


async def failed_order(town: World, work: WorkOrderKind) -> WorkOrder:
    """The order of that kind, once it failed."""
    found: list[WorkOrder] = []

    async def failed() -> bool:
        found[:] = [
            order
            for order in await town.kube.list(WorkOrder, namespace=NAMESPACE)
            if order.spec.work is work and order.status and order.status.state is WorkOrderState.FAILED
        ]
        return bool(found)

    await town.until(failed, f"{work} failed")
    return found[0]
