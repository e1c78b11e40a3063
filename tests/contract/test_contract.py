"""What every provider promises, on every provider."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from contract_pools import LOOKS, Pool, want_machine

from govpool_providers.base import (
    GIB,
    CopyKind,
    Disk,
    DiskState,
    DiskWant,
    Machine,
    MachineState,
    PoolConnection,
    Provider,
    Size,
    UnitLimits,
    UnitWant,
)
from govpool_providers.errors import ErrorCode, ProviderError


def refused(code: ErrorCode, call: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    assert caught.value.code is code, caught.value
    assert caught.value.message
    return caught.value


def disks_by_key(provider: Provider, machine_key: str = "m1") -> dict[str, Disk]:
    return {disk.key: disk for disk in provider.list_disks(machine_key)}


def found(provider: Provider, key: str = "m1") -> Machine:
    machine = provider.find_machine(key)
    assert machine is not None
    return machine


def test_opening_does_no_io(pool: Pool) -> None:
    unusable = PoolConnection("nowhere", {**pool.connection.settings, "state": "/proc/nowhere/state"})
    assert isinstance(pool.open(unusable), Provider)


def test_a_new_pool_was_seen_to_be_empty(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    assert provider.find_machine("m1") is None
    assert provider.list_machines() == ()
    assert provider.list_all_disks() == ()
    assert provider.capacity().vcpu_used == 0


def test_a_unit_is_made_once_and_its_limits_are_read_back(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    want = UnitWant("bureau", "Bureau of Data", UnitLimits(9, 9, 9, 9, 1))
    seen = provider.ensure_unit(want)
    assert provider.ensure_unit(want) == seen
    assert seen.limits in {None, want.limits}
    assert bool(seen.project) is (seen.limits is not None)


def test_a_unit_sees_its_own_machines_like_the_whole_pool(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    machine = pool.build(want_machine(), provider)
    of_unit = provider.for_unit("bureau")
    assert isinstance(of_unit, Provider)
    assert of_unit.find_machine("m1") == machine
    assert of_unit.list_disks("m1") == provider.list_disks("m1")
    assert of_unit.ensure_machine(want_machine()) == machine
    assert provider.list_strangers() == (), "what govpool made is no stranger"


def test_a_machine_becomes_active_and_is_found_by_key_and_tag(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    want = want_machine(size=Size(2, 1))
    machine = pool.build(want, provider)
    assert (machine.key, machine.size, machine.image) == ("m1", Size(2, 1), "debian-12")
    assert machine.owner == want.owner
    assert machine.addresses
    assert not machine.fault
    assert not machine.isolated
    assert provider.find_machine("m1") == machine
    assert provider.list_machines() == provider.list_machines("uid-1") == (machine,)
    assert provider.list_machines("uid-2") == ()
    disks = disks_by_key(provider)
    assert {(disk.name, disk.root, disk.size_bytes, disk.state) for disk in disks.values()} == {
        ("root", True, GIB, DiskState.ATTACHED),
        ("data1", False, GIB, DiskState.ATTACHED),
    }
    assert {disk.key for disk in provider.list_all_disks("uid-1")} == disks.keys()
    assert provider.list_all_disks("uid-2") == ()
    used = provider.capacity()
    assert (used.vcpu_used, used.memory_gib_used, used.storage_gib_used) == (2, 1, 2)


def test_ensure_adopts_what_another_operator_made(pool: Pool) -> None:
    first = pool.build(want_machine())
    other = pool.open(pool.connection)
    assert other.ensure_machine(want_machine()) == first
    assert len(other.list_machines()) == 1
    assert len(other.list_all_disks()) == 2


def test_two_operators_at_once_make_one_machine(pool: Pool) -> None:
    providers = [pool.open(pool.connection) for _ in range(4)]
    wants = [want_machine("m1"), want_machine("m2"), want_machine("m1"), want_machine("m2")]
    with ThreadPoolExecutor(4) as threads:
        machines = list(threads.map(pool.build, wants, providers))
    assert machines[0].provider_id == machines[2].provider_id
    assert machines[1].provider_id == machines[3].provider_id
    assert machines[0].addresses != machines[1].addresses
    assert len(providers[0].list_machines()) == 2
    assert len(providers[0].list_all_disks()) == 4


def test_ensure_neither_resizes_nor_switches_on(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    provider.set_power("m1", on=False)
    machine = provider.ensure_machine(want_machine(size=Size(2, 2)))
    assert machine.size == Size(1, 1)
    assert machine.state is MachineState.STOPPED


def test_a_key_of_another_request_is_a_conflict(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    refused(ErrorCode.CONFLICT, lambda: provider.ensure_machine(want_machine(uid="uid-2")))
    assert found(provider).owner.request_uid == "uid-1"


def test_a_disk_of_another_machine_is_a_conflict(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    other = want_machine("m2")
    stolen = dataclasses.replace(other, disks=(other.disks[0], DiskWant("m1-data1", "data1", 1)))
    refused(ErrorCode.CONFLICT, lambda: provider.ensure_machine(stolen))
    assert disks_by_key(provider)["m1-data1"].state is DiskState.ATTACHED


@pytest.mark.parametrize(
    "change",
    [
        {"key": "NOT a key"},
        {"key": "k" * 41},
        {"size": Size(0, 1)},
        {"disks": ()},
        {"disks": (DiskWant("a", "a", 1, root=True), DiskWant("b", "b", 1, root=True))},
        {"disks": (DiskWant("a", "a", 0, root=True),)},
        {"disks": (DiskWant("../a", "a", 1, root=True),)},
    ],
    ids=["key", "long-key", "no-vcpu", "no-root", "two-roots", "empty-disk", "disk-key"],
)
def test_what_can_never_be_is_invalid(pool: Pool, change: dict[str, object]) -> None:
    provider = pool.open(pool.connection)
    want = dataclasses.replace(want_machine(), **change)  # type: ignore[arg-type]
    assert refused(ErrorCode.INVALID, lambda: provider.ensure_machine(want)).final
    assert provider.list_machines() == ()
    assert provider.list_all_disks() == ()


def test_resize_until_reached_and_kept_over_a_power_cycle(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    for _ in range(LOOKS):
        machine = provider.resize_machine("m1", Size(2, 2))
        if machine.size == Size(2, 2) and machine.state is MachineState.ACTIVE:
            break
    assert machine.size == Size(2, 2)
    provider.set_power("m1", on=False)
    assert provider.set_power("m1", on=True).size == Size(2, 2)
    refused(ErrorCode.INVALID, lambda: provider.resize_machine("m1", Size(0, 2)))
    refused(ErrorCode.NOT_FOUND, lambda: provider.resize_machine("m9", Size(2, 2)))


def test_power(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    address = pool.build(want_machine(), provider).addresses
    for on, state in ((False, MachineState.STOPPED), (True, MachineState.ACTIVE)):
        assert provider.set_power("m1", on=on).state is state
        assert provider.set_power("m1", on=on).state is state
        assert found(provider).state is state
    assert found(provider).addresses == address
    refused(ErrorCode.NOT_FOUND, lambda: provider.set_power("m9", on=True))


def test_isolation_keeps_the_machine_running(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    for isolated in (True, True, False, False):
        machine = provider.set_isolated("m1", isolated=isolated)
        assert (machine.isolated, machine.state) == (isolated, MachineState.ACTIVE)
        assert found(provider).isolated is isolated
    refused(ErrorCode.NOT_FOUND, lambda: provider.set_isolated("m9", isolated=True))


def test_disks_are_added_and_grown_and_never_shrunk(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    more = (DiskWant("m1-data1", "data1", 2), DiskWant("m1-data2", "data2", 1))
    for _ in range(2):
        provider.add_disks("m1", more)
        disks = disks_by_key(provider)
        assert disks["m1-data1"].size_bytes == 2 * GIB
        assert disks["m1-data2"].size_bytes == GIB
        assert {disk.state for disk in disks.values()} == {DiskState.ATTACHED}
    smaller = (DiskWant("m1-data3", "data3", 1), DiskWant("m1-data1", "data1", 1))
    refused(ErrorCode.INVALID, lambda: provider.add_disks("m1", smaller))
    refused(ErrorCode.INVALID, lambda: provider.add_disks("m1", (DiskWant("r", "r", 1, root=True),)))
    assert disks_by_key(provider) == disks
    refused(ErrorCode.NOT_FOUND, lambda: provider.add_disks("m9", more))


def test_release_keeps_every_disk_and_ensure_takes_them_up_again(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    before = disks_by_key(provider)
    pool.release("m1", provider)
    provider.release_machine("m1")
    assert provider.list_machines() == ()
    detached = disks_by_key(pool.open(pool.connection))
    assert detached == {
        key: dataclasses.replace(disk, state=DiskState.DETACHED) for key, disk in before.items()
    }
    assert provider.list_all_disks("uid-1") == tuple(detached.values())
    pool.build(want_machine(), provider)
    assert disks_by_key(provider) == before


def test_releasing_what_is_not_there_is_success(pool: Pool) -> None:
    pool.open(pool.connection).release_machine("m9")


def test_the_sanitiser_takes_detached_disks_only(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    refused(ErrorCode.CONFLICT, lambda: provider.attach_to_sanitiser("m1-root"))
    pool.release("m1", provider)
    device = provider.attach_to_sanitiser("m1-root")
    assert (device.disk_key, device.size_bytes) == ("m1-root", GIB)
    assert pool.open(pool.connection).attach_to_sanitiser("m1-root") == device
    states = {key: disk.state for key, disk in disks_by_key(provider).items()}
    assert states == {"m1-root": DiskState.SANITISING, "m1-data1": DiskState.DETACHED}
    refused(ErrorCode.CONFLICT, lambda: provider.delete_disk("m1-root"))
    refused(ErrorCode.CONFLICT, lambda: provider.ensure_machine(want_machine()))
    provider.detach_from_sanitiser("m1-root")
    provider.detach_from_sanitiser("m1-root")
    provider.detach_from_sanitiser("no-such-disk")
    assert disks_by_key(provider)["m1-root"].state is DiskState.DETACHED
    refused(ErrorCode.NOT_FOUND, lambda: provider.attach_to_sanitiser("no-such-disk"))


def test_a_disk_is_deleted_until_it_is_gone_and_no_other(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    refused(ErrorCode.CONFLICT, lambda: provider.delete_disk("m1-data1"))
    assert "m1-data1" in disks_by_key(provider)
    pool.release("m1", provider)
    for _ in range(LOOKS):
        provider.delete_disk("m1-data1")
        if "m1-data1" not in disks_by_key(provider):
            break
    assert disks_by_key(provider).keys() == {"m1-root"}
    provider.delete_disk("m1-data1")
    provider.delete_disk("no-such-disk")


def test_copies_are_seen_also_after_the_disk_is_gone(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    pool.release("m1", provider)
    assert provider.list_copies("m1-data1") == ()
    pool.plant_copy("m1-data1")
    (copy,) = provider.list_copies("m1-data1")
    assert (copy.kind, copy.disk_key, copy.size_bytes) == (CopyKind.SNAPSHOT, "m1-data1", GIB)
    assert provider.list_copies("m1-root") == ()
    provider.delete_disk("m1-data1")
    assert provider.list_copies("m1-data1") == (copy,)
    provider.delete_copy(copy)
    assert provider.list_copies("m1-data1") == ()
    provider.delete_copy(copy)


@pytest.mark.parametrize(
    ("limit", "wants"),
    [
        ("capacity.vcpu", Size(2, 1)),
        ("capacity.memory_gib", Size(1, 2)),
        ("capacity.storage_gib", Size(1, 1)),
    ],
)
def test_a_full_pool_says_so_and_makes_nothing(pool: Pool, limit: str, wants: Size) -> None:
    provider = pool.reopened(**{limit: "1"})
    error = refused(ErrorCode.QUOTA_EXCEEDED, lambda: provider.ensure_machine(want_machine(size=wants)))
    assert not error.final
    assert provider.list_all_disks() == ()
    assert provider.list_machines() == ()


def test_growth_counts_against_the_pool(pool: Pool) -> None:
    provider = pool.reopened(**{"capacity.memory_gib": "2", "capacity.storage_gib": "3"})
    pool.build(want_machine(), provider)
    refused(ErrorCode.QUOTA_EXCEEDED, lambda: provider.resize_machine("m1", Size(1, 3)))
    refused(ErrorCode.QUOTA_EXCEEDED, lambda: provider.add_disks("m1", (DiskWant("m1-data1", "data1", 3),)))
    assert found(provider).size == Size(1, 1)
    assert disks_by_key(provider)["m1-data1"].size_bytes == GIB


def test_a_pool_that_cant_be_seen_is_never_empty(pool: Pool) -> None:
    provider = pool.open(pool.connection)
    pool.build(want_machine(), provider)
    pool.break_sight()
    for look in (
        lambda: provider.find_machine("m1"),
        provider.list_machines,
        lambda: provider.list_machines("uid-2"),
        lambda: provider.list_disks("m1"),
        provider.list_all_disks,
        provider.list_strangers,
        provider.capacity,
    ):
        refused(ErrorCode.UNREACHABLE, look)
    refused(ErrorCode.UNREACHABLE, lambda: provider.release_machine("m1"))
    refused(ErrorCode.UNREACHABLE, lambda: provider.delete_disk("m1-root"))
    refused(ErrorCode.UNREACHABLE, lambda: provider.ensure_machine(want_machine()))
