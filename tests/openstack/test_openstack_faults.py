"""What goes wrong in a cloud, on a real one: in the cloud itself, on the way to it, and in the operator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from contract_pools import LOOKS, Pool, want_machine
from openstack_cloud import Cable, Tenant, finish, opened, until
from test_contract import refused
from tests.openstack.bed import processes, services
from tests.openstack.bed.layout import Layout

from govpool_providers.base import DiskState, Machine, MachineState, Size
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import OpenStackProvider
from govpool_providers.openstack.servers import GIVEN_UP

pytestmark = [pytest.mark.usefixtures("bed"), pytest.mark.alone]


@pytest.fixture
def bed(tenant: Tenant) -> Layout:
    """The bed; a cloud of somebody else's is not made to fail."""
    if tenant.admin is None:
        pytest.skip("only the bed's services can be made to fail")
    return Layout.of_environment()


@contextmanager
def fault(bed: Layout, kind: str, part: str) -> Iterator[None]:
    """A driver of the bed fails or hangs for what has ``part`` in its name."""
    path = bed.run / "faults" / kind
    path.write_text(part)
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def stopped(bed: Layout, name: str, start: Callable[[], None]) -> Iterator[None]:
    """A service does not run; afterwards it does."""
    processes.stop(bed, [name])
    try:
        yield
    finally:
        start()


def seen(provider: OpenStackProvider) -> Machine | None:
    """Machine m1, or None while a service that was just started can't be asked yet."""
    try:
        return provider.find_machine("m1")
    except ProviderError as error:
        assert error.code is ErrorCode.UNREACHABLE
        return None


def failed(provider: OpenStackProvider) -> Machine:
    for _ in range(LOOKS):
        machine = provider.ensure_machine(want_machine())
        if machine.state is not MachineState.BUILDING:
            break
    assert machine.state is MachineState.ERROR
    return machine


def test_a_failed_spawn_shows_novas_words_and_is_replaced(pool: Pool, tenant: Tenant, bed: Layout) -> None:
    provider = opened(tenant)
    with fault(bed, "spawn-fail", "web-m1"):
        machine = failed(provider)
    assert "the bed was told to fail this server" in machine.fault
    assert provider.find_machine("m1") == machine
    disks = {disk.key: disk.provider_id for disk in provider.list_disks("m1")}
    built = pool.build(want_machine(), provider)
    assert built.provider_id != machine.provider_id
    assert provider.list_machines() == (built,)
    assert {disk.key: disk.provider_id for disk in provider.list_disks("m1")} == disks


def test_a_failed_volume_says_so_and_is_made_anew(pool: Pool, tenant: Tenant, bed: Layout) -> None:
    provider = opened(tenant)
    with fault(bed, "volume-fail", "m1-data1"):
        machine = failed(provider)
    assert machine.fault.startswith("Volume data1 is error: ")
    assert provider.list_machines() == ()
    pool.build(want_machine(), provider)
    assert len(tenant.volumes("m1-data1")) == 1


def test_a_volume_in_error_that_a_server_had_is_never_made_anew(
    pool: Pool, tenant: Tenant, bed: Layout
) -> None:
    provider = opened(tenant)
    pool.build(want_machine(), provider)
    pool.release("m1", provider)
    (volume,) = tenant.volumes("m1-data1")
    assert tenant.admin is not None
    tenant.admin.block_storage.reset_volume_status(volume.id, status="error")
    for _ in range(2):
        assert failed(provider).fault.startswith("Volume data1 is error: ")
    assert [one.id for one in tenant.volumes("m1-data1")] == [volume.id]


def test_a_volume_stuck_in_deleting_stays_listed_until_it_is_gone(
    pool: Pool, tenant: Tenant, bed: Layout
) -> None:
    provider = opened(tenant, wait="4")
    pool.build(want_machine(), opened(tenant))
    pool.release("m1", opened(tenant))
    with fault(bed, "volume-delete-hang", "m1-data1"):
        provider.delete_disk("m1-data1")
        assert "m1-data1" in {disk.key for disk in provider.list_disks("m1")}
    for _ in range(LOOKS):
        provider.delete_disk("m1-data1")
        if {disk.key for disk in provider.list_disks("m1")} == {"m1-root"}:
            return
    raise AssertionError("never gone")


@pytest.mark.parametrize("service", ["keystone", "nova", "cinder", "neutron"])
def test_a_service_that_is_down_changes_nothing(
    pool: Pool, tenant: Tenant, bed: Layout, service: str
) -> None:
    def start() -> None:
        services.start_api(bed, service)
        services.await_api(bed, service)

    machine = pool.build(want_machine(), opened(tenant))
    provider = opened(tenant)
    with stopped(bed, f"{service}-api", start):
        refused(ErrorCode.UNREACHABLE, lambda: provider.ensure_machine(want_machine("m2")))
        refused(
            ErrorCode.UNREACHABLE,
            provider.list_all_disks if service == "cinder" else lambda: provider.find_machine("m1"),
        )
        if service != "neutron":  # Nova takes a server away without Neutron, and leaves its ports
            refused(ErrorCode.UNREACHABLE, lambda: provider.release_machine("m1"))
    until("the machine is seen as it was", lambda: seen(provider) == machine)


def test_a_database_that_is_down_changes_nothing(pool: Pool, tenant: Tenant, bed: Layout) -> None:
    def start() -> None:
        services.start_database(bed)
        until("the database listens", lambda: processes.listening(bed.port("mariadb")))

    machine = pool.build(want_machine(), opened(tenant))
    provider = opened(tenant)
    assert provider.find_machine("m1") == machine
    with stopped(bed, "mariadb", start):
        refused(ErrorCode.UNREACHABLE, lambda: provider.find_machine("m1"))
    until("the machine is seen as it was", lambda: seen(provider) == machine)


def test_a_spawn_that_hangs_is_waited_for_and_taken_away_when_nobody_wants_it(
    pool: Pool, tenant: Tenant, bed: Layout
) -> None:
    provider = opened(tenant, wait="2")
    with fault(bed, "spawn-hang", "web-m1"):
        for _ in range(2):
            assert provider.ensure_machine(want_machine()).state is MachineState.BUILDING
        assert len(list(tenant.cloud.compute.servers())) == 1
        provider.release_machine("m1")
    pool.release("m1", opened(tenant))
    assert {disk.key for disk in provider.list_disks("m1")} == {"m1-root", "m1-data1"}


def test_a_build_that_nova_gave_up_without_a_word_is_made_anew_on_its_disks(
    pool: Pool, tenant: Tenant, bed: Layout
) -> None:
    made, late = pool.build(want_machine(), opened(tenant)), 0.0
    volumes = {disk.key: disk.provider_id for disk in opened(tenant).list_disks("m1")}
    services.leave_in_build(bed, made.provider_id)
    hasty = replace(tenant.connection, settings={**tenant.connection.settings, "wait": "2"})
    provider = OpenStackProvider(hasty, clock=lambda: time.monotonic() + late)
    waiting = provider.ensure_machine(want_machine())
    assert (waiting.state, waiting.provider_id) == (MachineState.BUILDING, made.provider_id)
    late = GIVEN_UP
    again = pool.build(want_machine(), provider)
    assert (again.state, again.provider_id == made.provider_id) == (MachineState.ACTIVE, False)
    assert {disk.key: disk.provider_id for disk in provider.list_disks("m1")} == volumes
    finish(pool, tenant)


def test_a_server_deleted_while_it_is_resized_is_not_found_and_keeps_its_disks(
    pool: Pool, tenant: Tenant, bed: Layout
) -> None:
    made = pool.build(want_machine(), opened(tenant))
    cable = Cable()

    def taken_away(method: str, url: str) -> None:
        if method == "POST" and url.endswith("/action"):
            cable.after = None
            tenant.cloud.compute.delete_server(made.provider_id)

    cable.after = taken_away
    provider = opened(tenant, cable)
    try:
        # Nova may give the resize up, and show the server as it was, a moment before it is gone.
        assert provider.resize_machine("m1", Size(2, 2)).size == made.size
    except ProviderError as error:
        assert error.code is ErrorCode.NOT_FOUND
    assert cable.after is None, "it was taken away"
    until("the server is gone", lambda: provider.find_machine("m1") is None)
    refused(ErrorCode.NOT_FOUND, lambda: provider.resize_machine("m1", Size(2, 2)))
    until(
        "its disks are free",
        lambda: {disk.state for disk in provider.list_disks("m1")} == {DiskState.DETACHED},
    )
    again = pool.build(want_machine(size=Size(2, 2)), provider)
    assert (again.size, again.provider_id == made.provider_id) == (Size(2, 2), False)


def test_keystone_that_goes_in_the_middle_of_a_build_only_holds_it_up(
    pool: Pool, tenant: Tenant, bed: Layout
) -> None:
    """Whoever has a token goes on or is held up; nothing is made twice when Keystone is back."""
    cable = Cable()

    def stop_keystone(method: str, url: str) -> None:
        if method == "POST" and url.endswith("/volumes"):
            cable.after = None
            processes.stop(bed, ["keystone-api"])

    cable.after = stop_keystone
    try:
        with suppress(ProviderError):
            opened(tenant, cable).ensure_machine(want_machine())
        assert cable.after is None, "it was in the middle"
        error = refused(ErrorCode.UNREACHABLE, opened(tenant).list_machines)
        assert not error.final
    finally:
        services.start_api(bed, "keystone")
        services.await_api(bed, "keystone")
    finish(pool, tenant)


def test_the_database_of_one_service_that_is_gone_changes_nothing(
    pool: Pool, tenant: Tenant, bed: Layout
) -> None:
    machine = pool.build(want_machine(), opened(tenant))
    provider = opened(tenant)
    with services.without_database(bed, "cinder"):
        assert provider.find_machine("m1") == machine
        refused(ErrorCode.UNREACHABLE, provider.list_all_disks)
        refused(ErrorCode.UNREACHABLE, lambda: provider.ensure_machine(want_machine("m2")))
        refused(ErrorCode.UNREACHABLE, lambda: provider.release_machine("m1"))
    until("the machine is seen as it was", lambda: seen(provider) == machine)
    until("its disks are seen again", lambda: _disks_seen(provider) == {"m1-root", "m1-data1"})


def _disks_seen(provider: OpenStackProvider) -> set[str]:
    try:
        return {disk.key for disk in provider.list_all_disks()}
    except ProviderError as error:
        assert error.code is ErrorCode.UNREACHABLE
        return set()
