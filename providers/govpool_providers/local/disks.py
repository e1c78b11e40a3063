"""The calls of a local pool that are about disks."""

from __future__ import annotations

import re

from govpool_providers.base import (
    GIB,
    Disk,
    DiskCopy,
    DiskState,
    DiskWant,
    Machine,
    SanitiserDevice,
)
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local import copies, nspawn, storage
from govpool_providers.local.pool import LocalPool, acting, check_limit, looking, valid_key
from govpool_providers.local.store import DiskRecord, MachineRecord

DISK_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


class LocalDisks(LocalPool):
    """Disks of a local pool: image files, loop devices, copies beside them."""

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
        self.check_whole()
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
        self.check_whole()
        return copies.of_disk(self.store.disk_dir(valid_key(disk_key)), disk_key)

    @acting
    def delete_copy(self, copy: DiskCopy) -> None:
        """See :class:`Provider`."""
        with self.locked(valid_key(copy.disk_key)):
            copies.delete(self.store.disk_dir(copy.disk_key), copy)

    @acting
    def attach_to_sanitiser(self, disk_key: str) -> SanitiserDevice:
        """See :class:`Provider`. This host is the sanitiser: a loop device, past the page cache."""
        with self.locked(self.disk_record(disk_key).machine_key):
            disk = self.disk_record(disk_key)
            self._refuse_attached(disk)
            if not disk.sanitising:
                self.host.step("sanitising")
                disk.sanitising = True
                self.store.put_disk(disk)
            self.host.step("sanitiser-loop")
            image = self.store.disk_image(disk_key)
            device = storage.ensure_discarding_loop(image, sleep=self.host.sleep)
            return SanitiserDevice(disk_key, "localhost", device, storage.device_size(device))

    @acting
    def detach_from_sanitiser(self, disk_key: str) -> None:
        """See :class:`Provider`."""
        found = self.store.disk(valid_key(disk_key))
        if found is None:
            self.check_whole()
        if found is None or not found.sanitising:
            return
        with self.locked(found.machine_key):
            disk = self.disk_record(disk_key)
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
        found = self.store.disk(valid_key(disk_key))
        if found is None:
            self.check_whole()
            return
        with self.locked(found.machine_key):
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

    @acting
    def add_disks(self, key: str, disks: tuple[DiskWant, ...]) -> Machine:
        """See :class:`Provider`. A new disk appears in the running machine as ``/data/<name>``."""
        check_disks(disks)
        with self.locked(key):
            record = self.built(key)
            self._refuse_shrinking(record, disks)
            self.make_disks(record, disks)
            for want in disks:
                self._grow(self.disk_record(want.key), want.size_gib * GIB)
            self.host.mount_all(record, self.base_image(record))
            return self.seen(record, nspawn.supervisors())

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

    def make_disks(self, record: MachineRecord, wants: tuple[DiskWant, ...]) -> None:
        """Record, then make, the disks that are missing; adopt those that exist under their keys."""
        with self.store.lock("pool"):
            self.check_storage(wants)
            for want in wants:
                self._record_disk(record, want)
        for want in wants:
            disk = self.disk_record(want.key)
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

    def check_storage(self, wants: tuple[DiskWant, ...]) -> None:
        """Refuse (QuotaExceeded) disks beyond what the settings grant; those that exist count once."""
        disks = {disk.key: disk.size_bytes for disk in self.store.disks()}
        for want in wants:
            disks[want.key] = max(disks.get(want.key, 0), want.size_gib * GIB)
        check_limit("GiB of storage", sum(disks.values()) // GIB, self.settings.storage_gib)


def _disk_state(disk: DiskRecord, taken: set[str]) -> DiskState:
    if disk.sanitising:
        return DiskState.SANITISING
    return DiskState.ATTACHED if disk.key in taken else DiskState.DETACHED


def check_disks(wants: tuple[DiskWant, ...]) -> None:
    """Refuse (Invalid) disks that can't be: their names become folders of the machine."""
    for want in wants:
        valid_key(want.key)
        if not DISK_NAME.fullmatch(want.name) or want.size_gib < 1:
            raise ProviderError(
                ErrorCode.INVALID, f"Disk {want.name!r} of {want.size_gib} GiB: wants a DNS label and 1 GiB."
            )
    for field in ("key", "name"):
        if len({getattr(want, field) for want in wants}) != len(wants):
            raise ProviderError(ErrorCode.INVALID, f"Two disks have the same {field}.")
