"""Removing a whole pool from this host, and telling what of one is still there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from govpool_providers.base import PoolConnection
from govpool_providers.errors import ErrorCode
from govpool_providers.local import cgroups, network, nspawn, storage
from govpool_providers.local.provider import LocalProvider
from govpool_providers.local.settings import LocalSettings
from govpool_providers.local.shell import translated
from govpool_providers.local.store import entries


@translated(ErrorCode.RETRYABLE)
def purge(
    connection: PoolConnection,
    *,
    state: bool = True,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Remove everything of the pool: machines, mounts, loop devices, interfaces, bridge, route.

    With ``state``, also the records and the disks' images: the data is then gone without a wipe, so
    this is for demonstrations and tests, never for a pool that a unit uses. May be repeated.
    """
    provider = LocalProvider(connection, sleep=sleep)
    for record in provider.store.machines():
        say(f"Releasing {record.hostname}")
        provider.release_machine(record.key)
    settings = provider.settings
    storage.unmount_below(settings.state, sleep=sleep)
    for device in storage.loops_under(settings.state):
        storage.drop_loop(device, sleep=sleep)
    network.remove_bridge(settings)
    if state and settings.state.exists():
        shutil.rmtree(settings.state)


@translated(ErrorCode.UNREACHABLE)
def leftovers(connection: PoolConnection) -> list[str]:
    """What is still on this host of the pool but its records and images; empty when nothing."""
    settings = LocalSettings.of(connection)
    found = [
        f"mount {mount.point}" for mount in storage.mounts() if mount.point.is_relative_to(settings.state)
    ]
    found += [f"loop device {device}" for device in storage.loops_under(settings.state)]
    prefix = settings.unit_prefix
    found += [
        f"process {pid} of {unit}" for unit, pid in nspawn.supervisors().items() if unit.startswith(prefix)
    ]
    found += [f"control group {group}" for group in cgroups.groups_named(prefix)]
    for folder, what in (
        (network.SYS_NET, "interface"),
        (nspawn.NSPAWN_RUN / "propagate", "folder"),
        (nspawn.NSPAWN_RUN / "unix-export", "folder"),
    ):
        found += [f"{what} {path}" for path in entries(folder) if path.name.startswith(prefix)]
    if network.owns_bridge(settings):
        found.append(f"bridge {settings.bridge}")
    if network.has_blackhole(settings):
        found.append(f"blackhole route {settings.subnet}")
    return found + [f"run folder {path}" for path in entries(settings.state / "run")]
