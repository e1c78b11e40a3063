"""A project for each unit: accounts, quotas, networks of their own, floating addresses, strangers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from contract_pools import Pool, want_machine
from openstack.connection import Connection
from openstack_cloud import Cable, Killed, Tenant, until
from test_contract import refused

from govpool_providers.base import MachineWant, PoolConnection, UnitLimits, UnitSeen, UnitWant
from govpool_providers.errors import ErrorCode
from govpool_providers.openstack import OpenStackProvider

LIMITS = UnitLimits(servers=3, vcpu=4, memory_gib=5, storage_gib=6, public_addresses=2)
BUREAU = UnitWant("bureau", "Bureau of Data", LIMITS)


@pytest.fixture
def admin(tenant: Tenant) -> Connection:
    """The cloud's administrator, who makes domains."""
    if tenant.admin is None:
        pytest.skip("needs an administrator, to make a domain")
    return tenant.admin


@pytest.fixture
def connection(tenant: Tenant, admin: Connection) -> Iterator[PoolConnection]:
    """A pool with a project for each unit, run by the manager of a domain, who is no administrator."""
    identity, name = admin.identity, f"d{secrets.token_hex(4)}"
    domain = identity.create_domain(name=name)
    home = identity.create_project(name=f"{name}-home", domain_id=domain.id)
    password = secrets.token_urlsafe(16)
    user = identity.create_user(name=name, password=password, domain_id=domain.id)
    quotas = identity.find_role("govpool_quotas") or identity.create_role(name="govpool_quotas")
    identity.assign_domain_role_to_user(domain, user, identity.find_role("manager"))
    assert quotas is not None
    identity.assign_project_role_to_user(home, user, identity.find_role("member"))
    secret = {"username": name, "password": password, "user_domain_id": domain.id, "project_id": home.id}
    settings = {
        **tenant.connection.settings,
        "units.apart": "true",
        "units.domain": domain.id,
        "units.domain_scope": "true",
        "units.roles": "member,govpool_quotas",
        "units.user_role": "reader",
    }
    yield PoolConnection(name, settings, secret)
    for project in identity.projects(domain_id=domain.id):
        _empty(admin, project.id)
        identity.delete_project(project)
    for one in identity.users(domain_id=domain.id):
        identity.delete_user(one)
    identity.update_domain(domain, is_enabled=False)
    identity.delete_domain(domain)


def _empty(admin: Connection, project: str) -> None:
    """Delete everything in a project, as the administrator, networks and all."""
    compute, storage, network = admin.compute, admin.block_storage, admin.network
    for server in compute.servers(all_projects=True, project_id=project):
        compute.delete_server(server)
    until("no server is left", lambda: not list(compute.servers(all_projects=True, project_id=project)), 120)
    for volume in storage.volumes(all_projects=True, project_id=project):
        storage.delete_volume(volume)
    for address in network.ips(project_id=project):
        network.delete_ip(address)
    for router in network.routers(project_id=project):
        for port in network.ports(device_id=router.id, device_owner="network:router_interface"):
            network.remove_interface_from_router(router, port_id=port.id)
        network.delete_router(router)
    for port in network.ports(project_id=project):
        network.delete_port(port)
    for one in network.networks(project_id=project):
        network.delete_network(one)
    for group in network.security_groups(project_id=project):
        network.delete_security_group(group)
    until("no volume is left", lambda: not list(storage.volumes(all_projects=True, project_id=project)), 120)


def test_a_unit_gets_a_project_an_account_and_its_quotas(
    connection: PoolConnection, admin: Connection
) -> None:
    provider = OpenStackProvider(connection)
    refused(ErrorCode.RETRYABLE, lambda: provider.ensure_machine(want_machine()))
    seen = provider.ensure_unit(BUREAU)
    assert seen.limits == LIMITS
    project = admin.identity.get_project(seen.project)
    assert (project.name, project.description) == (f"govpool-{connection.pool}-bureau", "Bureau of Data")
    (user,) = admin.identity.users(name=project.name)
    given = admin.identity.role_assignments(scope_project_id=project.id, user_id=user.id, include_names=True)
    assert [one.role["name"] for one in given] == ["reader"]
    admin.compute.update_quota_set(project, instances=99)
    assert provider.ensure_unit(BUREAU) == seen
    less = replace(BUREAU, limits=replace(LIMITS, public_addresses=0))
    assert OpenStackProvider(connection).ensure_unit(less) == UnitSeen(project.id, less.limits)
    assert provider.list_machines() == provider.for_unit("bureau").list_machines() == ()


def test_a_death_in_any_gap_of_a_units_making_leaves_one_project(
    connection: PoolConnection, admin: Connection
) -> None:
    for changes in range(20):
        cable = Cable()
        cable.changes_left, cable.lose_answer = changes, bool(changes % 2)
        want = replace(BUREAU, name=f"bureau{changes}")
        try:
            OpenStackProvider(connection, http=cable).ensure_unit(want)
            break
        except Killed:
            seen = OpenStackProvider(connection).ensure_unit(want)
            assert seen.limits == LIMITS
            name = f"govpool-{connection.pool}-{want.name}"
            assert [one.id for one in admin.identity.projects(name=name)] == [seen.project]
    assert changes == 8  # project, two roles, account, its role, three quotas


def test_an_existing_project_is_used_as_it_is(tenant: Tenant) -> None:
    given = tenant.connection
    settings = {**given.settings, "project.bureau": given.secret["project_name"], "units.quotas": "false"}
    provider = OpenStackProvider(replace(given, settings=settings))
    seen = provider.ensure_unit(BUREAU)
    assert seen.project == tenant.cloud.current_project_id
    assert seen.limits not in {None, LIMITS}, "its quotas are the administrator's"
    other = replace(given, settings={**settings, "project.other": "no-such-project"})
    refused(ErrorCode.INVALID, lambda: OpenStackProvider(other).ensure_unit(replace(BUREAU, name="other")))


@pytest.fixture
def outside(admin: Connection) -> Iterator[str]:
    """An external network."""
    made = admin.network.create_network(name=f"outside-{secrets.token_hex(3)}", is_router_external=True)
    admin.network.create_subnet(network_id=made.id, cidr="203.0.113.0/24", ip_version=4, name="outside")
    yield str(made.name)
    for address in admin.network.ips(floating_network_id=made.id):
        admin.network.delete_ip(address)
    for router in admin.network.routers():
        if (router.external_gateway_info or {}).get("network_id") == made.id:
            admin.network.update_router(router, external_gateway_info={})
    for port in admin.network.ports(network_id=made.id):
        admin.network.delete_port(port)
    admin.network.delete_network(made)


def test_units_are_apart_and_networks_follow_their_kind(
    pool: Pool, outside: str, connection: PoolConnection, admin: Connection
) -> None:
    """Each unit has its own network of a kind; on the Internet a machine has a floating address."""
    settings = {
        **connection.settings,
        "network.Internet.cidr": "10.60.0.0/24",
        "network.Internet.outside": outside,
        "network.Internet.dns": "192.0.2.53",
        "floating.Internet": outside,
        "ingress.Internet": "tcp:443,tcp:22@198.51.100.0/24",
    }
    provider = OpenStackProvider(replace(connection, settings=settings))
    wants = {unit: _on_the_internet(f"m-{unit}", unit) for unit in ("bureau", "court")}
    projects = {unit: provider.ensure_unit(UnitWant(unit, unit, LIMITS)).project for unit in wants}
    for unit, want in wants.items():
        machine = pool.build(want, provider)
        assert [address.partition(".")[0] for address in machine.addresses] == ["10", "203"]
        assert provider.for_unit(unit).list_machines() == (machine,)
        (network,) = admin.network.networks(project_id=projects[unit])
        (subnet,) = admin.network.subnets(network_id=network.id)
        assert (subnet.cidr, subnet.dns_nameservers) == ("10.60.0.0/24", ["192.0.2.53"])
        groups = admin.network.security_groups(project_id=projects[unit])
        (group,) = (one for one in groups if one.name != "default")
        opened = {
            (rule["port_range_min"], rule["remote_ip_prefix"])
            for rule in group.security_group_rules
            if rule["direction"] == "ingress"
        }
        assert opened == {(443, "0.0.0.0/0"), (22, "198.51.100.0/24")}
    assert provider.for_unit("court").find_machine("m-bureau") is None
    found = provider.find_machine("m-bureau")
    assert found is not None
    assert found.owner.unit == "bureau"
    assert len(provider.list_machines()) == 2
    assert provider.list_strangers() == ()
    pool.release("m-bureau", provider)
    assert not list(admin.network.ips(project_id=projects["bureau"]))
    ports = admin.network.ports(project_id=projects["bureau"])
    assert all(port.device_owner.startswith("network:") for port in ports)


def _on_the_internet(key: str, unit: str) -> MachineWant:
    want = want_machine(key, uid=f"uid-{unit}", data=0)
    return replace(want, network="Internet", owner=replace(want.owner, unit=unit))


def test_what_somebody_else_made_is_listed_and_left_alone(pool: Pool, tenant: Tenant) -> None:
    provider = OpenStackProvider(tenant.connection)
    pool.build(want_machine(), provider)
    made: dict[str, Callable[[], object]] = {
        "volume": lambda: tenant.cloud.block_storage.create_volume(size=1, name="by hand"),
        "security group": lambda: tenant.cloud.network.create_security_group(name="by hand"),
        "server": lambda: tenant.cloud.compute.create_server(
            name="by hand",
            flavor_id=next(iter(tenant.cloud.compute.flavors())).id,
            block_device_mapping=[
                {
                    "boot_index": 0,
                    "uuid": tenant.connection.settings["image.debian-12"],
                    "source_type": "image",
                    "destination_type": "volume",
                    "volume_size": 1,
                    "delete_on_termination": True,
                }
            ],
            networks=[{"uuid": tenant.connection.settings["network.business"]}],
        ),
    }
    for make in made.values():
        make()
    found = {(one.kind, one.name) for one in provider.list_strangers()}
    assert {(kind, "by hand") for kind in made} <= found
    pool.release("m1", provider)
    for key in ("m1-root", "m1-data1"):
        provider.delete_disk(key)
    assert {one.kind for one in provider.list_strangers()} == set(made)
