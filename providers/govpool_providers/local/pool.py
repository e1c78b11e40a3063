"""An opened local pool: its records, its locks, and how machines are seen."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from govpool_providers.base import (
    GIB,
    Capacity,
    Machine,
    MachineState,
    PoolConnection,
    Stranger,
    UnitSeen,
    UnitWant,
)
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local import network
from govpool_providers.local.machinery import Machinery
from govpool_providers.local.settings import LocalSettings
from govpool_providers.local.shell import translated
from govpool_providers.local.store import DiskRecord, MachineRecord, Phase, PoolRecord, Store

KEY = re.compile(r"[a-z0-9-]{1,40}")

looking = translated(ErrorCode.UNREACHABLE)
acting = translated(ErrorCode.RETRYABLE)


class LocalPool:
    """What every call of the local provider needs.

    ``clock`` (monotonic seconds) and ``sleep`` time the waits; ``on_step`` is told the name of every
    step just before it is done. See ``docs/local-pool.md`` for the settings and for what is real.
    """

    def __init__(
        self,
        connection: PoolConnection,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        on_step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = LocalSettings.of(connection)
        self.store = Store(self.settings.state, sleep=sleep)

        def step(name: str) -> None:
            if connection.fence is not None:
                connection.fence.check()
            on_step(name)

        self.host = Machinery(self.settings, self.store, sleep=sleep, clock=clock, on_step=step)

    # -- units --------------------------------------------------------------------------------------
    def ensure_unit(self, want: UnitWant) -> UnitSeen:
        """See :class:`Provider`. A host keeps all units together and has no limits of theirs."""
        return UnitSeen()

    def for_unit(self, unit: str) -> Self:
        """See :class:`Provider`."""
        return self

    @looking
    def list_strangers(self) -> tuple[Stranger, ...]:
        """See :class:`Provider`. The pool's folder is its own; what else runs on this host is not in it."""
        # "No strangers" is only known of a pool whose records can be read.
        self.check_whole()
        self.store.machines()
        self.store.disks()
        return ()

    # -- the pool -----------------------------------------------------------------------------------
    @looking
    def capacity(self) -> Capacity:
        """What the settings grant, else what this host has; and what machines and disks take of it."""
        self.check_whole()
        machines, disks = self.store.machines(), self.store.disks()
        storage_used = sum(disk.size_bytes for disk in disks) // GIB
        place = _existing(self.settings.state)
        room = os.statvfs(place)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // GIB
        free = room.f_bavail * room.f_frsize // GIB
        return Capacity(
            vcpu=_or(self.settings.vcpu, os.cpu_count() or 1),
            memory_gib=_or(self.settings.memory_gib, memory),
            storage_gib=_or(self.settings.storage_gib, free + storage_used),
            vcpu_used=sum(machine.size.vcpu for machine in machines),
            memory_gib_used=sum(machine.size.memory_gib for machine in machines),
            storage_gib_used=storage_used,
        )

    def check_whole(self) -> None:
        """Refuse to call a pool empty that only lost sight of its records."""
        if self.store.pool() is None and (
            network.owns_bridge(self.settings) or (self.settings.state / "machines").exists()
        ):
            raise ProviderError(
                ErrorCode.UNREACHABLE,
                f"The pool's records in {self.settings.state} are missing, but the pool was used: "
                "mount or restore that folder.",
            )

    # -- helpers ------------------------------------------------------------------------------------
    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the machine's lock in the opened pool, against every other operator on this host."""
        self.check_whole()
        self.store.open(PoolRecord(self.settings.pool, self.settings.bridge, str(self.settings.subnet)))
        with self.store.lock(f"machine-{valid_key(key)}"):
            yield

    def require(self, key: str) -> MachineRecord:
        """The machine's record, or NotFound."""
        record = self.store.machine(valid_key(key))
        if record is None:
            self.check_whole()
            raise ProviderError(ErrorCode.NOT_FOUND, f"The pool has no machine {key}.")
        return record

    def built(self, key: str) -> MachineRecord:
        """The record of a machine in service, or NotFound, or Conflict while it is built or released."""
        record = self.require(key)
        if record.phase is not Phase.BUILT:
            raise ProviderError(ErrorCode.CONFLICT, f"Machine {key} is {record.phase}, not yet in service.")
        return record

    def disk_record(self, key: str) -> DiskRecord:
        """The disk's record, or NotFound."""
        disk = self.store.disk(valid_key(key))
        if disk is None:
            self.check_whole()
            raise ProviderError(ErrorCode.NOT_FOUND, f"The pool has no disk {key}.")
        return disk

    def base_image(self, record: MachineRecord) -> Path:
        """The base image that the machine runs on; Conflict when it is gone."""
        base = self.settings.images / record.base
        if not base.is_dir():
            raise ProviderError(
                ErrorCode.CONFLICT, f"The base image {base} of machine {record.key} is gone: restore it."
            )
        return base

    def seen(self, record: MachineRecord, running: dict[str, int]) -> Machine:
        """The machine as the contract shows it; ``running`` as :func:`nspawn.supervisors` gave it."""
        unit = self.settings.unit_name(record.key)
        return Machine(
            key=record.key,
            provider_id=unit,
            state=_machine_state(record, unit in running),
            size=record.size,
            image=record.image,
            addresses=(record.address,),
            owner=record.owner,
            fault=record.fault,
            isolated=record.isolated,
        )


def _machine_state(record: MachineRecord, runs: bool) -> MachineState:
    if record.fault:
        return MachineState.ERROR
    if record.phase is Phase.BUILDING:
        return MachineState.BUILDING
    return MachineState.ACTIVE if runs else MachineState.STOPPED


def valid_key(key: str) -> str:
    """The key, or Invalid where it is none; it becomes part of paths."""
    if not KEY.fullmatch(key):
        raise ProviderError(ErrorCode.INVALID, f"Key {key!r} is not 1 to 40 characters of a-z, 0-9 and '-'.")
    return key


def check_limit(what: str, wanted: int, limit: int | None) -> None:
    """Refuse (QuotaExceeded) more than the pool's settings grant."""
    if limit is not None and wanted > limit:
        raise ProviderError(ErrorCode.QUOTA_EXCEEDED, f"{wanted} {what} wanted in a pool of {limit}.")


def _or(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
