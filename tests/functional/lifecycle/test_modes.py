"""Both operating modes and a provider's exit, with the operator in this process: YY-4, YY-17, YY-19."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from govpool.api.cloudpool import CloudPool
from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder, WorkOrderState
from govpool.effects.kube import KubeError
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, World, world

SHA = "b" * 64


async def pool_of(town: World, name: str) -> CloudPool:
    return await town.kube.get(CloudPool, name)


async def change_pool(town: World, name: str, **spec: Any) -> None:
    await town.kube.merge(await pool_of(town, name), {"spec": spec})


async def orders(town: World, work: str) -> list[WorkOrder]:
    found = await town.kube.list(WorkOrder, namespace=NAMESPACE)
    return [one for one in found if one.spec.work.value == work]


# -- a purchased service with an API, up to the end of its pool -------------------------------------
async def test_a_purchased_pool_records_the_providers_orders_and_closes_when_empty_and_proven(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as town:
        await change_pool(town, "fixture-pool", operatingMode="PurchasedService")
        async with town.operator():
            await story.apply_and_approve(town)
            await story.into_service(town)
            (provision,) = await orders(town, "Provision")
            assert (provision.spec.role.value, provision.spec.executor.value) == ("provider", "api")
            assert provision.status is not None
            assert provision.status.state is WorkOrderState.SUCCEEDED
            assert len(provision.status.servers) == 2
            await leave(town)
            await close_too_early(town)
            await story.deregister(town)
            (reclaim,) = await orders(town, "Reclaim")
            assert reclaim.spec.role.value == "provider"
            await close(town)
            (certificate,) = await town.kube.list(WipeCertificate, namespace=NAMESPACE)
            assert certificate.spec.media


async def leave(town: World) -> None:
    """The provider gives notice; the request shows until when, and what is left to do."""
    notice = {"at": await story.stamp(town), "by": "Provider Ltd", "reference": "Letter 1"}
    plan = [{"namespace": NAMESPACE, "request": REQUEST, "notMigrated": "superseded"}]
    await change_pool(town, "fixture-pool", state="Exiting", exit={"notice": notice, "plan": plan})

    async def shown() -> bool:
        status = (await town.request()).status
        told = [one for one in status.conditions if one.type == "ProviderExit"] if status else []
        due = [one.due for one in status.deadlines if one.article == "YY-17"] if status else []
        return bool(told and told[0].reason == "Planned" and due and due[0])

    await town.until(shown, "the request shows the exit")
    pool = await pool_of(town, "fixture-pool")
    assert pool.status is not None
    assert pool.status.exit is not None
    assert pool.status.exit.open_requests == 1


async def close_too_early(town: World) -> None:
    with pytest.raises(KubeError, match="a pool with servers can't be closed"):
        await change_pool(town, "fixture-pool", state="Closed")


async def close(town: World) -> None:
    async def empty() -> bool:
        pool = await pool_of(town, "fixture-pool")
        await town.advance("PT2M")
        return pool.status is not None and pool.status.allocated.servers == 0

    await town.until(empty, "the pool is seen empty")
    await change_pool(town, "fixture-pool", state="Closed")

    async def closed() -> bool:
        pool = await pool_of(town, "fixture-pool")
        return pool.status is not None and pool.status.closed_at is not None

    await town.until(closed, "the closing is honoured")
    pool = await pool_of(town, "fixture-pool")
    assert pool.status is not None
    told = {one.type: one.reason for one in pool.status.conditions}
    assert told["Closed"] == "Proven"


# -- a purchased service that only people reach -----------------------------------------------------
async def manual_pool(town: World) -> None:
    template = await town.kube.get_path("/apis/govpool.dev/v1alpha1/cloudpools/fixture-pool")
    spec = {
        key: value for key, value in template["spec"].items() if key not in ("connection", "operatingMode")
    }
    document = {
        "apiVersion": "govpool.dev/v1alpha1",
        "kind": "CloudPool",
        "metadata": {"name": "manual-pool"},
        "spec": {**spec, "connection": {"provider": "manual"}, "operatingMode": "PurchasedService"},
    }
    await town.apply(document)
    quota = await town.kube.get(TenantQuota, "unit", NAMESPACE)
    limits = [one.model_dump(mode="json", by_alias=True) for one in quota.spec.limits]
    same = next(one for one in limits if one["pool"] == "fixture-pool")
    await town.kube.merge(quota, {"spec": {"limits": [*limits, {**same, "pool": "manual-pool"}]}})


async def report(
    town: World, work: str, whole: dict[str, str] | None = None, facts: dict[str, str] | None = None
) -> WorkOrder:
    """A person of the provider reports on the open order of that kind."""
    found: list[WorkOrder] = []

    async def open_() -> bool:
        found[:] = [one for one in await orders(town, work) if one.spec.outcome is None]
        return bool(found)

    await town.until(open_, f"an open {work} order")
    (order,) = found
    outcome = {
        "by": "chen.provider",
        "at": await story.stamp(town),
        "succeeded": True,
        "statement": f"{work} done",
        "facts": whole or {},
        "servers": [{"server": name, "facts": facts or {}} for name in order.spec.servers],
    }
    await town.kube.merge(order, {"spec": {"outcome": outcome}})
    return order


async def test_a_pool_that_only_people_reach_goes_from_application_to_deregistration_by_their_word(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as town:
        await manual_pool(town)
        async with town.operator():
            await town.apply(town.application(pool="manual-pool"))
            await town.decide(by="acceptor")
            await town.decide(by="reviewer")
            order = await report(town, "Provision", facts={"address": "10.9.0.7", "id": "vm-7"})
            assert (order.spec.role.value, order.spec.executor.value) == ("provider", "person")
            await report(town, "Baseline", facts={"report": "B-2026-7", "score": "100"})
            await report(town, "Handover")
            await story.into_service(town)
            status = (await town.request()).status
            assert status is not None
            assert {one.address for one in status.addresses} == {"10.9.0.7"}
            told = {stage.stage.value: stage.message for stage in status.stages}
            assert told["Baseline"] == "Declared by chen.provider, not seen: Baseline done"
            servers = await town.kube.list(CloudServer, namespace=NAMESPACE)
            assert all(s.status and s.status.conditions[0].type == "Declared" for s in servers)
            await leave_by_hand(town)
            assert not await town.kube.list(WipeCertificate, namespace=NAMESPACE)


async def leave_by_hand(town: World) -> None:
    await story.ask_to_deregister(town)
    await report(town, "Backup", {"receiptSha256": SHA})
    await town.stage("Backup")
    receipt = {"by": story.UNIT, "at": await story.stamp(town), "statement": "ok", "receiptSha256": SHA}
    await town.confirm("backups", receipt)
    await report(town, "Wipe", {"reference": "D-7", "sha256": SHA})
    await report(town, "Reclaim")
    request = await town.stage("Termination")
    assert request.status is not None
    assert request.status.approved is not None
    end = {"by": story.UNIT, "at": await story.stamp(town), "approval": request.status.approved.approval}
    await town.confirm("terminations", {**end, "statement": "ended"})
    await town.phase("Deregistered")
