"""What only a fixture pool can do: faults, latency, a ledger, several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from contract_pools import want_machine

from govpool_providers.base import CopyKind, DiskWant, MachineState, OverwriteProof, PoolConnection, Size
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.fixture import (
    Effect,
    FaultPlan,
    FaultRule,
    FixtureControl,
    FixtureProvider,
    When,
    outage,
    storm,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def connection(tmp_path: Path, **settings: str) -> PoolConnection:
    return PoolConnection("fixture-test", {"state": str(tmp_path / "state.sqlite"), **settings})


def failed(provider: FixtureProvider, key: str = "m1") -> ErrorCode | None:
    try:
        provider.ensure_machine(want_machine(key))
    except ProviderError as error:
        return error.code
    return None


def test_a_machine_takes_its_time_by_the_injected_clock(tmp_path: Path) -> None:
    clock = Clock()
    provider = FixtureProvider(connection(tmp_path, latency="30", looks="0"), clock=clock)
    assert provider.ensure_machine(want_machine()).state is MachineState.BUILDING
    clock.now += 29
    assert provider.ensure_machine(want_machine()).state is MachineState.BUILDING
    clock.now += 1
    assert provider.ensure_machine(want_machine()).state is MachineState.ACTIVE
    assert provider.resize_machine("m1", Size(4, 8)).state is MachineState.RESIZING
    assert provider.resize_machine("m1", Size(4, 8)).size == Size(1, 1)
    clock.now += 30
    assert provider.resize_machine("m1", Size(4, 8)).size == Size(4, 8)


def test_calls_take_the_latency_that_was_set(tmp_path: Path) -> None:
    clock = Clock()
    provider = FixtureProvider(connection(tmp_path, call_latency="0.5"), clock=clock, sleep=clock.sleep)
    provider.control.set_faults(FaultPlan((FaultRule(None, method="capacity", latency=2.0),)))
    provider.capacity()
    provider.list_machines()
    assert clock.slept == [2.5, 0.5]


def test_exactly_the_nth_call_fails(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path))
    rule = FaultRule(ErrorCode.UNAUTHORISED, method="ensure_machine", nth=2, times=2)
    provider.control.set_faults(FaultPlan((rule,)))
    provider.list_machines()
    results = [failed(provider) for _ in range(5)]
    assert results == [None, ErrorCode.UNAUTHORISED, ErrorCode.UNAUTHORISED, None, None]


def test_a_fault_before_the_effect_leaves_nothing_and_one_after_it_leaves_all(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path))
    before = FaultRule(ErrorCode.RETRYABLE, method="ensure_machine", key="m1", when=When.BEFORE)
    after = FaultRule(ErrorCode.RETRYABLE, method="ensure_machine", key="m2", when=When.AFTER)
    provider.control.set_faults(FaultPlan((before, after)))
    assert failed(provider, "m1") is failed(provider, "m2") is ErrorCode.RETRYABLE
    assert provider.find_machine("m1") is None
    assert provider.find_machine("m2") is not None


def test_seeded_faults_strike_the_same_calls_again(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path))

    def run(seed: int) -> list[ErrorCode | None]:
        provider.control.set_faults(storm(0.4, seed))
        return [failed(provider) for _ in range(60)]

    first = run(7)
    assert run(7) == first
    assert run(8) != first
    assert 10 < sum(code is not None for code in first) < 40
    assert {ErrorCode.RETRYABLE, ErrorCode.UNREACHABLE} <= set(first)


def test_an_outage_hits_every_call_and_ends(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path))
    provider.ensure_machine(want_machine())
    provider.control.set_faults(outage())
    for call in (provider.capacity, provider.list_machines, provider.list_all_disks):
        with pytest.raises(ProviderError) as caught:
            call()
        assert caught.value.code is ErrorCode.UNREACHABLE
    provider.control.clear_faults()
    assert len(provider.list_machines()) == 1


def test_deleting_an_unwiped_disk_is_a_violation_and_a_wiped_one_is_not(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path, looks="0"))
    provider.ensure_machine(want_machine())
    provider.control.write("m1-data1", "a citizen's file")
    provider.release_machine("m1")
    with pytest.raises(ProviderError, match="not attached to the sanitiser"):
        provider.mark_wiped("m1-root")
    provider.attach_to_sanitiser("m1-root")
    provider.mark_wiped("m1-root")
    provider.detach_from_sanitiser("m1-root")
    provider.delete_disk("m1-root")
    assert provider.control.violations() == []
    assert provider.control.content("m1-data1") == "a citizen's file"
    provider.delete_disk("m1-data1")
    assert provider.control.violations() == ["delete-disk m1-data1: deleted unwiped"]


def test_a_disk_that_was_used_again_after_its_wipe_counts_as_unwiped(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path, looks="0"))
    provider.ensure_machine(want_machine(data=0))
    provider.release_machine("m1")
    provider.attach_to_sanitiser("m1-root")
    provider.mark_wiped("m1-root")
    provider.detach_from_sanitiser("m1-root")
    provider.ensure_machine(want_machine(data=0))
    provider.release_machine("m1")
    provider.delete_disk("m1-root")
    assert provider.control.violations() == ["delete-disk m1-root: deleted unwiped"]


def test_the_ledger_has_every_effect_once_and_in_order(tmp_path: Path) -> None:
    clock = Clock()
    provider = FixtureProvider(connection(tmp_path, looks="0"), clock=clock)
    for _ in range(3):
        provider.ensure_machine(want_machine(data=0))
    provider.add_disks("m1", (DiskWant("m1-root", "root", 2, root=True),))
    provider.set_power("m1", on=False)
    provider.release_machine("m1")
    assert [(entry.effect, entry.key) for entry in provider.control.ledger()] == [
        (Effect.CREATE_DISK, "m1-root"),
        (Effect.ATTACH_DISK, "m1-root"),
        (Effect.CREATE_MACHINE, "m1"),
        (Effect.GROW_DISK, "m1-root"),
        (Effect.POWER, "m1"),
        (Effect.RELEASE_MACHINE, "m1"),
    ]
    assert {entry.at for entry in provider.control.ledger()} == {1000.0}
    assert provider.control.inventory().disks == ("m1-root",)
    assert provider.control.calls("ensure_machine") == 3


def test_removal_may_take_several_calls(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path, removal_calls="3", looks="0"))
    provider.ensure_machine(want_machine(data=0))
    for _ in range(2):
        provider.release_machine("m1")
        assert provider.find_machine("m1") is not None
    with pytest.raises(ProviderError) as caught:
        provider.ensure_machine(want_machine(data=0))
    assert caught.value.code is ErrorCode.CONFLICT
    provider.release_machine("m1")
    assert provider.find_machine("m1") is None


def test_a_machine_in_error_is_replaced_only_without_data(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path, looks="0"))
    for key in ("m1", "m2"):
        provider.ensure_machine(want_machine(key))
        provider.control.break_machine(key, "no valid host was found")
        machine = provider.find_machine(key)
        assert machine is not None
        assert (machine.state, machine.fault) == (MachineState.ERROR, "no valid host was found")
    provider.control.write("m2-data1", "data")
    assert provider.ensure_machine(want_machine("m1")).state is MachineState.ACTIVE
    assert provider.ensure_machine(want_machine("m2")).state is MachineState.ERROR


def test_drift_and_copies_behind_the_operators_back(tmp_path: Path) -> None:
    provider = FixtureProvider(connection(tmp_path, looks="0", overwrite="CopyOnWrite", medium="ceph rbd"))
    provider.ensure_machine(want_machine())
    provider.control.drift("m1", size=Size(1, 2), power=False)
    machine = provider.find_machine("m1")
    assert machine is not None
    assert (machine.size, machine.state) == (Size(1, 2), MachineState.STOPPED)
    copy = provider.control.plant_copy("m1-root", CopyKind.RECYCLE_BIN)
    assert provider.list_copies("m1-root") == (copy,)
    assert {(disk.overwrite, disk.medium) for disk in provider.list_disks("m1")} == {
        (OverwriteProof.COPY_ON_WRITE, "ceph rbd")
    }
    provider.control.lose_machine("m1")
    assert provider.find_machine("m1") is None
    assert len(provider.list_disks("m1")) == 2


def test_settings_that_make_no_sense_are_invalid(tmp_path: Path) -> None:
    with pytest.raises(ProviderError) as caught:
        FixtureProvider(connection(tmp_path, latency="soon"))
    assert caught.value.code is ErrorCode.INVALID


OPERATOR = """
import sys
sys.path.insert(0, sys.argv[1])
from contract_pools import want_machine
from govpool_providers.base import PoolConnection
from govpool_providers.fixture import FixtureProvider
provider = FixtureProvider(PoolConnection("another process", {"state": sys.argv[2], "looks": "0"}))
for number in range(20):
    provider.ensure_machine(want_machine(f"m{number}"))
"""


def test_processes_share_the_state_file_and_it_outlives_them(tmp_path: Path) -> None:
    pool = connection(tmp_path, looks="0")
    argv = [sys.executable, "-c", OPERATOR, str(Path(__file__).parent), pool.settings["state"]]
    operators = [subprocess.Popen(argv) for _ in range(2)]
    assert [operator.wait(timeout=60) for operator in operators] == [0, 0]
    control = FixtureControl(pool)
    assert len(control.inventory().machines) == 20
    assert len(control.ledger(Effect.CREATE_MACHINE)) == 20
    assert control.violations() == []


def test_memory_is_the_process_own_and_by_pool_name() -> None:
    one, same, other = (FixtureProvider(PoolConnection(name, {})) for name in ("a", "a", "b"))
    try:
        one.ensure_machine(want_machine())
        assert same.find_machine("m1") is not None
        assert other.find_machine("m1") is None
    finally:
        one.close()
        other.close()
    assert FixtureProvider(PoolConnection("a", {})).find_machine("m1") is None
