"""What the OpenStack provider does beyond the contract: leftovers, pages, and changes behind its back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from contract_pools import ACCESS, HOST_KEY, Pool, want_machine
from openstack_cloud import Tenant, until
from test_contract import refused

from govpool_providers.base import CopyKind, DiskState, MachineState, Size
from govpool_providers.errors import ErrorCode
from govpool_providers.openstack import OpenStackProvider


@pytest.fixture
def provider(tenant: Tenant) -> OpenStackProvider:
    return OpenStackProvider(tenant.connection)


def test_a_whole_life_leaves_nothing(pool: Pool, tenant: Tenant, provider: OpenStackProvider) -> None:
    pool.build(want_machine(), provider)
    provider.set_isolated("m1", isolated=True)
    pool.release("m1", provider)
    for disk in provider.list_disks("m1"):
        provider.delete_disk(disk.key)
    assert tenant.left() == {}


def test_listings_go_on_from_page_to_page(pool: Pool, tenant: Tenant) -> None:
    given = tenant.connection
    paging = OpenStackProvider(replace(given, settings={**given.settings, "page_size": "1"}))
    for key in ("m1", "m2", "m3"):
        pool.build(want_machine(key), paging)
    assert [machine.key for machine in paging.list_machines()] == ["m1", "m2", "m3"]
    assert len(paging.list_all_disks()) == 6


def test_nova_has_what_cloud_init_needs_and_the_tags(
    pool: Pool, tenant: Tenant, provider: OpenStackProvider
) -> None:
    pool.build(want_machine(), provider)
    (server,) = tenant.cloud.compute.servers()
    assert server.name == "web-m1"
    told = server.metadata
    assert (told["govpool-request-uid"], told["govpool-revision"], told["govpool-unit"]) == (
        "uid-1",
        "3",
        "bureau",
    )
    assert server.user_data is None, "a member of the project can read the host key"
    shown = (tenant.admin or tenant.cloud).compute.get_server(server.id)
    text = base64.b64decode(shown.user_data).decode()
    config = json.loads(text.removeprefix("#cloud-config\n"))
    assert config["ssh_keys"]["ed25519_private"] == HOST_KEY.private
    assert config["users"][0]["ssh_authorized_keys"] == [ACCESS.authorized_key]
    (group,) = tenant.cloud.compute.server_groups()
    assert group.member_ids == [server.id]
    root, data = sorted(tenant.cloud.block_storage.volumes(), key=lambda volume: volume.name, reverse=True)
    assert root.is_bootable
    assert config["mounts"][0][:2] == [f"/dev/disk/by-id/virtio-{data.id[:20]}", "/data/data1"]


def test_what_happens_behind_our_back_is_seen(
    pool: Pool, tenant: Tenant, provider: OpenStackProvider
) -> None:
    made = pool.build(want_machine(), provider)
    compute = tenant.cloud.compute
    compute.stop_server(made.provider_id)
    until("it stands still", lambda: provider.list_machines()[0].state is MachineState.STOPPED)
    flavor = next(one for one in compute.flavors() if (one.vcpus, one.ram) == (2, 2048))
    compute.resize_server(made.provider_id, flavor.id)
    until("resized", lambda: compute.get_server(made.provider_id).status == "VERIFY_RESIZE")
    assert provider.list_machines()[0].state is MachineState.RESIZING
    compute.confirm_server_resize(made.provider_id)
    until("it is at rest", lambda: provider.list_machines()[0].state is MachineState.STOPPED)
    assert provider.list_machines()[0].size == Size(2, 2)
    compute.delete_server(made.provider_id)
    until("gone", lambda: provider.find_machine("m1") is None)
    assert {disk.state for disk in provider.list_disks("m1")} == {DiskState.DETACHED}


def test_a_foreign_resize_is_reverted_when_ours_is_wanted(
    pool: Pool, tenant: Tenant, provider: OpenStackProvider
) -> None:
    made = pool.build(want_machine(), provider)
    compute = tenant.cloud.compute
    flavor = next(one for one in compute.flavors() if (one.vcpus, one.ram) == (2, 2048))
    compute.resize_server(made.provider_id, flavor.id)
    until("resized", lambda: compute.get_server(made.provider_id).status == "VERIFY_RESIZE")
    machine = provider.resize_machine("m1", Size(1, 1))
    assert (machine.size, machine.state) == (Size(1, 1), MachineState.ACTIVE)


def test_a_suspended_machine_is_switched_on(pool: Pool, tenant: Tenant, provider: OpenStackProvider) -> None:
    made = pool.build(want_machine(), provider)
    tenant.cloud.compute.suspend_server(made.provider_id)
    until("suspended", lambda: provider.list_machines()[0].state is MachineState.STOPPED)
    assert provider.set_power("m1", on=True).state is MachineState.ACTIVE


def test_the_snapshots_behind_a_server_image_are_copies_too(
    pool: Pool, tenant: Tenant, provider: OpenStackProvider
) -> None:
    made = pool.build(want_machine(), provider)
    tenant.cloud.compute.create_server_image(made.provider_id, "golden")
    until("snapshots", lambda: len(provider.list_copies("m1-root")) == 2)
    until("ready", lambda: all(s.status == "available" for s in tenant.cloud.block_storage.snapshots()))
    kinds = {copy.kind for copy in provider.list_copies("m1-root")}
    assert kinds == {CopyKind.SNAPSHOT, CopyKind.IMAGE}
    for copy in provider.list_copies("m1-root"):
        provider.delete_copy(copy)
    assert provider.list_copies("m1-root") == ()


def test_what_the_cloud_does_not_have_is_invalid_and_makes_nothing(
    tenant: Tenant, provider: OpenStackProvider
) -> None:
    for change in ({"image": "no-such"}, {"network": "no-such"}, {"size": Size(63, 1)}):
        want = replace(want_machine(), **change)
        refused(ErrorCode.INVALID, lambda want=want: provider.ensure_machine(want))
    assert tenant.left() == {}


def test_credentials_that_are_not_accepted_are_told_apart(tenant: Tenant) -> None:
    given = tenant.connection
    wrong = OpenStackProvider(replace(given, secret={**given.secret, "password": "wrong"}))
    if given.secret:
        error = refused(ErrorCode.UNAUTHORISED, wrong.capacity)
        assert "wrong" not in error.message.replace("went wrong", "")
