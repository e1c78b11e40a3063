"""Removing everything of a pool from its cloud, and telling what of it is still there."""

from __future__ import annotations

import time
from collections.abc import Callable

from govpool_providers.base import PoolConnection
from govpool_providers.errors import ProviderError
from govpool_providers.openstack.provider import OpenStackProvider

PATIENCE = 300.0
"""Seconds that the cloud is given to let go."""
PAUSE = 1.0


def purge(
    connection: PoolConnection,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Remove the pool's machines, disks with their copies, and sanitiser.

    The data is then gone without a wipe, so this is for demonstrations and tests, never for a pool that a
    unit uses. May be repeated. Raises what the provider does: at once when the cloud can't be seen to begin
    with, else once it went on for five minutes.
    """
    if not leftovers(connection):
        return
    provider = OpenStackProvider(connection, clock=clock, sleep=sleep)
    end = clock() + PATIENCE
    while True:
        try:
            _remove(provider)
            if not leftovers(connection):
                return
        except ProviderError as error:
            if error.final or clock() > end:
                raise
        if clock() > end:
            return  # leftovers() tells what
        sleep(PAUSE)


def _remove(provider: OpenStackProvider) -> None:
    disks = provider.list_all_disks()
    machines = {machine.key for machine in provider.list_machines()} | {disk.machine_key for disk in disks}
    for key in sorted(machines):
        provider.release_machine(key)  # before the volumes, which tell whose groups go, too
    for disk in disks:
        provider.detach_from_sanitiser(disk.key)
        for copy in provider.list_copies(disk.key):
            provider.delete_copy(copy)
        provider.delete_disk(disk.key)
    provider.release_sanitiser()


def leftovers(connection: PoolConnection) -> list[str]:
    """What is still in the cloud of the pool; empty when nothing."""
    provider = OpenStackProvider(connection)
    found = [f"server of machine {machine.key}" for machine in provider.list_machines()]
    found += [f"volume of disk {disk.key}" for disk in provider.list_all_disks()]
    return found + (["the sanitiser"] if provider.has_sanitiser() else [])
