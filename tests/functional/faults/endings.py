"""What must hold when a life cycle has ended, whatever went wrong on the way."""

from __future__ import annotations

from pathlib import Path

from govpool.api.approval import ApprovalState
from govpool.api.auditrecord import AuditRecord
from govpool.api.cloudresourcerequest import RequestPhase
from govpool.api.cloudserver import CloudServer, DiskPhase, ServerPhase
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderState
from govpool.effects import secrets
from govpool.effects.audit import ANCHORS, read_anchors
from govpool.effects.certificates import KEY_SECRET
from govpool.effects.signing import load_public_key, verifier
from govpool.lifecycle.rulings import ONCE
from govpool.rules.audit_chain import Anchor, verify_trail
from govpool.rules.certificate import verify_chain
from govpool_providers.base import PoolConnection
from govpool_providers.fixture import Effect, FixtureControl
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, World


def pool_of(tmp_path: Path) -> FixtureControl:
    """The other side of the world's fixture pool."""
    return FixtureControl(PoolConnection("fixture-pool", {"state": str(tmp_path / "pool.sqlite")}))


async def nothing_lost_nothing_leaked(world: World, pool: FixtureControl, name: str = REQUEST) -> None:
    """The end of the story that :mod:`tests.functional.lifecycle.story` tells."""
    await settled(world)
    await everything_on_record(world, name)
    await each_thing_once(world, pool)
    await nothing_left(world, pool)
    await certificates_verify(world, 1)
    await trail_whole(world, name)


async def trail_whole(world: World, name: str = REQUEST) -> None:
    """The audit trail is whole up to its anchor, and holds all that the story tells, each thing once."""

    async def anchored() -> bool:
        anchor, records = await anchor_of(world), await world.kube.list(AuditRecord, namespace=NAMESPACE)
        return anchor is not None and anchor.sequence == len(records)

    await world.until(anchored, "the audit trail is anchored to its end")
    records = await world.kube.list(AuditRecord, namespace=NAMESPACE)
    anchor = await anchor_of(world)
    assert anchor is not None
    documents = [(r.metadata.name, r.model_dump(mode="json", by_alias=True)) for r in records]
    (verdict,) = verify_trail(documents, {NAMESPACE: anchor})
    assert verdict.ok, verdict.faults
    keys = [e.key for r in records if r.spec.request.name == name for e in r.spec.entries]
    assert len(keys) == len(set(keys)), "something is recorded twice"
    status = (await world.request(name)).status
    assert status is not None
    lost = {happening.key for happening in status.history} - set(keys)
    assert not lost, f"told and not recorded: {sorted(lost)}"
    assert all(e.article and e.citation.zh for r in records for e in r.spec.entries), (
        "a decision cites nothing"
    )


async def anchor_of(world: World) -> Anchor | None:
    """The anchor of the unit's trail."""
    return read_anchors(await world.kube.core_get("configmaps", secrets.NAMESPACE, ANCHORS)).get(NAMESPACE)


async def settled(world: World) -> None:
    """Wait for the last looks after the phase: orders settle, secrets that have served go."""

    async def still() -> bool:
        orders = await world.kube.list(WorkOrder, namespace=NAMESPACE)
        return all(o.metadata.labels.get("govpool.dev/settled") == "true" for o in orders)

    await world.until(still, "every order is settled")


async def everything_on_record(world: World, name: str) -> None:
    request = await world.request(name)
    status = request.status
    assert status is not None and status.phase is RequestPhase.DEREGISTERED, await world.tell(name)
    assert status.billing.started and status.billing.ended
    assert status.billing.started < status.billing.ended
    keys = [happening.key for happening in status.history]
    assert len(keys) == len(set(keys)), "something is told twice"
    approvals = await world.approvals(name)
    states = [(a.metadata.name, a.spec.revision, a.status and a.status.state) for a in approvals]
    assert [state for _, _, state in states] == [ApprovalState.APPROVED] * 3, states
    for approval in approvals:
        stages = [d.stage for d in approval.spec.decisions]
        assert len(stages) == len(set(stages)) == len(approval.spec.steps), "each decision once"
        told = {f"decision/{approval.metadata.name}/{stage.value}" for stage in stages}
        assert told <= set(keys), "a decision is missing from the history"
    first, second, last = (a.spec.revision for a in approvals)
    opened = ("Quota", "Provision", "Baseline", "Handover", "Trial", "Reports", "Confirmation")
    ended = ("Backup", "Wipe", "Reclaim", "Termination", "Certificate")
    wanted = {f"stage/{stage}" if stage in ONCE else f"stage/{first}/{stage}" for stage in opened}
    wanted |= {f"stage/{second}/{stage}" for stage in ("Quota", "Provision", "Baseline", "Handover")}
    wanted |= {f"stage/{last}/{stage}" for stage in ended}
    assert wanted <= set(keys), f"missing from the history: {sorted(wanted - set(keys))}"
    await orders_and_servers(world)


async def orders_and_servers(world: World) -> None:
    orders = await world.kube.list(WorkOrder, namespace=NAMESPACE)
    done = sorted((o.spec.revision, o.spec.work.value, o.status.state.value) for o in orders if o.status)
    works = [work for _, work, _ in done]
    assert works.count(WorkOrderKind.WIPE.value) == works.count(WorkOrderKind.BACKUP.value) == 1, done
    assert works.count(WorkOrderKind.BASELINE.value) == works.count(WorkOrderKind.HANDOVER.value) == 2, done
    assert {state for _, _, state in done} == {WorkOrderState.SUCCEEDED.value}, done
    servers = await world.kube.list(CloudServer, namespace=NAMESPACE)
    assert len(servers) == 3
    for server in servers:
        assert server.status is not None and server.status.phase is ServerPhase.GONE
        for disk in server.status.disks:
            assert disk.phase is DiskPhase.GONE and disk.held_data
            assert disk.sanitisation and disk.absence and disk.backup and disk.wiped_by


async def each_thing_once(world: World, pool: FixtureControl) -> None:
    """No double create, nothing deleted unwiped, and everything that was made was made for a server."""
    assert pool.violations() == []
    for effect, count in ((Effect.CREATE_MACHINE, 3), (Effect.CREATE_DISK, 6), (Effect.DELETE_DISK, 6)):
        keys = [entry.key for entry in pool.ledger(effect)]
        assert len(keys) == len(set(keys)) == count, f"{effect}: {keys}"
    wiped = {entry.key for entry in pool.ledger(Effect.WIPE)}
    assert wiped == {entry.key for entry in pool.ledger(Effect.DELETE_DISK)}


async def nothing_left(world: World, pool: FixtureControl) -> None:
    """Nothing in the pool, no quota held, no key that opens anything."""
    assert not pool.inventory(), pool.inventory()
    quota = await world.kube.get(TenantQuota, "unit", NAMESPACE)
    assert quota.status is None or quota.status.reservations == []
    assert await secret_names(world) == {KEY_SECRET}


async def secret_names(world: World) -> set[str]:
    """Secrets in the operator's namespace."""
    found = await world.kube.get_path(f"/api/v1/namespaces/{secrets.NAMESPACE}/secrets")
    return {item["metadata"]["name"] for item in found["items"]}  # type: ignore[index, union-attr, call-overload]


async def certificates_verify(world: World, count: int) -> None:
    """As many certificates as expected, in one chain that verifies against the published key."""
    found = await world.kube.list(WipeCertificate, namespace=NAMESPACE)
    assert len(found) == count, [c.metadata.name for c in found]
    chain = await world.kube.core_get("configmaps", secrets.NAMESPACE, "certificate-chain")
    assert chain is not None and "pending" not in chain["data"]  # type: ignore[operator]
    public = load_public_key(chain["data"]["publicKey"].encode())  # type: ignore[index, call-overload, union-attr]
    documents = [
        (c.metadata.name, c.model_dump(mode="json", by_alias=True, exclude_none=True)) for c in found
    ]
    verdicts = verify_chain(documents, verifier([public]), whole=True, head=chain["data"]["yiyang-2025.hash"])  # type: ignore[index, call-overload, arg-type]
    assert all(verdict.ok and verdict.trusted for verdict in verdicts), verdicts
