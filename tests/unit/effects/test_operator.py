"""The operator's start, its list after a gap, its end, and who is woken by what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from effects_ground import (
    NAMESPACE,
    UID,
    Plane,
    order_of,
    plane_with,
    policy_of,
    pool_of,
    quota,
    request_of,
    server_of,
    until,
    versioned,
)

from govpool.api.base import PAUSED_ANNOTATION, SETTLED_LABEL, Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import Standing, TenantQuotaStatus
from govpool.api.workorder import WorkOrder, WorkOrderStatus
from govpool.effects import operator as operator_module
from govpool.effects.dependents import CHAIN, woken
from govpool.effects.kube import KubeError
from govpool.effects.operator import Operator, Options, readable
from govpool.effects.store import Key, Store
from govpool.standalone.faults import Fault, FaultKind

REQUEST_KEY: Key = ("CloudResourceRequest", NAMESPACE, "doc-approval")
SERVER_KEY: Key = ("CloudServer", NAMESPACE, "doc-approval-app-0")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(operator_module, "LONGEST_WAIT", 0.02)


@pytest.fixture
async def operator(plane: Plane, tmp_path: Path) -> AsyncIterator[Operator]:
    """An operator that is fed by nobody."""
    made = Operator(Options(plane.operator_kubeconfig, tmp_path / "operator", workers=2))
    await made.start()
    yield made
    await made.stop()


# -- starting ------------------------------------------------------------------------------------
async def test_missing_kinds_are_told_with_the_remedy_and_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with plane_with(tmp_path / "plane") as plane:
        await plane.admin.ensure_namespace("govpool-system")
        made = Operator(Options(plane.operator_kubeconfig, tmp_path / "operator", workers=1))
        starting = asyncio.create_task(made.start())
        try:
            await until(lambda: "govpool crds apply" in caplog.text, "told")
            assert "cloudpolicies.govpool.dev" in caplog.text and not starting.done()
            lists = len(plane.seen)
            await until(lambda: len(plane.seen) > lists + 3, "asked again")
            assert caplog.text.count("govpool crds apply") == 1, "the same hindrance is told once"
            await plane.install_kinds()
            await asyncio.wait_for(starting, 10)
        finally:
            starting.cancel()
            await made.stop()


async def test_missing_rights_are_told_by_name(
    plane: Plane, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Operator(Options(plane.server.kubeconfig("unit"), tmp_path / "operator", workers=1))
    starting = asyncio.create_task(made.start())
    try:
        await until(lambda: "ClusterRole" in caplog.text, "told")
        assert "forbidden" in caplog.text and "cannot" in caplog.text
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await made.stop()


async def test_an_api_server_that_comes_later_is_waited_for(
    installed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import shutil

    state = tmp_path / "plane"
    shutil.copytree(installed, state)
    async with plane_with(state) as plane:
        kubeconfig = plane.operator_kubeconfig
    made = Operator(Options(kubeconfig, tmp_path / "operator", workers=1))
    starting = asyncio.create_task(made.start())
    try:
        await until(lambda: "is the API server running" in caplog.text, "told")
        async with plane_with(state):
            await asyncio.wait_for(starting, 10)
            await made.stop()
    finally:
        starting.cancel()
        await made.stop()


async def test_nothing_is_decided_before_all_was_listed(plane: Plane, tmp_path: Path) -> None:
    await plane.admin.create(request_of())
    last = "wipecertificates"
    plane.fault = lambda r: Fault(FaultKind.STATUS, 500) if r.resource == last else None
    made = Operator(Options(plane.operator_kubeconfig, tmp_path / "operator"))
    starting = asyncio.create_task(made.start())
    try:
        await until(lambda: sum(r.resource == last for r in plane.seen) > 3, "asked often")
        assert plane.writes() == [] and not starting.done()
        plane.fault = lambda _: None
        await asyncio.wait_for(starting, 10)
        await until(plane.writes, "at work")
    finally:
        starting.cancel()
        await made.stop()


async def test_what_can_not_be_read_is_told_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = {"metadata": {"name": "odd", "namespace": "ns"}, "spec": {"vcpu": "many"}}
    assert readable(CloudServer, document) is None  # type: ignore[arg-type]
    assert "CloudServer ns/odd can't be read and is left alone" in caplog.text
    assert readable(CloudServer, {}) is None


async def test_stopping_may_be_repeated_and_done_before_a_start(tmp_path: Path) -> None:
    made = Operator(Options(None, tmp_path))
    await made.stop()
    await made.stop()


# -- deletions that no event told ----------------------------------------------------------------
async def test_a_list_after_a_gap_forgets_what_is_gone_and_takes_in_what_came(
    operator: Operator, plane: Plane
) -> None:
    gone, kept = await plane.admin.create(order_of()), await plane.admin.create(order_of("kept"))
    operator.saw(gone)
    operator.saw(kept)
    await plane.admin.delete(gone)
    came = await plane.admin.create(order_of("came"))
    version = await operator.list_anew(WorkOrder)
    assert operator.store.find(gone.key) is None
    assert operator.store.find(kept.key) is kept, "what is known in this version is not read again"
    assert operator.store.find(came.key) == came
    assert int(version) >= int(came.metadata.resource_version)


async def test_a_list_that_fails_forgets_nothing(operator: Operator, plane: Plane) -> None:
    order = await plane.admin.create(order_of())
    operator.saw(order)
    await plane.admin.delete(order)
    plane.fault = lambda r: Fault(FaultKind.STATUS, 500) if r.verb == "list" else None
    with pytest.raises(KubeError):
        await operator.list_anew(WorkOrder)
    assert operator.store.find(order.key) == order
    plane.fault = lambda _: None
    await operator.list_anew(WorkOrder)
    assert operator.store.find(order.key) is None


async def test_what_settles_leaves_the_store(operator: Operator, plane: Plane) -> None:
    order = await plane.admin.create(order_of())
    operator.saw(order)
    settled = await plane.admin.settle(order)
    operator.saw(settled)
    assert operator.store.find(order.key) is None
    operator.saw(order)
    assert operator.store.find(order.key) is None, "a late event does not bring it back"


# -- faults --------------------------------------------------------------------------------------
async def test_a_bug_in_one_key_does_not_stop_the_others(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = asyncio.Event()
    real = operator.reconciler.reconcile

    async def reconcile(key: Key) -> object:
        if key[2] == "bad":
            raise ZeroDivisionError("a bug")
        if key[2] == "good":
            done.set()
        return await real(key)

    monkeypatch.setattr(operator.reconciler, "reconcile", reconcile)
    for name in ("bad", "bad", "good"):
        operator.queue.add(("CloudServer", NAMESPACE, name))
    await asyncio.wait_for(done.wait(), 5)
    await until(lambda: "ZeroDivisionError" in caplog.text, "logged whole")
    assert operator.fault is None and ("CloudServer", NAMESPACE, "bad") in operator.queue._due_of


async def test_a_part_that_must_run_and_ends_is_told(
    plane: Plane, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = asyncio.Event()
    made = Operator(Options(plane.operator_kubeconfig, tmp_path / "operator", workers=1), broken.set)
    await made.start()
    try:
        made.queue._due.append("no due time")  # type: ignore[arg-type]
        made.queue._moved.set()
        await asyncio.wait_for(broken.wait(), 5)
        assert isinstance(made.fault, ValueError) and "heap ended by a bug" in caplog.text
    finally:
        await made.stop()


async def test_stopping_is_no_fault(plane: Plane, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    made = Operator(Options(plane.operator_kubeconfig, tmp_path / "operator"))
    await made.start()
    await made.stop()
    await asyncio.sleep(0)
    assert made.fault is None and "ended by a bug" not in caplog.text


# -- who is woken --------------------------------------------------------------------------------
def keys(store: Store, before: Resource | None, after: Resource | None) -> set[Key]:
    return set(woken(store, before, after))


def at_quota(state: str) -> CloudResourceRequest:
    stage = {"stage": "Quota", "state": state, "article": "10", "message": ""}
    status = CloudResourceRequestStatus.model_validate({"phase": "Opening", "stages": [stage]})
    return request_of(f"at-{state.lower()}", f"uid-{state}").model_copy(update={"status": status})


def test_what_is_made_for_a_request_wakes_it() -> None:
    server, order = server_of(), order_of()
    assert keys(Store(), None, server) == {SERVER_KEY, REQUEST_KEY}
    assert keys(Store(), server, None) == {SERVER_KEY, REQUEST_KEY}
    assert keys(Store(), order, None) == {order.key, REQUEST_KEY, SERVER_KEY}
    assert keys(Store(), None, None) == set()


def with_status(order: WorkOrder, **status: object) -> WorkOrder:
    made = WorkOrderStatus.model_validate(status)
    return versioned(order, int(order.metadata.resource_version or 0) + 1).model_copy(update={"status": made})


def test_an_order_wakes_others_when_something_came_of_it_and_not_on_its_way() -> None:
    issued = versioned(order_of(), 1)
    everyone = {issued.key, REQUEST_KEY, SERVER_KEY}
    assert keys(Store(), None, issued) == {issued.key, REQUEST_KEY}
    running = with_status(issued, state="Running", attempts=1)
    further = with_status(running, state="Running", attempts=1, progress="12 of 40")
    assert keys(Store(), issued, running) == keys(Store(), running, further) == {issued.key}
    for came in (
        {"state": "Succeeded"},
        {"state": "Failed", "message": "no route to host"},
        {"state": "Pending", "message": "no route to host"},
        {"state": "Running", "servers": [{"server": "doc-approval-app-0", "ok": True}]},
    ):
        assert keys(Store(), further, with_status(further, **came)) == everyone, came
    marked = versioned(further, 9, annotations={"govpool.dev/retry": "now"})
    assert keys(Store(), further, marked) == everyone


def test_supply_wakes_every_request_when_it_comes_changes_or_goes() -> None:
    store = Store()
    store.put(versioned(request_of(), 1, UID))
    for supply in (pool_of(), policy_of()):
        same = versioned(supply, 2, generation=1)
        assert REQUEST_KEY in keys(store, None, same)
        assert REQUEST_KEY in keys(store, same, versioned(supply, 3, generation=2))
        assert REQUEST_KEY in keys(store, same, None)
        assert keys(store, same, versioned(supply, 3, generation=1)) == {supply.key}, "a status is no news"


def test_a_reservation_wakes_only_who_waits_for_one() -> None:
    store = Store()
    waiting, done = at_quota("Waiting"), at_quota("Done")
    for number, request in enumerate((waiting, done)):
        store.put(versioned(request, number + 1, request.metadata.uid))
    before = versioned(quota(), 5, generation=1).model_copy(update={"status": TenantQuotaStatus()})
    reserved = versioned(before, 6, generation=1)
    assert keys(store, before, reserved) == {quota().key, waiting.key}
    assert keys(store, before, versioned(before, 6, generation=2)) == {quota().key, waiting.key, done.key}
    stopped = reserved.model_copy(update={"status": TenantQuotaStatus(standing=Standing.ISSUING_STOPPED)})
    assert done.key in keys(store, before, stopped)
    assert done.key in keys(store, None, reserved) and done.key in keys(store, before, None)


def test_going_on_after_a_pause_wakes_what_was_made() -> None:
    store, server = Store(), server_of()
    store.put(versioned(server, 1))
    store.put(versioned(order_of(), 2, "u2"))
    goes_on = versioned(request_of(), 4, UID)
    paused = versioned(request_of(), 3, UID, annotations={PAUSED_ANNOTATION: "true"})
    assert keys(store, paused, goes_on) == {REQUEST_KEY, server.key, order_of().key}
    assert keys(store, goes_on, paused) == {REQUEST_KEY}


def test_a_certificate_that_came_wakes_the_chain_once() -> None:
    import certificate_examples as examples

    from govpool.api.wipecertificate import WipeCertificate

    document = {
        "kind": "WipeCertificate",
        "metadata": {"name": "c", "namespace": NAMESPACE, "labels": {"govpool.dev/request-uid": UID}},
        "spec": examples.document(),
    }
    certificate = WipeCertificate.model_validate(document)
    assert keys(Store(), None, certificate) == {certificate.key, CHAIN, REQUEST_KEY}
    assert CHAIN not in keys(Store(), certificate, certificate)


def test_labels_of_settling_are_what_the_watch_leaves_out() -> None:
    assert f"{SETTLED_LABEL}!=true" == operator_module.NOT_SETTLED
    assert set(operator_module.SETTLING) < set(operator_module.WATCHED)
