"""An operator killed with SIGKILL before each single step of a local machine's life."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable

import pytest
from contract_pools import Pool, want_machine

from govpool_providers.base import DiskState, DiskWant, MachineState, Size
from govpool_providers.local import LocalProvider, leftovers

pytestmark = pytest.mark.root

MOST_STEPS = 60
Work = Callable[[LocalProvider], object]


def killed_before(dies: Callable[[int, str], bool], pool: Pool, work: Work) -> str | None:
    """Do the work in a process that dies before the first step for which ``dies`` (number, name) says so.

    Returns that step's name; None when the work got to its end.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        count = 0

        def on_step(name: str) -> None:
            nonlocal count
            if dies(count, name):
                os.write(writing, name.encode())
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        try:
            work(LocalProvider(pool.connection, on_step=on_step))
        except BaseException as error:
            os.write(writing, f"!{error!r}".encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        name = said.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}, name
    return name or None


def through_every_step(pool: Pool, work: Work, check: Callable[[], None]) -> list[str]:
    """Die before the first step, go on and die before the next other one, until the work is done."""
    died_before: list[str] = []
    for _ in range(MOST_STEPS):
        name = killed_before(lambda _, step: step not in died_before, pool, work)
        check()
        if name is None:
            return died_before
        died_before.append(name)
    raise AssertionError(f"not done after {MOST_STEPS} kills: {died_before}")


def test_a_whole_life_with_a_kill_before_every_step(local_pool: Pool) -> None:
    provider = LocalProvider(local_pool.connection)

    def at_most_one() -> None:
        assert len(provider.list_machines()) <= 1
        assert {disk.key for disk in provider.list_all_disks()} <= {"m1-root", "m1-data1", "m1-data2"}

    died = through_every_step(
        local_pool, lambda operator: operator.ensure_machine(want_machine()), at_most_one
    )
    assert set(died) >= {
        "reserve",
        "format:root",
        "loop:data1",
        "overlay",
        "seed",
        "bridge",
        "nspawn",
        "boot",
    }
    machine = local_pool.build(want_machine())
    assert machine.addresses == provider.list_machines()[0].addresses

    more = (DiskWant("m1-data1", "data1", 2), DiskWant("m1-data2", "data2", 1))
    died = through_every_step(local_pool, lambda operator: operator.add_disks("m1", more), at_most_one)
    assert {"extend:data1", "grow:data1", "format:data2", "mount:data2"} <= set(died)
    assert {disk.state for disk in provider.list_disks("m1")} == {DiskState.ATTACHED}

    through_every_step(local_pool, lambda operator: operator.resize_machine("m1", Size(1, 2)), at_most_one)
    for on, state in ((False, MachineState.STOPPED), (True, MachineState.ACTIVE)):
        died = through_every_step(
            local_pool,
            lambda operator, on=on: operator.set_power("m1", on=on),  # type: ignore[misc]
            at_most_one,
        )
        assert died
        found = provider.find_machine("m1")
        assert found is not None
        assert (found.state, found.size) == (state, Size(1, 2))

    died = through_every_step(local_pool, lambda operator: operator.release_machine("m1"), at_most_one)
    assert {"releasing", "shutdown", "unmount", "loop-detach", "bridge-remove", "forget"} <= set(died)
    assert provider.list_machines() == ()
    assert leftovers(local_pool.connection) == []

    through_every_step(local_pool, lambda operator: operator.attach_to_sanitiser("m1-root"), at_most_one)
    through_every_step(local_pool, lambda operator: operator.detach_from_sanitiser("m1-root"), at_most_one)
    for key in ("m1-root", "m1-data1", "m1-data2"):
        through_every_step(local_pool, lambda operator, key=key: operator.delete_disk(key), at_most_one)  # type: ignore[misc]
    assert provider.list_all_disks() == ()
    assert leftovers(local_pool.connection) == []
    assert not any((provider.settings.state / "disks").iterdir())
    assert not any((provider.settings.state / "locks").iterdir())


@pytest.mark.parametrize("seed", range(4))
def test_killed_once_at_random_then_released_half_made(local_pool: Pool, seed: int) -> None:
    step = random.Random(seed).randrange(1, 26)
    name = killed_before(
        lambda count, _: count == step, local_pool, lambda operator: operator.ensure_machine(want_machine())
    )
    provider = LocalProvider(local_pool.connection)
    assert len(provider.list_machines()) == 1, name
    local_pool.release("m1", provider)
    assert leftovers(local_pool.connection) == [], name
    for disk in provider.list_all_disks():
        provider.delete_disk(disk.key)
    assert provider.list_all_disks() == ()
