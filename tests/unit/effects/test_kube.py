"""The connection to the API server, on the embedded control plane with faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from effects_ground import NAMESPACE, Plane, nth, order_of, plane_with, running, server_of
from tenacity import wait_none

from govpool.api.base import FINALIZER, REQUEST_LABEL, SETTLED_LABEL
from govpool.api.cloudserver import CloudServer, CloudServerStatus, Desired
from govpool.api.workorder import WorkOrder
from govpool.effects import kube as kube_module
from govpool.effects.kube import Kube, KubeError
from govpool.effects.kube_errors import advice, kube_error
from govpool.standalone.faults import Fault, FaultKind


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kube._request.retry, "wait", wait_none())  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "asked"), [(429, 5), (503, 5), (500, 1), (409, 1)])
async def test_only_429_and_503_are_asked_again(plane: Plane, status: int, asked: int) -> None:
    plane.fault = lambda _: Fault(FaultKind.STATUS, status)
    with pytest.raises(KubeError) as told:
        await plane.kube.get(CloudServer, "a", NAMESPACE)
    assert told.value.status == status and len(plane.seen) == asked
    assert told.value.passing is (status != 409)


async def test_what_passes_is_not_noticed(plane: Plane) -> None:
    plane.fault = nth(1, FaultKind.STATUS)
    await plane.admin.create(server_of())
    left = [429, 503, 429]
    plane.fault = lambda _: Fault(FaultKind.STATUS, left.pop()) if left else None
    assert (await plane.kube.get(CloudServer, "doc-approval-app-0", NAMESPACE)).spec.vcpu == 2
    assert len(plane.seen) == 4


async def test_a_lost_answer_is_no_answer_and_is_not_repeated(plane: Plane) -> None:
    plane.fault = nth(1, FaultKind.DROP_AFTER)
    with pytest.raises(KubeError) as told:
        await plane.kube.create(server_of())
    assert told.value.status == 0 and told.value.passing and "no answer" in str(told.value)
    assert len(plane.writes()) == 1
    adopted = await plane.kube.create(server_of())
    assert adopted.metadata.uid, "the repetition finds what the lost one made"


async def test_conflict_absent_and_exists_are_told_apart(plane: Plane) -> None:
    server = await plane.kube.create(server_of())
    await plane.kube.write_status(server, CloudServerStatus(message="first"))
    with pytest.raises(KubeError) as conflict:
        await plane.kube.write_status(server, CloudServerStatus(message="on an old version"))
    assert conflict.value.conflict and not conflict.value.exists and not conflict.value.absent
    with pytest.raises(KubeError) as absent:
        await plane.kube.get(CloudServer, "nobody", NAMESPACE)
    assert absent.value.absent and not absent.value.conflict
    with pytest.raises(KubeError) as exists:
        await plane.kube.core_create("configmaps", NAMESPACE, {"metadata": {"name": "a"}})
        await plane.kube.core_create("configmaps", NAMESPACE, {"metadata": {"name": "a"}})
    assert exists.value.exists and not exists.value.conflict


async def test_every_write_of_ours_follows_the_version_that_was_read(plane: Plane) -> None:
    old = await plane.kube.create(server_of())
    await plane.admin.merge(old, {"metadata": {"annotations": {"somebody": "was here"}}})
    grown = old.model_copy(update={"spec": old.spec.model_copy(update={"vcpu": 64})})
    writes = (
        lambda: plane.kube.write_spec(grown),
        lambda: plane.kube.write_status(old, CloudServerStatus()),
        lambda: plane.kube.set_finalizer(old, present=True),
        lambda: plane.kube.settle(old),
    )
    for write in writes:
        with pytest.raises(KubeError) as told:
            await write()
        assert told.value.conflict
    left = await plane.kube.get(CloudServer, old.metadata.name, NAMESPACE)
    assert left.spec.vcpu == 2 and not left.metadata.finalizers and left.status is None


async def test_spec_status_finalizer_and_label_are_written(plane: Plane) -> None:
    server = await plane.kube.create(server_of())
    assert server.metadata.labels[REQUEST_LABEL]
    spec = server.spec.model_copy(update={"desired": Desired.RELEASED, "vcpu": 8})
    server = await plane.kube.write_spec(server.model_copy(update={"spec": spec}))
    server = await plane.kube.write_status(server, CloudServerStatus(vcpu=8))
    server = await plane.kube.set_finalizer(server, present=True)
    server = await plane.kube.set_finalizer(server, present=True)
    assert server.metadata.finalizers == (FINALIZER,)
    server = await plane.kube.settle(server)
    assert server.spec.desired is Desired.RELEASED and server.status is not None and server.status.vcpu == 8
    assert server.metadata.labels[SETTLED_LABEL] == "true" and REQUEST_LABEL in server.metadata.labels
    server = await plane.kube.set_finalizer(server, present=False)
    assert server.metadata.finalizers == ()


async def test_nothing_stays_null_inside_a_list(plane: Plane) -> None:
    server = await plane.kube.create(server_of())
    assert server.spec.disks[0].volume_class is None
    spec = server.spec.model_copy(update={"vcpu": 8})
    await plane.kube.write_spec(server.model_copy(update={"spec": spec}))
    raw = await plane.kube.get_path(
        f"/apis/govpool.dev/v1alpha1/namespaces/{NAMESPACE}/cloudservers/{server.metadata.name}"
    )
    assert "volumeClass" not in raw["spec"]["disks"][0]  # type: ignore[index, call-overload]


async def test_create_adopts_what_was_made_for_the_same_request_only(plane: Plane) -> None:
    first = await plane.kube.create(server_of())
    assert (await plane.kube.create(server_of())).metadata.uid == first.metadata.uid
    with pytest.raises(KubeError) as told:
        await plane.kube.create(server_of(uid="another-request"))
    assert told.value.exists and not told.value.conflict
    assert "another name" in told.value.message and "another-request" in told.value.message
    stranger = server_of("stray")
    metadata = stranger.metadata.model_copy(update={"labels": {}})
    await plane.admin.create(stranger.model_copy(update={"metadata": metadata}))
    with pytest.raises(KubeError) as told:
        await plane.kube.create(stranger)
    assert "somebody else" in told.value.message


async def test_a_list_comes_in_pages_and_whole(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_module, "PAGE", 3)
    for number in range(8):
        await plane.admin.create(server_of(f"s-{number}"))
    found = await plane.kube.list(CloudServer)
    assert sorted(s.metadata.name for s in found) == [f"s-{n}" for n in range(8)]
    assert len(plane.seen) == 3
    version, uids = await plane.kube.list_as(CloudServer, lambda d: str(d["metadata"]["uid"]))  # type: ignore[index, call-overload]
    assert version.isdigit() and len(set(uids)) == 8


async def test_a_list_whose_snapshot_was_lost_begins_anew(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_module, "PAGE", 3)
    for number in range(5):
        await plane.admin.create(server_of(f"s-{number}"))
    lists = 0

    def second_page_is_gone(_: object) -> Fault | None:
        nonlocal lists
        lists += 1
        return Fault(FaultKind.STATUS, 410) if lists == 2 else None

    plane.fault = second_page_is_gone
    found = await plane.kube.list(CloudServer)
    assert sorted(s.metadata.name for s in found) == [f"s-{n}" for n in range(5)], "none twice, none left out"


async def test_a_list_that_breaks_off_gives_nothing(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_module, "PAGE", 2)
    for number in range(5):
        await plane.admin.create(server_of(f"s-{number}"))
    lists = 0

    def third_page_fails(_: object) -> Fault | None:
        nonlocal lists
        lists += 1
        return Fault(FaultKind.STATUS, 500) if lists == 3 else None

    plane.fault = third_page_fails
    with pytest.raises(KubeError):
        await plane.kube.list(CloudServer)


async def test_a_selector_leaves_the_settled_out(plane: Plane) -> None:
    kept, settled = await plane.kube.create(order_of("kept")), await plane.kube.create(order_of("settled"))
    await plane.kube.settle(settled)
    found = await plane.kube.list(WorkOrder, labels=f"{SETTLED_LABEL}!=true")
    assert [o.metadata.name for o in found] == [kept.metadata.name]


async def test_deleting_means_this_object_and_gone_is_success(plane: Plane) -> None:
    old = await plane.kube.create(server_of())
    await plane.kube.delete(old)
    await plane.kube.delete(old)
    await plane.kube.create(server_of())
    with pytest.raises(KubeError) as told:
        await plane.kube.delete(old)
    assert told.value.conflict, "a namesake is not deleted"


async def test_the_namespace_is_made_only_where_it_is_missing(plane: Plane) -> None:
    await plane.kube.ensure_namespace(NAMESPACE)
    assert plane.writes() == []
    with pytest.raises(KubeError) as told:
        await plane.kube.ensure_namespace("new")
    assert told.value.status == 403 and "ClusterRole" in advice(told.value)
    await plane.admin.ensure_namespace("new")


async def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    async with plane_with(tmp_path / "plane") as plane:
        kubeconfig = plane.operator_kubeconfig
    kube = await Kube.connect(kubeconfig)
    try:
        with pytest.raises(KubeError) as told:
            await kube.get(CloudServer, "a", NAMESPACE)
        assert told.value.status == 0 and told.value.passing and "running" in advice(told.value)
    finally:
        await kube.close()


def test_an_answer_that_is_no_status_is_told_short() -> None:
    assert kube_error(502, "<html>" + "x" * 9000).message == "<html>" + "x" * 494
    assert kube_error(500, "[]").status == 500
    assert kube_error(403, '{"reason": "Forbidden", "message": "no"}').reason == "Forbidden"
    assert advice(kube_error(401, "")) and not advice(kube_error(500, ""))


async def test_a_status_is_written_without_touching_the_spec(plane: Plane) -> None:
    order = await plane.kube.create(order_of())
    written = await plane.kube.write_status(order, running("me"))
    assert written.status is not None and written.status.lease is not None
    assert written.metadata.generation == order.metadata.generation
