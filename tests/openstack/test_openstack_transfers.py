"""A unit's volumes are wiped in the operator's own project, where the sanitiser stands."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from contract_pools import Pool, want_machine
from openstack_cloud import Cable, Killed, Tenant
from test_contract import refused

import openstack
from govpool_providers.base import DiskState, PoolConnection
from govpool_providers.errors import ErrorCode
from govpool_providers.openstack import OpenStackProvider, leftovers, purge

KEYS = ("m1-root", "m1-data1")


@pytest.fixture
def unit(tenant: Tenant) -> Iterator[Tenant]:
    """A project of the unit "bureau", in which the pool's account is a member."""
    if tenant.admin is None:
        pytest.skip("needs an administrator, to make a project")
    identity, name = tenant.admin.identity, f"u{secrets.token_hex(4)}"
    project = identity.create_project(name=name, domain_id="default")
    user = identity.find_user(tenant.connection.secret["username"])
    assert user is not None
    identity.assign_project_role_to_user(project, user, identity.find_role("member"))
    settings = {
        **tenant.connection.settings,
        "project.bureau": project.id,
        "units.domain": "default",
        "units.quotas": "false",
    }
    cloud = openstack.connect(
        auth={
            **tenant.connection.secret,
            "project_name": name,
            "auth_url": tenant.connection.settings["auth_url"],
        },
        region_name=tenant.connection.settings["region"],
        load_yaml_config=False,
        load_envvars=False,
    )

    def forget() -> None:
        assert tenant.admin is not None
        for group in tenant.admin.network.security_groups(project_id=project.id):
            tenant.admin.network.delete_security_group(group.id)
        identity.delete_project(project)

    connection = PoolConnection(tenant.connection.pool, settings, tenant.connection.secret)
    made = Tenant(connection, cloud, tenant.admin, forget)
    yield made
    made.remove()


def names(tenant: Tenant) -> list[str]:
    """The volumes of disks in a project."""
    return sorted(one.name for one in tenant.cloud.block_storage.volumes() if one.name in KEYS)


def test_a_units_volumes_are_wiped_in_the_operators_project(pool: Pool, tenant: Tenant, unit: Tenant) -> None:
    provider = OpenStackProvider(unit.connection)
    pool.build(want_machine(), provider)
    assert (names(unit), names(tenant)) == (sorted(KEYS), [])
    refused(ErrorCode.CONFLICT, lambda: provider.attach_to_sanitiser("m1-root"))
    pool.release("m1", provider)
    unit.plant_copy("m1-data1")
    for key in KEYS:
        device = provider.attach_to_sanitiser(key)
        assert OpenStackProvider(unit.connection).attach_to_sanitiser(key) == device
    assert (names(unit), names(tenant)) == ([], sorted(KEYS))
    disks = provider.list_disks("m1")
    assert {disk.key: disk.state for disk in disks} == dict.fromkeys(KEYS, DiskState.SANITISING)
    assert [server.name for server in unit.cloud.compute.servers()] == []
    assert len(list(tenant.cloud.compute.servers())) == 1, "the sanitiser"
    (copy,) = provider.list_copies("m1-data1")
    provider.delete_copy(copy)
    for key in KEYS:
        provider.detach_from_sanitiser(key)
        provider.delete_disk(key)
    assert provider.list_all_disks() == ()
    purge(unit.connection)
    assert leftovers(unit.connection) == []


@pytest.mark.parametrize("answer", [True, False], ids=["before-the-call", "before-the-answer"])
def test_a_death_in_any_gap_of_a_transfer_costs_nothing(
    pool: Pool, tenant: Tenant, unit: Tenant, *, answer: bool
) -> None:
    provider = OpenStackProvider(unit.connection)
    provider.ensure_machine(want_machine())
    pool.release("m1", provider)
    ids = {disk.key: disk.provider_id for disk in provider.list_disks("m1")}
    for changes in range(10):
        cable = Cable()
        cable.changes_left, cable.lose_answer = changes, not answer
        try:
            OpenStackProvider(unit.connection, http=cable).attach_to_sanitiser("m1-root")
        except Killed:
            assert {disk.key: disk.provider_id for disk in provider.list_disks("m1")} == ids
            continue
        break
    assert changes > 0
    device = provider.attach_to_sanitiser("m1-root")
    assert device.disk_key == "m1-root"
    assert (names(unit), names(tenant)) == (["m1-data1"], ["m1-root"])
    provider.detach_from_sanitiser("m1-root")
