"""The API server in memory keeps what the real one promises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.simulation.simulation_ground import ground, scenario

from govpool.api.base import FINALIZER, REQUEST_LABEL, ObjectMeta, OwnerReference, Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus, RequestPhase
from govpool.api.tenantquota import TenantQuota
from govpool.effects.kube import Json
from govpool.effects.kube_errors import KubeError
from govpool.simulation.door import unruled
from govpool.simulation.kube import MemoryKube
from govpool.simulation.loop import VirtualClock, VirtualLoop

UNIT = "heshan-data-bureau"


class Written(list[tuple[Resource | None, Resource | None]]):
    def __call__(self, before: Resource | None, after: Resource | None) -> None:
        self.append((before, after))


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
async def kube(written: Written) -> MemoryKube:
    loop = VirtualLoop()
    made = MemoryKube(loop, VirtualClock(loop, datetime(2026, 1, 5, tzinfo=UTC)), 0, written)
    await made.ensure_namespace(UNIT)
    loop.close()
    return made


def document() -> dict[str, Any]:
    return ground().request(scenario(), "system")


async def test_a_spec_that_changes_gets_a_generation_and_a_status_does_not(kube: MemoryKube) -> None:
    made = kube.post(CloudResourceRequest, document())
    assert made.metadata.generation == 1 and made.metadata.uid and made.status is None
    told = await kube.write_status(made, CloudResourceRequestStatus(phase=RequestPhase.IN_REVIEW))
    assert told.metadata.generation == 1 and told.spec is made.spec
    edited = kube.patch(CloudResourceRequest, "system", UNIT, {"spec": {"system": {"name": "other"}}})
    assert edited.metadata.generation == 2 and edited.status == told.status
    same = kube.patch(CloudResourceRequest, "system", UNIT, {"spec": {"system": {"name": "other"}}})
    assert same.metadata.resource_version == edited.metadata.resource_version


async def test_what_an_edit_leaves_alone_is_the_very_same_afterwards(kube: MemoryKube) -> None:
    made = kube.post(CloudResourceRequest, document())
    stated: Json = {"by": "liu", "at": "2026-01-05T09:00:00Z", "statement": "as agreed"}
    agreed = kube.patch(CloudResourceRequest, "system", UNIT, _confirmed("agreement", stated))
    delivered = kube.patch(CloudResourceRequest, "system", UNIT, _confirmed("delivery", stated))
    assert delivered.spec.servers is made.spec.servers
    assert delivered.spec.confirmations.agreement is agreed.spec.confirmations.agreement is not None
    assert delivered == CloudResourceRequest.model_validate(delivered.model_dump(mode="json", by_alias=True))


def _confirmed(what: str, stated: Json) -> Json:
    return {"spec": {"confirmations": {what: stated}}}


async def test_a_write_after_somebody_elses_is_a_conflict(kube: MemoryKube) -> None:
    read = kube.post(CloudResourceRequest, document())
    kube.patch(CloudResourceRequest, "system", UNIT, {"spec": {"system": {"name": "other"}}})
    with pytest.raises(KubeError) as refused:
        await kube.write_status(read, CloudResourceRequestStatus())
    assert refused.value.conflict and kube.conflicts == 1


async def test_a_finalizer_holds_and_what_is_owned_goes_too(kube: MemoryKube, written: Written) -> None:
    made = await kube.set_finalizer(kube.post(CloudResourceRequest, document()), present=True)
    owner = OwnerReference(api_version="v", kind="K", name="system", uid=made.metadata.uid)
    quota = ground().units(scenario())[UNIT]
    spec = TenantQuota.model_validate(quota).spec
    meta = ObjectMeta(name="unit", namespace=UNIT, owner_references=(owner,))
    await kube.create(TenantQuota(metadata=meta, spec=spec))
    await kube.delete(made)
    held = await kube.get(CloudResourceRequest, "system", UNIT)
    assert held.deleting and FINALIZER in held.metadata.finalizers
    await kube.set_finalizer(held, present=False)
    assert kube.find(CloudResourceRequest, "system", UNIT) is None
    assert kube.find(TenantQuota, "unit", UNIT) is None
    assert [after for _, after in written[-2:]] == [None, None]


async def test_what_the_crd_refuses_is_refused(kube: MemoryKube) -> None:
    with pytest.raises(KubeError, match="at least one server or service"):
        kube.post(CloudResourceRequest, {**document(), "spec": {**document()["spec"], "servers": []}})
    kube.post(CloudResourceRequest, document())
    with pytest.raises(KubeError, match="pool is immutable"):
        kube.patch(CloudResourceRequest, "system", UNIT, {"spec": {"pool": "other"}})
    with pytest.raises(KubeError, match="unknown field"):
        kube.patch(CloudResourceRequest, "system", UNIT, {"spec": {"sistem": {}}})


async def test_a_rule_about_an_edit_sees_of_the_status_what_it_asks_for(kube: MemoryKube) -> None:
    kube.post(CloudResourceRequest, document())
    leaving: Json = {"state": "Deregistered", "deregistration": {"reason": "SupersededBySuperiorPlatform"}}
    left = kube.patch(CloudResourceRequest, "system", UNIT, {"spec": leaving})
    await kube.write_status(left, CloudResourceRequestStatus(phase=RequestPhase.DEREGISTERING))
    with pytest.raises(KubeError, match="deregistration"):
        kube.patch(CloudResourceRequest, "system", UNIT, {"spec": {"state": "Active"}})
    assert "phase" not in unruled(CloudResourceRequest, CloudResourceRequestStatus)
    assert "conditions" in unruled(CloudResourceRequest, CloudResourceRequestStatus)


async def test_what_was_made_for_a_request_follows_the_label(kube: MemoryKube) -> None:
    def made_for(uid: str) -> list[str]:
        return [item.metadata.name for item in kube.made_for(CloudResourceRequest, UNIT, uid)]

    for name in ("second", "first"):
        made = document()
        made["metadata"] |= {"name": name, "labels": {REQUEST_LABEL: "a"}}
        kube.post(CloudResourceRequest, made)
    assert made_for("a") == ["first", "second"] and made_for("b") == []
    kube.patch(CloudResourceRequest, "first", UNIT, {"metadata": {"labels": {REQUEST_LABEL: "b"}}})
    assert made_for("a") == ["second"] and made_for("b") == ["first"]
    await kube.delete(await kube.get(CloudResourceRequest, "second", UNIT))
    assert made_for("a") == []


async def test_no_object_without_its_namespace(kube: MemoryKube) -> None:
    lost = document()
    lost["metadata"]["namespace"] = "nowhere"
    with pytest.raises(KubeError) as refused:
        kube.post(CloudResourceRequest, lost)
    assert refused.value.absent
