"""Carrying out actions: each does what it says, may be repeated, and learns from a conflict."""

from __future__ import annotations

import logging
from pathlib import Path

import certificate_examples as examples
import pytest
from effects_ground import (
    NAMESPACE,
    NOW,
    OWN,
    UID,
    HandClock,
    Plane,
    everything,
    nth,
    order_of,
    quota,
    request_of,
    running,
    server_of,
)

from govpool.api.base import FINALIZER, Resource
from govpool.api.cloudserver import CloudServer, CloudServerStatus, Desired, ServerPhase
from govpool.api.tenantquota import TenantQuota, TenantQuotaStatus
from govpool.api.wipecertificate import WipeCertificate, WipeCertificateSpec
from govpool.api.workorder import WorkOrder, WorkOrderStatus
from govpool.effects import access, events, secrets
from govpool.effects.apply import Applier, Feedback, ServerTarget
from govpool.effects.kube import KubeError
from govpool.effects.pools import Pool
from govpool.effects.signing import CertificateRefusedError
from govpool.effects.store import Store
from govpool.lifecycle.actions import (
    AddDisks,
    Announce,
    Create,
    DeleteDisk,
    EnsureMachine,
    HoldFinalizer,
    IssueCertificate,
    LetGo,
    ReleaseMachine,
    ResizeMachine,
    SetPower,
    Settle,
    StartRun,
    WriteQuota,
    WriteSpec,
    WriteStatus,
)
from govpool.standalone.faults import FaultKind
from govpool_providers.base import DiskWant, MachineState, PoolConnection, Size
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.fixture import FixtureProvider


class Hands:
    """An applier, its store, and what it learnt on the way."""

    def __init__(self, plane: Plane) -> None:
        self.plane, self.store = plane, Store()
        self.lost: list[Resource] = []
        feedback = Feedback(lambda _: None, self.store.put, self._lost)
        self.applier = Applier(plane.kube, self.store, HandClock(), feedback)

    def _lost(self, resource: Resource) -> None:
        self.lost.append(resource)
        self.store.drop(resource)

    async def do(self, *actions: object, target: ServerTarget | None = None) -> None:
        await self.applier.apply(tuple(actions), target)  # type: ignore[arg-type]

    async def server(self) -> CloudServer:
        await self.do(Create(server_of()))
        found = self.store.get(CloudServer, "doc-approval-app-0", NAMESPACE)
        assert found is not None
        return found


@pytest.fixture
def hands(plane: Plane) -> Hands:
    return Hands(plane)


# -- objects -------------------------------------------------------------------------------------
async def test_a_server_has_its_finalizer_from_its_first_moment(hands: Hands) -> None:
    server = await hands.server()
    assert server.metadata.finalizers == (FINALIZER,)
    await hands.do(Create(server_of()))
    assert len(await hands.plane.admin.list(CloudServer)) == 1
    await hands.do(Create(order_of()))
    order = hands.store.get(WorkOrder, order_of().metadata.name, NAMESPACE)
    assert order is not None and order.metadata.finalizers == ()


async def test_spec_and_status_are_written_and_known_at_once(hands: Hands) -> None:
    server = await hands.server()
    spec = server.spec.model_copy(update={"desired": Desired.RELEASED})
    await hands.do(WriteSpec(server.model_copy(update={"spec": spec})))
    server = hands.store.get(CloudServer, server.metadata.name, NAMESPACE) or server
    await hands.do(WriteStatus(server, CloudServerStatus(phase=ServerPhase.RELEASED)))
    known = hands.store.get(CloudServer, server.metadata.name, NAMESPACE)
    assert known is not None and known.status is not None
    assert (known.spec.desired, known.status.phase) == (Desired.RELEASED, ServerPhase.RELEASED)


async def test_a_conflict_teaches_the_newest_version(hands: Hands) -> None:
    server = await hands.server()
    changed = await hands.plane.admin.merge(server, {"metadata": {"annotations": {"a": "b"}}})
    with pytest.raises(KubeError) as told:
        await hands.do(WriteStatus(server, CloudServerStatus()))
    assert told.value.conflict
    assert hands.store.find(server.key) == changed
    await hands.do(WriteStatus(changed, CloudServerStatus()))


async def test_what_was_deleted_unseen_is_lost_at_the_next_write(hands: Hands) -> None:
    await hands.do(Create(order_of()))
    order = hands.store.get(WorkOrder, order_of().metadata.name, NAMESPACE)
    assert order is not None
    await hands.plane.admin.delete(order)
    with pytest.raises(KubeError):
        await hands.do(WriteStatus(order, WorkOrderStatus()))
    assert hands.lost == [order] and hands.store.find(order.key) is None


async def test_what_was_made_anew_takes_the_old_ones_place(hands: Hands) -> None:
    await hands.do(Create(order_of()))
    order = hands.store.get(WorkOrder, order_of().metadata.name, NAMESPACE)
    assert order is not None
    await hands.plane.admin.delete(order)
    anew = await hands.plane.admin.create(order_of())
    with pytest.raises(KubeError):
        await hands.do(WriteStatus(order, WorkOrderStatus()))
    assert hands.lost == [order] and hands.store.find(order.key) == anew


async def test_nothing_follows_an_action_that_failed(hands: Hands) -> None:
    server = await hands.server()
    hands.plane.fault = nth(1, FaultKind.STATUS)
    with pytest.raises(KubeError):
        await hands.do(WriteStatus(server, CloudServerStatus()), Create(order_of()))
    assert await hands.plane.admin.list(WorkOrder) == ()


async def test_a_reservation_follows_the_version_that_was_judged(hands: Hands) -> None:
    made = await hands.plane.admin.create(quota())
    hands.store.put(made)
    version, status = made.metadata.resource_version, TenantQuotaStatus()
    await hands.do(WriteQuota(NAMESPACE, version, status))
    with pytest.raises(KubeError) as told:
        await hands.do(WriteQuota(NAMESPACE, version, status))
    assert told.value.conflict
    with pytest.raises(KubeError) as told:
        await hands.do(WriteQuota("nobody", version, status))
    assert told.value.conflict
    assert hands.store.get(TenantQuota, "unit", NAMESPACE) is not None


async def test_the_finalizer_is_held_and_let_go(hands: Hands) -> None:
    server = await hands.server()
    await hands.plane.kube.set_finalizer(server, present=False)
    server = await hands.plane.kube.get(CloudServer, server.metadata.name, NAMESPACE)
    await hands.do(HoldFinalizer(server))
    held = await hands.plane.kube.get(CloudServer, server.metadata.name, NAMESPACE)
    assert held.metadata.finalizers == (FINALIZER,)
    await access.keys_of(hands.plane.kube, held)
    await hands.plane.admin.delete(held)
    held = await hands.plane.kube.get(CloudServer, held.metadata.name, NAMESPACE)
    hands.store.put(held)
    await hands.do(LetGo(held, "seen absent"))
    assert hands.store.find(held.key) is None
    assert await hands.plane.admin.list(CloudServer) == ()
    assert await access.known_keys(hands.plane.kube, held) is None


async def test_somebody_elses_finalizer_stays(hands: Hands) -> None:
    server = await hands.server()
    body = {"metadata": {"finalizers": [FINALIZER, "example.com/other"]}}
    server = await hands.plane.admin.merge(server, body)  # type: ignore[arg-type]
    await hands.do(LetGo(server, "seen absent"))
    left = await hands.plane.kube.get(CloudServer, server.metadata.name, NAMESPACE)
    assert left.metadata.finalizers == ("example.com/other",)
    assert hands.store.find(left.key) == left


async def test_settling_cleans_up_first_and_leaves_the_store(hands: Hands) -> None:
    await hands.do(Create(order_of("wipe", "Wipe")))
    order = hands.store.get(WorkOrder, "wipe", NAMESPACE)
    assert order is not None
    await secrets.once(hands.plane.kube, f"wipe-{order.spec.run_key}", lambda: {"key": "k"})
    hands.plane.fault = nth(2, FaultKind.STATUS)  # the label is not written
    with pytest.raises(KubeError):
        await hands.do(Settle(order))
    assert hands.store.find(order.key) == order
    hands.plane.fault = lambda _: None
    await hands.do(Settle(order))
    assert hands.store.find(order.key) is None and not hands.store.put(order)
    assert await secrets.read(hands.plane.kube, f"wipe-{order.spec.run_key}") is None


async def test_settling_a_handover_forgets_the_keys_that_a_kill_left(hands: Hands) -> None:
    server = await hands.server()
    await access.keys_of(hands.plane.kube, server)
    await hands.do(Create(order_of("handover", "Handover")))
    order = hands.store.get(WorkOrder, "handover", NAMESPACE)
    assert order is not None
    await hands.do(Settle(order))
    assert await access.known_keys(hands.plane.kube, server) is None


async def test_a_certificate_is_issued_or_refused_for_people_to_see(hands: Hands) -> None:
    request = request_of()
    draft = WipeCertificateSpec.model_validate(examples.document() | {"authority": "yiyang-2025"})
    await hands.do(IssueCertificate(request, "c", draft))
    assert hands.store.get(WipeCertificate, "c", NAMESPACE) is not None
    bad = draft.model_copy(update={"confirmation": None})
    for _ in range(3):
        with pytest.raises(CertificateRefusedError):
            await hands.do(IssueCertificate(request, "d", bad))
    posted = await posted_events(hands.plane)
    assert [e["reason"] for e in posted] == ["CertificateRefused"], "told once, however often it is tried"


# -- events --------------------------------------------------------------------------------------
async def posted_events(plane: Plane) -> list[dict[str, object]]:
    found = await plane.admin.get_path(f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events")
    return found["items"]  # type: ignore[return-value]


async def test_an_event_is_posted_once_and_fits(hands: Hands) -> None:
    request, note = request_of(), "处置" * 600
    for _ in range(3):
        await hands.do(Announce(request, "Overdue", note, warning=True))
    (event,) = await posted_events(hands.plane)
    text = str(event["note"])
    assert len(text.encode()) <= events.NOTE_BYTES and note.startswith(text) and len(text) > 300
    assert event["type"] == "Warning" and event["regarding"]["uid"] == UID  # type: ignore[index, call-overload]


async def test_an_event_that_can_not_be_posted_holds_nothing_up(
    hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    hands.plane.fault = nth(1, FaultKind.STATUS)
    await hands.do(Announce(request_of(), "Opened", "note"), Create(order_of()))
    assert "was not posted" in caplog.text
    assert len(await hands.plane.admin.list(WorkOrder)) == 1


async def test_the_name_of_an_event_fits_for_the_longest_object(hands: Hands) -> None:
    meta = request_of().metadata.model_copy(update={"name": "x" * 253})
    await hands.do(Announce(request_of().model_copy(update={"metadata": meta}), "Opened", "note"))
    (event,) = await posted_events(hands.plane)
    assert len(event["metadata"]["name"]) <= 253  # type: ignore[index, arg-type, call-overload]


# -- machines ------------------------------------------------------------------------------------
@pytest.fixture
def provider(tmp_path: Path) -> FixtureProvider:
    settings = {"state": str(tmp_path / "pool.sqlite")}
    return FixtureProvider(PoolConnection("fixture-pool", settings), sleep=lambda _: None)


async def test_a_machine_lives_and_goes(
    hands: Hands, provider: FixtureProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = await hands.server()
    target = ServerTarget(server, Pool("fixture-pool", provider))
    key, root = server.spec.key, server.spec.disks[0].key
    await hands.do(EnsureMachine(key), EnsureMachine(key), target=target)
    assert len(provider.list_machines()) == 1
    keys = await access.known_keys(hands.plane.kube, server)
    assert keys is not None, "the keys are on record before the machine is there"
    await hands.do(ResizeMachine(key, Size(4, 8)), target=target)
    data = DiskWant("gpd-data", "data", 10)
    await hands.do(AddDisks(key, (data,)), AddDisks(key, (data,)), target=target)
    await hands.do(SetPower(key, on=False), target=target)
    machine = provider.find_machine(key)
    assert machine is not None and machine.size == Size(4, 8) and machine.state is MachineState.STOPPED
    assert {disk.key for disk in provider.list_disks(key)} == {root, "gpd-data"}
    await hands.do(ReleaseMachine(key), ReleaseMachine(key), target=target)
    assert provider.find_machine(key) is None and len(provider.list_disks(key)) == 2
    for disk in (root, "gpd-data"):
        await hands.do(DeleteDisk(key, disk, "wipe-r1"), DeleteDisk(key, disk, "wipe-r1"), target=target)
    assert provider.list_disks(key) == ()
    assert "wiped by wipe-r1" in caplog.text
    told = caplog.text + await everything(hands.plane.admin, but=("secrets",))
    assert "PRIVATE KEY" not in told and keys.operator_private.splitlines()[1] not in told


async def test_a_pool_that_refuses_is_told_by_its_code(hands: Hands, provider: FixtureProvider) -> None:
    server = await hands.server()
    target = ServerTarget(server, Pool("fixture-pool", provider))
    with pytest.raises(ProviderError) as told:
        await hands.do(ResizeMachine("gp-nobody", Size(1, 1)), target=target)
    assert told.value.code in ErrorCode


async def test_an_action_nobody_carries_out_is_a_bug(hands: Hands, provider: FixtureProvider) -> None:
    with pytest.raises(TypeError, match="about a server"):
        await hands.do(EnsureMachine("gp-x"))
    target = ServerTarget(server_of(), Pool("fixture-pool", provider))
    with pytest.raises(TypeError, match="StartRun"):
        await hands.do(StartRun("baseline-r1", 1), target=target)


async def test_the_status_of_an_order_is_as_it_was_written(hands: Hands) -> None:
    await hands.do(Create(order_of()))
    order = hands.store.get(WorkOrder, order_of().metadata.name, NAMESPACE)
    assert order is not None
    await hands.do(WriteStatus(order, running("me")))
    written = hands.store.get(WorkOrder, order.metadata.name, NAMESPACE)
    assert written is not None and written.status == running("me")
    assert written.status.started == NOW and OWN != NAMESPACE
