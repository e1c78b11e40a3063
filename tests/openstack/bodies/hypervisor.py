"""Makes bodies follow what Nova, Cinder and Neutron say: boot, stop, resize, cut off, attach, detach, delete.

A body is a machine of the local provider (systemd-nspawn), with records planted before the provider looks
for them: the address and MAC that Neutron gave, the keys of the server's user data, and second names of the
volumes' own files as disks. Nova's driver waits for ``bodies/<id>`` to go before it takes something away.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openstack.connection import Connection
from tests.openstack.bodies.seen import SeenServer, SeenVolume, look

from govpool_providers.base import GIB, DiskWant, MachineState, MachineWant, PoolConnection
from govpool_providers.errors import ProviderError
from govpool_providers.local import LocalProvider, cgroups, image, leftovers, purge, storage
from govpool_providers.local.store import DiskRecord, MachineRecord
from openstack import exceptions

log = logging.getLogger(__name__)
IMAGE, SUITE = "debian-12", "bookworm"
PAUSE, LONGEST = 0.5, 2.0
"""Seconds between two looks at the cloud: more when nothing happens, for looks cost its services time."""
SHARED = "backup"
"""Where in the sanitiser's /data the shared folder appears."""


class Hypervisor:
    """The bodies of one project's servers. ``share`` is a folder of this host that the sanitiser sees."""

    def __init__(
        self, cloud: Connection, project: str, run: Path, connection: PoolConnection, share: Path
    ) -> None:
        self.connection = connection
        self.local = LocalProvider(connection)
        self._cloud = cloud
        self._project = project
        self._volumes = run / "volumes"
        self._marks = run / "bodies"
        self._share = share
        self._stop = threading.Event()
        self._marks.mkdir(exist_ok=True)

    def serve(self) -> None:
        """Look and follow until :meth:`stop`."""
        pause, before = PAUSE, list[SeenServer]()
        with ThreadPoolExecutor(4) as threads:
            while not self._stop.wait(pause):
                try:
                    servers = look(self._cloud, self._project)
                except (exceptions.SDKException, OSError) as error:
                    log.warning("the cloud can't be seen: %s", error)
                    continue
                pause, before = min(pause * 1.3, LONGEST) if servers == before else PAUSE, servers
                list(threads.map(self._followed, servers))
                self._drop_others({server.id for server in servers})

    def stop(self) -> None:
        """Let :meth:`serve` end."""
        self._stop.set()

    def remove(self) -> list[str]:
        """Remove every body; what is left of them on this host."""
        for record in self.local.store.machines():
            self._mark(record.key, held=False)
        for path in self._raw_dir().glob("*.img"):
            self._mark(path.stem, held=False)
        purge(self.connection)
        return leftovers(self.connection)

    # -- one server ---------------------------------------------------------------------------------
    def _followed(self, server: SeenServer) -> None:
        try:
            self._follow(server)
        except ProviderError as error:  # the next look tries again
            log.warning("body of %s: %s", server.name, error)

    def _follow(self, server: SeenServer) -> None:
        record = self.local.store.machine(server.id)
        match server.fate:
            case "leaving":
                if record is not None:
                    self._release(record)
            case "stands":
                if record is not None:
                    self.local.set_power(server.id, on=False)
                    self._mark(server.id, held=False)
            case "runs":
                self._run(server, record)

    def _drop_others(self, there: set[str]) -> None:
        for record in self.local.store.machines():
            if record.key not in there:
                self._release(record)

    def _run(self, server: SeenServer, record: MachineRecord | None) -> None:
        if server.access is None or not any(volume.root for volume in server.volumes):
            return  # nothing to boot from, or nobody who could get in
        if record is None:
            log.info("%s boots at %s", server.name, server.address)
            record = self._plant(server)
        if record.size != server.size:
            self.local.set_power(server.id, on=False)
            self.local.resize_machine(server.id, server.size)
        self._mark(server.id, held=True)
        machine = self.local.ensure_machine(self._want(server, record))
        if machine.state is MachineState.STOPPED:
            self.local.set_power(server.id, on=True)
        if machine.isolated == server.up:
            self.local.set_isolated(server.id, isolated=not server.up)
        self._follow_volumes(server, record)

    def _plant(self, server: SeenServer) -> MachineRecord:
        """The records of a new body and its disks, so that the local provider adopts them."""
        with self.local.locked(server.id):
            for volume in server.volumes:
                self._plant_disk(server, volume)
            record = MachineRecord(
                key=server.id,
                hostname=server.name,
                owner=server.owner,
                size=server.size,
                image=IMAGE,
                network="neutron",
                item="",
                address=server.address,
                mac=server.mac,
                base=image.image_name(SUITE),
                disk_keys=[volume.id for volume in server.volumes],
            )
            self.local.store.put_machine(record)
        return record

    def _plant_disk(self, server: SeenServer, volume: SeenVolume) -> None:
        """A second name of the volume's file as a disk's image; a new data disk gets its file system."""
        name = _name(server, volume)
        disk = DiskRecord(
            volume.id, name, server.id, server.owner, volume.size_gib * GIB, volume.root, growing=volume.root
        )
        self.local.store.put_disk(disk)
        path = self.local.store.disk_image(volume.id)
        path.unlink(missing_ok=True)
        path.hardlink_to(self._volumes / volume.id)
        if not _has_file_system(path):
            storage.format_ext4(path, name)
        disk.formatted = True
        self.local.store.put_disk(disk)

    def _want(self, server: SeenServer, record: MachineRecord) -> MachineWant:
        assert server.access is not None
        disks = [volume for volume in server.volumes if volume.id in record.disk_keys]
        return MachineWant(
            key=server.id,
            hostname=server.name,
            owner=server.owner,
            size=server.size,
            image=IMAGE,
            network="neutron",
            disks=tuple(DiskWant(one.id, _name(server, one), one.size_gib, one.root) for one in disks),
            access=server.access,
        )

    def _release(self, record: MachineRecord) -> None:
        log.info("%s is taken down", record.hostname)
        for path in self._raw_dir().glob("*.img"):
            if self._node(record.key, path.stem).exists():
                self._take(record.key, path.stem)
        self.local.release_machine(record.key)
        for key in record.disk_keys:
            self.local.store.drop_disk(key)
            self._mark(key, held=False)
        self._mark(record.key, held=False)

    # -- volumes that come and go -------------------------------------------------------------------
    def _follow_volumes(self, server: SeenServer, record: MachineRecord) -> None:
        booted = {disk.key: disk for disk in self.local.store.disks() if disk.machine_key == server.id}
        for volume in server.volumes:
            disk = booted.get(volume.id)
            if disk is not None and disk.size_bytes < volume.size_gib * GIB:
                want = DiskWant(volume.id, disk.name, volume.size_gib, volume.root)
                self.local.add_disks(server.id, (want,))
            elif disk is None and volume.own and not volume.going:
                self._plant_disk(server, volume)
                self.local.add_disks(server.id, (DiskWant(volume.id, volume.own, volume.size_gib),))
                self._mark(volume.id, held=True)
            elif disk is None and not volume.own and not volume.going:
                self._give(server.id, volume.id)
        have = {volume.id for volume in server.volumes if not volume.going}
        for path in self._raw_dir().glob("*.img"):
            if path.stem not in have and self._node(server.id, path.stem).exists():
                self._take(server.id, path.stem)
        if server.sanitiser:
            self._show_share(server.id)

    def _raw_dir(self) -> Path:
        return self.local.settings.state / "raw"

    def _node(self, server: str, volume: str) -> Path:
        return self.local.host.folder(server).data / f"virtio-{volume[:20]}"

    def _give(self, server: str, volume: str) -> None:
        """A raw device in the machine: a node in its /data, which its control group lets it open."""
        node, path = self._node(server, volume), self._raw_dir() / f"{volume}.img"
        if node.exists():
            return
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.hardlink_to(self._volumes / volume)
        device = storage.ensure_discarding_loop(path, sleep=time.sleep)
        number = Path(device).stat().st_rdev
        allow = cgroups.ROOT / "devices" / cgroups.PARENT / self.local.host.unit(server) / "devices.allow"
        if allow.exists():
            allow.write_text(f"b {os.major(number)}:{os.minor(number)} rwm")
        os.mknod(node, 0o600 | stat.S_IFBLK, number)
        self._mark(volume, held=True)

    def _take(self, server: str, volume: str) -> None:
        """Take a raw device back; the machine must have closed it."""
        path = self._raw_dir() / f"{volume}.img"
        for device in storage.loops_of(path):
            storage.drop_loop(device, sleep=time.sleep)
        self._node(server, volume).unlink()
        path.unlink()
        self._mark(volume, held=False)

    def _show_share(self, server: str) -> None:
        point = self.local.host.folder(server).data / SHARED
        if not storage.mounted(point):
            point.mkdir(exist_ok=True)
            subprocess.run(["mount", "--bind", str(self._share), str(point)], check=True)

    def _mark(self, thing: str, *, held: bool) -> None:
        mark = self._marks / thing
        if held:
            mark.write_text(str(os.getpid()))
        else:
            mark.unlink(missing_ok=True)


def _name(server: SeenServer, volume: SeenVolume) -> str:
    return "root" if volume.root else server.mounts.get(volume.id[:20]) or volume.own or f"v{volume.id[:8]}"


def _has_file_system(path: Path) -> bool:
    return subprocess.run(["blkid", "--probe", str(path)], capture_output=True, check=False).returncode == 0


def serve_until_told(hypervisor: Hypervisor) -> int:
    """Serve until SIGTERM, then remove every body; 1 when something of them is left."""
    signal.signal(signal.SIGTERM, lambda *_: hypervisor.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this one tells it
    print("ready", flush=True)
    try:
        hypervisor.serve()
    finally:
        left = hypervisor.remove()
    for what in left:
        log.error("left: %s", what)
    return 1 if left else 0
