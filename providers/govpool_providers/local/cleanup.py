"""Removing a whole pool from this host, and telling what of one is still there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    settings = provider.settings
    if state:
        _stop_all(settings, say)
        _sweep_all(settings, sleep)
    else:
        for record in provider.store.machines():
            say(f"Releasing {record.hostname}")
            provider.release_machine(record.key)
    storage.unmount_below(settings.state, sleep=sleep)
    for device in storage.loops_under(settings.state):
        storage.drop_loop(device, sleep=sleep)
    network.remove_bridge(settings)
    if state and settings.state.exists():
        shutil.rmtree(settings.state)


def _units(settings: LocalSettings) -> set[str]:
    """The names of the pool's machines on this host, from what the host has of them: no record is asked."""
    named = {path.name for folder in _name_folders() for path in entries(folder)}
    named |= {group.name for group in cgroups.groups_named(settings.unit_prefix)} | set(nspawn.supervisors())
    return {name for name in named if name.startswith(settings.unit_prefix)}


def _name_folders() -> tuple[Path, ...]:
    return (network.SYS_NET, nspawn.NSPAWN_RUN / "propagate", nspawn.NSPAWN_RUN / "unix-export")


def _stop_all(settings: LocalSettings, say: Callable[[str], None]) -> None:
    units = [unit for unit in nspawn.supervisors() if unit.startswith(settings.unit_prefix)]
    if units:
        say(f"Shutting down {len(units)} machines")
        with ThreadPoolExecutor(len(units)) as threads:
            list(threads.map(lambda unit: nspawn.stop(unit, settings.stop_wait), units))


def _sweep_all(settings: LocalSettings, sleep: Callable[[float], None]) -> None:
    for unit in _units(settings):
        cgroups.kill(unit, sleep=sleep)
    for root in (folder / "root" for folder in entries(settings.state / "run")):
        nspawn.sweep_locks(root)
    for unit in _units(settings):
        nspawn.sweep(unit)
        network.remove_interface(unit)
        cgroups.remove(unit, sleep=sleep)


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
    for folder in _name_folders():
        found += [f"{path}" for path in entries(folder) if path.name.startswith(prefix)]
    if network.owns_bridge(settings):
        found.append(f"bridge {settings.bridge}")
    if network.has_blackhole(settings):
        found.append(f"blackhole route {settings.subnet}")
    return found + [f"run folder {path}" for path in entries(settings.state / "run")]
