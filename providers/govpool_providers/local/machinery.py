"""Bringing a machine of this host up and taking it down, step by step.

Every step adopts what an earlier, killed call left, and every removal goes on where one stopped.
``on_step`` is told the name of each step just before it; tests kill the process there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from govpool_providers.base import MachineWant
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local import cgroups, network, nspawn, seed, storage
from govpool_providers.local.settings import LocalSettings
from govpool_providers.local.store import DiskRecord, MachineRecord, Phase, Store

BOOT_PAUSE = 0.05
"""Seconds between two looks at a machine that boots."""
GREETING_WAIT = 2.0
"""Seconds that a machine in service is given to greet after its start."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a machine is mounted while it is on this host."""

    path: Path

    @property
    def disk(self) -> Path:
        """The root disk's own file system."""
        return self.path / "disk"

    @property
    def root(self) -> Path:
        """The overlay that is the machine's ``/``."""
        return self.path / "root"

    @property
    def data(self) -> Path:
        """The machine's ``/data``, a folder on its root disk; data disks are mounted in it."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """The machine's console."""
        return self.path / "console.log"


class Machinery:
    """The effects on this host, for one pool."""

    def __init__(
        self,
        settings: LocalSettings,
        store: Store,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        on_step: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.store = store
        self.sleep = sleep
        self.clock = clock
        self.step = on_step

    def folder(self, key: str) -> RunFolder:
        """The machine's run folder."""
        return RunFolder(self.store.run_dir / key)

    def unit(self, key: str) -> str:
        """The machine's name on this host."""
        return self.settings.unit_name(key)

    # -- disks --------------------------------------------------------------------------------------
    def make_disk(self, disk: DiskRecord) -> None:
        """Make the disk's image and file system; a disk that was once formatted is left as it is."""
        image = self.store.disk_image(disk.key)
        if not image.exists() and disk.formatted:
            raise ProviderError(
                ErrorCode.CONFLICT,
                f"The image of disk {disk.key} is missing ({image}): restore it, or delete the disk.",
            )
        if disk.formatted:
            return
        self.step(f"image:{disk.name}")
        storage.make_image(image, disk.size_bytes, full=self.settings.full_allocation)
        self.step(f"format:{disk.name}")
        storage.format_ext4(image, disk.name)
        disk.formatted = True
        self.store.put_disk(disk)

    def attach_disk(self, record: MachineRecord, disk: DiskRecord) -> None:
        """Loop device and mount of one disk; a data disk appears in the running machine at once."""
        folder = self.folder(record.key)
        self.step(f"loop:{disk.name}")
        device = storage.ensure_loop(self.store.disk_image(disk.key))
        storage.forbid_discard(device)
        point = folder.disk if disk.root else folder.data / disk.name
        if disk.growing:
            self.step(f"grow:{disk.name}")
            image = self.store.disk_image(disk.key)
            if storage.grow_file_system(device, image, point, sleep=self.sleep):
                disk.growing = False
                self.store.put_disk(disk)
        self.step(f"mount:{disk.name}")
        storage.ensure_mounted(device, point)
        if disk.root:
            for name in ("upper", "work", "data"):
                (folder.disk / name).mkdir(exist_ok=True, mode=0o755)
            storage.ensure_shared_folder(folder.data, folder.disk / "data")

    # -- machines -----------------------------------------------------------------------------------
    def mount_all(self, record: MachineRecord, base: Path) -> None:
        """Every mount of the machine, root disk first."""
        folder = self.folder(record.key)
        self.step("run-folder")
        storage.ensure_shared_folder(folder.path)
        disks = [self._disk(key) for key in record.disk_keys]
        for disk in sorted(disks, key=lambda disk: not disk.root):
            self.attach_disk(record, disk)
        self.step("overlay")
        storage.ensure_overlay(base, folder.disk / "upper", folder.disk / "work", folder.root)

    def finish_growth(self, record: MachineRecord) -> None:
        """Unmount a machine that does not run, if a disk of it waits to grow; mounting it then grows it."""
        if any(self._disk(key).growing for key in record.disk_keys):
            self.unmount(record)

    def _disk(self, key: str) -> DiskRecord:
        disk = self.store.disk(key)
        if disk is None:
            raise ProviderError(ErrorCode.CONFLICT, f"The record of disk {key} is gone; restore it.")
        return disk

    def seed(self, record: MachineRecord, want: MachineWant) -> None:
        """Plant the machine's identity, once per machine."""
        if record.seeded:
            return
        self.step("seed")
        text = network.network_file(self.settings, record.address, record.mac)
        seed.plant(self.folder(record.key).root, want, record.address, text)
        record.seeded = True
        self.store.put_machine(record)

    def start(self, record: MachineRecord) -> None:
        """Network, control groups and the machine itself; its mounts must be there."""
        unit, folder = self.unit(record.key), self.folder(record.key)
        self.step("bridge")
        with self.store.lock("pool"):
            network.ensure_bridge(self.settings)
        if nspawn.supervisor(unit) is None:
            self.step("residue")
            self._clear_processes(record)
            self.step("cgroup")
            groups = cgroups.ensure(unit, record.size)
            self.step("nspawn")
            nspawn.start(
                nspawn.Launch(unit, record.hostname, folder.root, folder.data, tuple(groups), folder.log)
            )
        self.step("connect")
        self._await(lambda: network.exists(unit) or self._died(unit))
        self.set_cable(record)

    def set_cable(self, record: MachineRecord) -> None:
        """Connect or disconnect the machine as its record says."""
        unit = self.unit(record.key)
        if not network.exists(unit):
            return
        if record.isolated:
            network.disconnect(unit)
        else:
            network.connect(unit, self.settings.bridge)

    def await_boot(self, record: MachineRecord) -> bool:
        """Wait until sshd listens in the machine; False when it died or did not get there in time.

        A new machine must also greet over its network, unless it is isolated. One in service may be
        told by its own firewall not to, so for it that is only waited for a little.
        """
        unit = self.unit(record.key)
        self.step("boot")
        self._await(lambda: self.booted(record) or self._died(unit))
        if record.isolated or not self.booted(record):
            return self.booted(record)
        patience = self.settings.boot_wait if record.phase is Phase.BUILDING else GREETING_WAIT
        self._await(lambda: network.answers_ssh(record.address) or self._died(unit), patience)
        return record.phase is not Phase.BUILDING or network.answers_ssh(record.address)

    def booted(self, record: MachineRecord) -> bool:
        """Whether sshd listens in the machine now."""
        return nspawn.listens(cgroups.some_processes(self.unit(record.key)), IPv4Address(record.address))

    def runs(self, key: str) -> bool:
        """Whether the machine's supervisor lives."""
        return nspawn.supervisor(self.unit(key)) is not None

    def _died(self, unit: str) -> bool:
        return not cgroups.some_processes(unit) and nspawn.supervisor(unit) is None

    def _await(self, reached: Callable[[], bool], patience: float | None = None) -> None:
        until = self.clock() + (self.settings.boot_wait if patience is None else patience)
        while not reached() and self.clock() < until:
            self.sleep(BOOT_PAUSE)

    def stop(self, record: MachineRecord) -> None:
        """Shut the machine down, in order if it can be, and leave no process of it."""
        unit = self.unit(record.key)
        self.step("shutdown")
        nspawn.stop(unit, self.settings.stop_wait)
        self._clear_processes(record)

    def _clear_processes(self, record: MachineRecord) -> None:
        unit = self.unit(record.key)
        self.step("kill")
        cgroups.kill(unit, sleep=self.sleep)
        self.step("sweep")
        nspawn.sweep(unit)
        nspawn.sweep_locks(self.folder(record.key).root)
        self.step("interface")
        network.remove_interface(unit)
        self.step("cgroup-remove")
        cgroups.remove(unit, sleep=self.sleep)

    def take_down(self, record: MachineRecord) -> None:
        """Stop the machine and remove everything of it on this host but its disks' images."""
        self.stop(record)
        self.unmount(record)
        folder = self.folder(record.key)
        self.step("run-folder-remove")
        folder.log.unlink(missing_ok=True)
        for path in (folder.root, folder.data, folder.disk, folder.path):
            if path.is_dir():
                path.rmdir()

    def unmount(self, record: MachineRecord) -> None:
        """Unmount the machine's disks and detach their loop devices."""
        self.step("unmount")
        storage.unmount_below(self.folder(record.key).path, sleep=self.sleep)
        self.step("loop-detach")
        for key in record.disk_keys:
            for device in storage.loops_of(self.store.disk_image(key)):
                storage.drop_loop(device, sleep=self.sleep)
