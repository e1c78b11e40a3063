"""The local pool: machines of this host, as a :class:`~govpool_providers.base.Provider`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from govpool_providers.base import (
    GIB,
    Capacity,
    Disk,
    DiskCopy,
    DiskState,
    DiskWant,
    Machine,
    MachineState,
    MachineWant,
    PoolConnection,
    SanitiserDevice,
    Size,
)
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local import cgroups, copies, image, network, nspawn, seed, storage
from govpool_providers.local.machinery import Machinery
from govpool_providers.local.settings import SUITES, LocalSettings
from govpool_providers.local.shell import translated
from govpool_providers.local.store import DiskRecord, MachineRecord, Phase, PoolRecord, Store

KEY = re.compile(r"[a-z0-9-]{1,40}")
DISK_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")

looking = translated(ErrorCode.UNREACHABLE)
acting = translated(ErrorCode.RETRYABLE)


class LocalProvider:
    """A pool on this host: systemd-nspawn machines, disks as image files.

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
        self.host = Machinery(self.settings, self.store, sleep=sleep, clock=clock, on_step=on_step)

    # -- the pool -----------------------------------------------------------------------------------
    @looking
    def capacity(self) -> Capacity:
        """What the settings grant, else what this host has; and what machines and disks take of it."""
        self._seen_whole()
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

    def _seen_whole(self) -> None:
        """Refuse to call a pool empty that only lost sight of its records."""
        if self.store.pool() is None and (
            network.owns_bridge(self.settings) or (self.settings.state / "machines").exists()
        ):
            raise ProviderError(
                ErrorCode.UNREACHABLE,
                f"The pool's records in {self.settings.state} are missing, but the pool was used: "
                "mount or restore that folder.",
            )

    # -- machines -----------------------------------------------------------------------------------
    @looking
    def find_machine(self, key: str) -> Machine | None:
        """See :class:`Provider`."""
        self._seen_whole()
        record = self.store.machine(_key(key))
        return None if record is None else self._seen(record, nspawn.supervisors())

    @looking
    def list_machines(self, request_uid: str | None = None) -> tuple[Machine, ...]:
        """See :class:`Provider`."""
        self._seen_whole()
        running = nspawn.supervisors()
        return tuple(
            self._seen(record, running)
            for record in self.store.machines()
            if request_uid is None or record.owner.request_uid == request_uid
        )

    @acting
    def ensure_machine(self, want: MachineWant) -> Machine:
        """See :class:`Provider`. Waits up to ``boot_wait`` seconds for the first boot."""
        suite = self._check(want)
        with self._locked(want.key):
            record = self.store.machine(want.key) or self._reserve(want, suite)
            if record.owner.request_uid != want.owner.request_uid:
                raise ProviderError(ErrorCode.CONFLICT, f"Machine {want.key} belongs to another request.")
            if record.phase is Phase.RELEASING:
                raise ProviderError(
                    ErrorCode.CONFLICT, f"Machine {want.key} is being released: go on with release_machine."
                )
            if record.phase is Phase.BUILDING:
                self._build(record, want)
            return self._seen(record, nspawn.supervisors())

    def _check(self, want: MachineWant) -> str:
        _key(want.key)
        if want.image not in SUITES:
            raise ProviderError(
                ErrorCode.INVALID, f"Image {want.image!r} is not one of {', '.join(sorted(SUITES))}."
            )
        _check_size(want.size)
        if sum(disk.root for disk in want.disks) != 1:
            raise ProviderError(ErrorCode.INVALID, f"Machine {want.key} must have exactly one root disk.")
        _check_disks(want.disks)
        seed.check(want)
        return SUITES[want.image]

    def _reserve(self, want: MachineWant, suite: str) -> MachineRecord:
        """Write the machine's record, with an address of its own, before anything else."""
        self.host.step("reserve")
        with self.store.lock("pool"):
            machines = self.store.machines()
            self._check_room(machines, want.size)
            free = network.free_addresses(self.settings, (machine.address for machine in machines))
            if not free:
                raise ProviderError(
                    ErrorCode.QUOTA_EXCEEDED, f"Subnet {self.settings.subnet} has no free address."
                )
            record = MachineRecord(
                key=want.key,
                hostname=want.hostname,
                owner=want.owner,
                size=want.size,
                image=want.image,
                network=want.network,
                item=want.item,
                address=str(free[0]),
                mac=network.mac_of(free[0]),
                base=image.image_name(suite),
            )
            self.store.put_machine(record)
        return record

    def _check_room(self, others: list[MachineRecord], size: Size) -> None:
        vcpu = size.vcpu + sum(machine.size.vcpu for machine in others)
        memory = size.memory_gib + sum(machine.size.memory_gib for machine in others)
        _check_limit("vCPU", vcpu, self.settings.vcpu)
        _check_limit("GiB of memory", memory, self.settings.memory_gib)

    def _build(self, record: MachineRecord, want: MachineWant) -> None:
        if record.fault:
            self._clear_fault(record)
        self._make_disks(record, want.disks)
        self.host.step("base-image")
        base = self.settings.images / record.base
        if not base.is_dir():
            base = image.build(self.settings.images, SUITES[record.image])
            record.base = base.name
            self.store.put_machine(record)
        self.host.mount_all(record, base)
        self.host.seed(record, want)
        self.host.start(record)
        if self.host.await_boot(record):
            record.phase, record.fresh_root = Phase.BUILT, False
        elif not self.host.runs(record.key):
            said = nspawn.last_words(self.host.folder(record.key).log)
            record.fault = f"systemd-nspawn ended before the machine had booted: {said}"
        self.store.put_machine(record)

    def _clear_fault(self, record: MachineRecord) -> None:
        """Undo a failed build; a root disk that holds nothing but that build is made anew."""
        self.host.take_down(record)
        for disk in self.store.disks():
            if disk.machine_key == record.key and disk.root and record.fresh_root:
                disk.formatted = False
                self.store.put_disk(disk)
        record.fault, record.seeded = "", False
        self.store.put_machine(record)

    def _make_disks(self, record: MachineRecord, wants: tuple[DiskWant, ...]) -> None:
        """Record, then make, the disks that are missing; adopt those that exist under their keys."""
        with self.store.lock("pool"):
            self._check_storage(wants)
            for want in wants:
                self._record_disk(record, want)
        for want in wants:
            disk = self._disk(want.key)
            if disk.root and not disk.formatted and not record.fresh_root:
                record.fresh_root = True
                self.store.put_machine(record)
            self.host.make_disk(disk)

    def _record_disk(self, record: MachineRecord, want: DiskWant) -> None:
        found = self.store.disk(want.key)
        if found is None:
            self.host.step(f"disk-record:{want.name}")
            size = want.size_gib * GIB
            found = DiskRecord(want.key, want.name, record.key, record.owner, size, want.root)
            self.store.put_disk(found)
        if found.machine_key != record.key:
            raise ProviderError(
                ErrorCode.CONFLICT, f"Disk {want.key} belongs to machine {found.machine_key}."
            )
        if found.sanitising:
            raise ProviderError(ErrorCode.CONFLICT, f"Disk {want.key} is attached to the sanitiser.")
        siblings = [disk for disk in self.store.disks() if disk.machine_key == record.key]
        if any(disk.name == want.name and disk.key != want.key for disk in siblings):
            raise ProviderError(ErrorCode.INVALID, f"Machine {record.key} has another disk {want.name!r}.")
        if want.key not in record.disk_keys:
            record.disk_keys.append(want.key)
            self.store.put_machine(record)

    def _check_storage(self, wants: tuple[DiskWant, ...]) -> None:
        disks = {disk.key: disk.size_bytes for disk in self.store.disks()}
        for want in wants:
            disks[want.key] = max(disks.get(want.key, 0), want.size_gib * GIB)
        _check_limit("GiB of storage", sum(disks.values()) // GIB, self.settings.storage_gib)

    @acting
    def resize_machine(self, key: str, size: Size) -> Machine:
        """See :class:`Provider`. Takes effect in the running machine at once."""
        _check_size(size)
        with self._locked(key):
            record = self._built(key)
            if record.size != size:
                with self.store.lock("pool"):
                    others = [machine for machine in self.store.machines() if machine.key != key]
                    self._check_room(others, size)
                    self.host.step("limit")
                    cgroups.limit(self.host.unit(key), size)
                    record.size = size
                    self.store.put_machine(record)
            return self._seen(record, nspawn.supervisors())

    @acting
    def add_disks(self, key: str, disks: tuple[DiskWant, ...]) -> Machine:
        """See :class:`Provider`. A new disk appears in the running machine as ``/data/<name>``."""
        _check_disks(disks)
        with self._locked(key):
            record = self._built(key)
            self._refuse_shrinking(record, disks)
            self._make_disks(record, disks)
            for want in disks:
                self._grow(self._disk(want.key), want.size_gib * GIB)
            self.host.mount_all(record, self._base(record))
            return self._seen(record, nspawn.supervisors())

    def _refuse_shrinking(self, record: MachineRecord, wants: tuple[DiskWant, ...]) -> None:
        for want in wants:
            found = self.store.disk(want.key)
            if found is None and want.root:
                raise ProviderError(ErrorCode.INVALID, f"Machine {record.key} has its root disk already.")
            if found is not None and found.size_bytes > want.size_gib * GIB:
                raise ProviderError(
                    ErrorCode.INVALID,
                    f"Disk {want.key} has {found.size_bytes // GIB} GiB and can't be made smaller.",
                )

    def _grow(self, disk: DiskRecord, size: int) -> None:
        if disk.size_bytes >= size:
            return
        self.host.step(f"extend:{disk.name}")
        storage.make_image(self.store.disk_image(disk.key), size, full=self.settings.full_allocation)
        disk.size_bytes, disk.growing = size, True
        self.store.put_disk(disk)

    @acting
    def set_power(self, key: str, *, on: bool) -> Machine:
        """See :class:`Provider`. Starting waits up to ``boot_wait`` seconds for sshd."""
        with self._locked(key):
            record = self._built(key)
            if record.power != on:
                record.power = on
                self.store.put_machine(record)
            if not on:
                self.host.stop(record)
            elif not self.host.runs(key):
                self.host.mount_all(record, self._base(record))
                self.host.start(record)
                self.host.await_boot(record)
            return self._seen(record, nspawn.supervisors())

    def _base(self, record: MachineRecord) -> Path:
        base = self.settings.images / record.base
        if not base.is_dir():
            raise ProviderError(
                ErrorCode.CONFLICT, f"The base image {base} of machine {record.key} is gone: restore it."
            )
        return base

    @acting
    def set_isolated(self, key: str, *, isolated: bool) -> Machine:
        """See :class:`Provider`."""
        with self._locked(key):
            record = self._require(key)
            if record.isolated != isolated:
                record.isolated = isolated
                self.store.put_machine(record)
            self.host.step("cable")
            self.host.set_cable(record)
            return self._seen(record, nspawn.supervisors())

    @acting
    def release_machine(self, key: str) -> None:
        """See :class:`Provider`. Shuts the machine down first, so that its file systems are whole."""
        with self._locked(key):
            record = self.store.machine(key)
            if record is None:
                return
            if record.phase is not Phase.RELEASING:
                self.host.step("releasing")
                record.phase = Phase.RELEASING
                self.store.put_machine(record)
            self.host.take_down(record)
            with self.store.lock("pool"):
                if len(self.store.machines()) == 1:
                    self.host.step("bridge-remove")
                    network.remove_bridge(self.settings)
                self.host.step("forget")
                self.store.drop_machine(key)

    # -- disks --------------------------------------------------------------------------------------
    @looking
    def list_disks(self, machine_key: str) -> tuple[Disk, ...]:
        """See :class:`Provider`."""
        return tuple(disk for disk in self._disks() if disk.machine_key == machine_key)

    @looking
    def list_all_disks(self, request_uid: str | None = None) -> tuple[Disk, ...]:
        """See :class:`Provider`."""
        records = self.store.disks()
        wanted = {disk.key for disk in records if request_uid in {None, disk.owner.request_uid}}
        return tuple(disk for disk in self._disks() if disk.key in wanted)

    def _disks(self) -> tuple[Disk, ...]:
        self._seen_whole()
        taken = {key for machine in self.store.machines() for key in machine.disk_keys}
        under = storage.file_system_of(self.store.disks_dir)
        return tuple(
            Disk(
                key=disk.key,
                name=disk.name,
                machine_key=disk.machine_key,
                provider_id=str(self.store.disk_image(disk.key)),
                size_bytes=disk.size_bytes,
                root=disk.root,
                state=_disk_state(disk, taken),
                medium=under.medium,
                overwrite=under.overwrite,
            )
            for disk in self.store.disks()
        )

    @looking
    def list_copies(self, disk_key: str) -> tuple[DiskCopy, ...]:
        """See :class:`Provider`. What lies beside the image; snapshots of the file system are not seen."""
        self._seen_whole()
        return copies.of_disk(self.store.disk_dir(_key(disk_key)), disk_key)

    @acting
    def delete_copy(self, copy: DiskCopy) -> None:
        """See :class:`Provider`."""
        with self._locked(_key(copy.disk_key)):
            copies.delete(self.store.disk_dir(copy.disk_key), copy)

    @acting
    def attach_to_sanitiser(self, disk_key: str) -> SanitiserDevice:
        """See :class:`Provider`. This host is the sanitiser: a loop device, past the page cache."""
        with self._locked(self._disk(disk_key).machine_key):
            disk = self._disk(disk_key)
            self._refuse_attached(disk)
            if not disk.sanitising:
                self.host.step("sanitising")
                disk.sanitising = True
                self.store.put_disk(disk)
            self.host.step("sanitiser-loop")
            device = storage.ensure_loop(self.store.disk_image(disk_key))
            return SanitiserDevice(disk_key, "localhost", device, storage.device_size(device))

    @acting
    def detach_from_sanitiser(self, disk_key: str) -> None:
        """See :class:`Provider`."""
        found = self.store.disk(_key(disk_key))
        if found is None or not found.sanitising:
            return
        with self._locked(found.machine_key):
            disk = self._disk(disk_key)
            if not disk.sanitising:
                return
            self.host.step("sanitiser-detach")
            for device in storage.loops_of(self.store.disk_image(disk_key)):
                storage.drop_loop(device, sleep=self.host.sleep)
            disk.sanitising = False
            self.store.put_disk(disk)

    @acting
    def delete_disk(self, disk_key: str) -> None:
        """See :class:`Provider`."""
        found = self.store.disk(_key(disk_key))
        if found is None:
            return
        with self._locked(found.machine_key):
            disk = self.store.disk(disk_key)
            if disk is None:
                return
            self._refuse_attached(disk)
            if disk.sanitising:
                raise ProviderError(
                    ErrorCode.CONFLICT, f"Disk {disk_key} is attached to the sanitiser: detach it first."
                )
            for device in storage.loops_of(self.store.disk_image(disk_key)):
                storage.drop_loop(device, sleep=self.host.sleep)
            self.host.step("disk-remove")
            self.store.drop_disk(disk_key)

    def _refuse_attached(self, disk: DiskRecord) -> None:
        machine = self.store.machine(disk.machine_key)
        if machine is not None and disk.key in machine.disk_keys:
            raise ProviderError(
                ErrorCode.CONFLICT, f"Machine {machine.key} still has disk {disk.key}: release it first."
            )

    # -- helpers ------------------------------------------------------------------------------------
    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Hold the machine's lock in the opened pool, against every other operator on this host."""
        self.store.open(PoolRecord(self.settings.pool, self.settings.bridge, str(self.settings.subnet)))
        with self.store.lock(f"machine-{_key(key)}"):
            yield

    def _require(self, key: str) -> MachineRecord:
        record = self.store.machine(_key(key))
        if record is None:
            self._seen_whole()
            raise ProviderError(ErrorCode.NOT_FOUND, f"The pool has no machine {key}.")
        return record

    def _built(self, key: str) -> MachineRecord:
        record = self._require(key)
        if record.phase is not Phase.BUILT:
            raise ProviderError(ErrorCode.CONFLICT, f"Machine {key} is {record.phase}, not yet in service.")
        return record

    def _disk(self, key: str) -> DiskRecord:
        disk = self.store.disk(_key(key))
        if disk is None:
            self._seen_whole()
            raise ProviderError(ErrorCode.NOT_FOUND, f"The pool has no disk {key}.")
        return disk

    def _seen(self, record: MachineRecord, running: dict[str, int]) -> Machine:
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


def _disk_state(disk: DiskRecord, taken: set[str]) -> DiskState:
    if disk.sanitising:
        return DiskState.SANITISING
    return DiskState.ATTACHED if disk.key in taken else DiskState.DETACHED


def _key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ProviderError(ErrorCode.INVALID, f"Key {key!r} is not 1 to 40 characters of a-z, 0-9 and '-'.")
    return key


def _check_size(size: Size) -> None:
    if size.vcpu < 1 or size.memory_gib < 1:
        raise ProviderError(ErrorCode.INVALID, f"Size {size.vcpu} vCPU, {size.memory_gib} GiB is too small.")


def _check_disks(wants: tuple[DiskWant, ...]) -> None:
    for want in wants:
        _key(want.key)
        if not DISK_NAME.fullmatch(want.name) or want.size_gib < 1:
            raise ProviderError(
                ErrorCode.INVALID, f"Disk {want.name!r} of {want.size_gib} GiB: wants a DNS label and 1 GiB."
            )
    for field in ("key", "name"):
        if len({getattr(want, field) for want in wants}) != len(wants):
            raise ProviderError(ErrorCode.INVALID, f"Two disks have the same {field}.")


def _check_limit(what: str, wanted: int, limit: int | None) -> None:
    if limit is not None and wanted > limit:
        raise ProviderError(ErrorCode.QUOTA_EXCEEDED, f"{wanted} {what} wanted in a pool of {limit}.")


def _or(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
